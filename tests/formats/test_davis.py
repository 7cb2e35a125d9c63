"""DAVIS and its void pixels."""

from __future__ import annotations

from pathlib import Path

import pytest

from chronomask.annotations.records import TracksFile
from chronomask.cli import main
from chronomask.evaluation.davis import davis
from chronomask.formats.convert import read, write

CASE = Path(__file__).with_name("cases") / "davis-void/frames"


def test_void_is_no_object_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, found = tmp_path / "t.json", tmp_path / "found.json"
    assert main(["convert", str(CASE), str(truth), "--from", "davis"]) == 0
    assert "note: dog: index 255 of 3 frames is void: left out, neither object" in capsys.readouterr().err
    file = read(truth)
    assert [track.id for track in file.tracks] == [1, 2]
    write(TracksFile(file.tracks, file.videos, file.categories), found)
    scores = davis(truth, found)
    assert (scores.J_and_F, len(scores.objects)) == (1, 2)
