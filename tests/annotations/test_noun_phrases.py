"""SA-Co/VEval: what a video is asked for, and damaged pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chronomask import rle
from chronomask.annotations.reader import read
from chronomask.cli import main
from chronomask.errors import InputError
from chronomask.formats import convert

PHRASES = ["a red kite", "the left shoe", "foam", "a moustache"]


def truth(**change: Any) -> dict[str, Any]:
    """Two videos; the first has a kite and no shoe, the second has none of what it is asked for."""
    pairs = [(1, 0, 1), (2, 0, 0), (3, 1, 0)]
    mask = rle.encode(np.eye(4, dtype=bool))
    track = {"id": 5, "video_id": 0, "category_id": 1, "iscrowd": 0, "height": 4, "width": 4}
    return {
        "info": {"version": "v1"},
        "videos": [
            {"id": n, "video_name": v, "file_names": [f"{v}/00000.jpg"], "height": 4, "width": 4, "length": 1}
            for n, v in enumerate(["sav_1", "sav_2"])
        ],
        "annotations": [{**track, "noun_phrase": PHRASES[0], "segmentations": [mask], "areas": [4]}],
        "categories": [{"id": number, "name": phrase} for number, phrase in enumerate(PHRASES, 1)],
        "video_np_pairs": [
            {"id": 9 - n, "video_id": video, "category_id": c, "noun_phrase": PHRASES[c - 1], "num_masklets": count}
            for n, (c, video, count) in enumerate(pairs)
        ],
        **change,
    }


def test_a_video_is_labelled_for_its_phrases() -> None:
    videos = read(truth()).file.videos
    assert [video.name for video in videos] == ["sav_1", "sav_2"]
    assert [video.labelled_classes for video in videos] == [("a red kite", "the left shoe"), ("foam",)]


def test_files_without_pairs_label_everything() -> None:
    assert [video.labelled_classes for video in read(truth(video_np_pairs=None)).file.videos] == [None, None]


def test_phrases_survive_a_conversion(tmp_path: Path) -> None:
    (tmp_path / "veval.json").write_text(json.dumps(truth()))
    assert main(["convert", str(tmp_path / "veval.json"), str(tmp_path / "tracks.json")]) == 0
    assert convert.read(tmp_path / "tracks.json") == convert.read(tmp_path / "veval.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video_id": 7}, r"video_np_pairs\[0\]\.video_id: 7 is no known video"),
        ({"video_id": "0"}, r"video_np_pairs\[0\]\.video_id: '0' is no whole number"),
        ({"category_id": 8}, r"video_np_pairs\[0\]\.category_id: 8 is no known category"),
        ({}, r"video_np_pairs\[0\]\.video_id: missing"),
    ],
)
def test_damaged_pairs(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    pair = truth()["video_np_pairs"][0] | change if change else {}
    (tmp_path / "veval.json").write_text(json.dumps(truth(video_np_pairs=[pair])))
    with pytest.raises(InputError, match=rf"veval\.json: {message}"):
        read(tmp_path / "veval.json")


def test_pairs_that_are_no_list_and_pairs_of_a_broken_video() -> None:
    with pytest.raises(InputError, match=r"video_np_pairs: 3 is no list"):
        read(truth(video_np_pairs=3))
    content = truth()
    content["videos"][0]["width"] = 0
    reading = read(content, "collect")
    assert [str(problem) for problem in reading.problems.found] == [
        "videos[0].width: 0 is no whole number from 1",
    ]
    assert [video.labelled_classes for video in reading.file.videos] == [("foam",)]
