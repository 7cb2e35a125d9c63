"""MOTS: free ids, and regions that are to be ignored."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chronomask.annotations.records import TracksFile
from chronomask.cli import main
from chronomask.formats.assumed import Assumed
from chronomask.formats.convert import read, write

CASE = Path(__file__).with_name("cases") / "mots-ids-and-ignore"


def test_free_ids_are_taken_as_they_are(tmp_path: Path) -> None:
    file = read(CASE / "plainid")
    assert [(track.id, track.category_id) for track in file.tracks] == [(1, 2)]
    assert [mask is not None for mask in file.tracks[0].segmentations] == [True, True]


def test_instances_of_different_classes_are_told_apart(tmp_path: Path) -> None:
    file = read(CASE / "ign")
    objects = [(track.id, track.category_id) for track in file.tracks if not track.crowd]
    assert objects == [(1001, 1), (2001, 2)]
    assert write(file, tmp_path / "out", "mots-text") == ()
    assert (tmp_path / "out/0000.txt").read_text() == (CASE / "ign/0000.txt").read_text()
    assert read(tmp_path / "out") == file


def test_frames_of_the_challenge_are_written_from_one(tmp_path: Path) -> None:
    file, lines = read(CASE / "ign"), (CASE / "ign/0000.txt").read_text().splitlines()
    write(file, tmp_path / "tracks.json")
    asked = ["convert", str(tmp_path / "tracks.json"), str(tmp_path / "out"), "--to", "mots-text", "--first-frame", "1"]
    assert main(asked) == 0
    written = (tmp_path / "out/0000.txt").read_text().splitlines()
    assert written == [f"{int(frame) + 1} {rest}" for frame, rest in (line.split(" ", 1) for line in lines)]
    assert read(tmp_path / "out", assumed=Assumed(first_frame=1)) == file


def test_what_is_to_be_ignored_is_ignored_for_every_class(tmp_path: Path) -> None:
    truth, numbers = tmp_path / "t.json", tmp_path / "n.json"
    assert main(["convert", str(CASE / "ign"), str(truth)]) == 0
    crowds = [track for track in read(truth).tracks if track.crowd]
    assert [track.category_id for track in crowds] == [1, 2]
    assert [mask is not None for mask in crowds[0].segmentations] == [True, False, True]
    assert main(["evaluate", str(truth), str(CASE / "results.json"), "--json", str(numbers)]) == 0
    found = json.loads(numbers.read_text())
    assert found["AP"] == 1
    assert [entry["AP"] for entry in found["per_category"]] == [1, 1]


def test_pixels_hold_the_same_ids_and_regions(tmp_path: Path) -> None:
    file = read(CASE / "ign")
    assert write(file, tmp_path / "png", "mots-png") == ()
    assert read(tmp_path / "png") == file
    assert np.unique(np.asarray(Image.open(tmp_path / "png/0000/00000.png"))).tolist() == [0, 1001, 2001, 10000]


def test_regions_of_a_video_without_objects_keep_a_class_of_their_own(tmp_path: Path) -> None:
    lines = (CASE / "ign/0000.txt").read_text().splitlines()
    (tmp_path / "0000.txt").write_text("\n".join(line for line in lines if " 10000 " in line))
    file = read(tmp_path)
    assert [(track.category_id, track.crowd) for track in file.tracks] == [(10, True)]
    assert not any("crowds" in loss for loss in write(file, tmp_path / "out", "mots-text"))
    assert (tmp_path / "out/0000.txt").read_text() == (tmp_path / "0000.txt").read_text() + "\n"


def test_formats_without_crowds_get_a_region_once(tmp_path: Path) -> None:
    losses = write(read(CASE / "ign"), tmp_path / "out", "cvat")
    assert "crowds: 2 crowds written as ordinary objects" in losses
    assert len(read(tmp_path / "out").tracks) == 3


def test_ids_that_repeat_from_video_to_video_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("0000.txt", "0001.txt"):
        shutil.copy(CASE / "plainid/0000.txt", tmp_path / name)
    assert main(["convert", str(tmp_path), str(tmp_path / "t.json")]) == 0
    assert "note: track ids repeat from video to video: 2 tracks counted from 1" in capsys.readouterr().err
    assert [track.id for track in read(tmp_path / "t.json").tracks] == [1, 2]


def test_any_ids_go_through(tmp_path: Path) -> None:
    file = read(CASE / "ign")
    first, second = (track for track in file.tracks if not track.crowd)
    for ids in ((1001, 2002), (7, 9), (1001, 5), (4, 70000)):
        changed = (replace(first, id=ids[0]), replace(second, id=ids[1]))
        losses = write(TracksFile(changed, file.videos, file.categories), tmp_path / str(ids), "mots-text")
        back = tuple(track.id for track in read(tmp_path / str(ids)).tracks)
        assert (back == ids) == (not losses), ids
