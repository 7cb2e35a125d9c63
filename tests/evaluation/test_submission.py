from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from track_builders import annotation, mask, result, truth_file

from chronomask import rle
from chronomask.errors import InputError
from chronomask.evaluation.submission import submit

A = mask((5, 5, 10, 10))


def test_zip_holds_the_plain_list(tmp_path: Path) -> None:
    tracks = truth_file([annotation([A] * 2)])
    tracks["annotations"][0]["score"] = 0.75
    submission = submit(tracks, tmp_path / "out.zip")
    assert (submission.results, submission.warnings) == (1, ())
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["results.json"]
        assert json.loads(archive.read("results.json")) == [result([A] * 2, 0.75)]


def test_test_sets_come_without_annotations(tmp_path: Path) -> None:
    listing = truth_file([annotation([A] * 2)]) | {"annotations": None}
    assert submit([result([A] * 2)], tmp_path / "out.zip", listing).results == 1
    with pytest.raises(InputError, match=r"results\[0\].segmentations: 3 masks for a video of 2 frames"):
        submit([result([A] * 3)], tmp_path / "other.zip", listing)
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


def test_an_interruption_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", interrupted)
    with pytest.raises(KeyboardInterrupt):
        submit([result([A])], tmp_path / "out.zip")
    assert list(tmp_path.iterdir()) == []


def test_folders_get_the_ids_of_the_annotations(tmp_path: Path) -> None:
    truth = truth_file([annotation([A] * 2, 0, 7)], categories=(0,))
    truth["categories"][0]["name"] = "object"
    for number in range(2):
        place = tmp_path / "results" / "video7" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rle.decode(A).astype(np.uint8)).save(place)
    with pytest.raises(InputError, match=r"results: has not the ids .* say --against INSTANCES.json"):
        submit(tmp_path / "results", tmp_path / "out.zip")
    notes: list[str] = []
    assert submit(tmp_path / "results", tmp_path / "out.zip", truth, notes.append).results == 1
    assert "every result counts as sure" in notes[0]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert json.loads(archive.read("results.json")) == [result([A] * 2, 1.0, 0, 7)]


def test_named_results_get_the_ids_of_the_annotations(tmp_path: Path) -> None:
    truth = truth_file([annotation([A] * 2, 2, 7)])
    tracks = truth_file([annotation([A] * 2, 5, 1) | {"score": 0.5}], categories=(5,))
    tracks["videos"][0] |= {"name": "video7"}
    tracks["categories"][0]["name"] = "class2"
    submit(tracks, tmp_path / "out.zip", truth)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert json.loads(archive.read("results.json")) == [result([A] * 2, 0.5, 2, 7)]
