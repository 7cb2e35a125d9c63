"""Scalabel json, as the program and BDD100K write it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.formats.tubes import plain_file

from chronomask import rle
from chronomask.annotations.records import TracksFile
from chronomask.errors import InputError
from chronomask.formats.assumed import Assumed
from chronomask.formats.convert import read, write

SQUARE = {"vertices": [[1, 1], [5, 1], [5, 4], [1, 4]], "types": "LLLL", "closed": True}
FRAMES: list[dict[str, Any]] = [
    {
        "name": f"b1c8-000000{t}.jpg",
        "videoName": "b1c8",
        "frameIndex": t,
        "labels": [{"id": "a", "category": "car", "attributes": {"crowd": False}, "box3d": None, "poly2d": [SQUARE]}],
    }
    for t in (0, 1)
]
SIZE = Assumed(size=(9, 7))


def changed(path: Path, change: Callable[[Any], object] = lambda frames: None, wrap: bool = True) -> Path:
    frames = copy.deepcopy(FRAMES)
    change(frames)
    file = path / "labels.json"
    file.write_text(json.dumps({"frames": frames, "groups": None, "config": None} if wrap else frames))
    return file


WIDE = {"width": 9, "height": 7}


def label(frames: Any) -> dict[str, Any]:
    return frames[1]["labels"][0]


def areas(file: TracksFile) -> list[list[int | None]]:
    return [[None if mask is None else rle.area(mask) for mask in track.segmentations] for track in file.tracks]


@pytest.mark.parametrize("wrap", [True, False])
def test_outlines_of_a_track(tmp_path: Path, wrap: bool) -> None:
    file = read(changed(tmp_path, wrap=wrap), assumed=SIZE)
    assert areas(file) == [[12, 12]]
    assert file.videos[0].name == "b1c8"
    assert file.videos[0].file_names == ("b1c8-0000000.jpg", "b1c8-0000001.jpg")
    assert [(category.id, category.name) for category in file.categories] == [(3, "car")]
    assert file.notes == ("ids of 1 track are no numbers: counted",)


def test_ids_that_are_one_number_are_two_tracks(tmp_path: Path) -> None:
    def change(frames: Any) -> None:
        frames[0]["labels"][0]["id"], frames[1]["labels"][0]["id"] = "07", "0012"
        frames[1]["labels"].append({**frames[1]["labels"][0], "id": "7"})

    file = read(changed(tmp_path, change), assumed=SIZE)
    assert areas(file) == [[12, None], [None, 12], [None, 12]]
    assert [track.id for track in file.tracks] == [1, 2, 3]  # 7, 7 and 12 would not tell them apart
    file = read(
        changed(tmp_path, lambda frames: [frame["labels"][0].update(id="0012") for frame in frames]), assumed=SIZE
    )
    assert ([track.id for track in file.tracks], file.notes) == ([12], ())


def test_a_folder_of_files_is_one_file(tmp_path: Path) -> None:
    for name in ("b", "a"):
        changed(tmp_path, lambda frames, name=name: [frame.update(videoName=name) for frame in frames]).rename(
            tmp_path / f"{name}.json"
        )
    assert [video.name for video in read(tmp_path, "scalabel", SIZE).videos] == ["a", "b"]


def test_frames_that_are_left_out_are_said(tmp_path: Path) -> None:
    file = read(changed(tmp_path, lambda frames: frames[1].update(frameIndex=5)), assumed=SIZE)
    assert file.videos[0].length == 2
    assert file.notes[0] == "b1c8: 2 of 6 frames are listed; these alone are its frames here"


def test_frames_come_in_any_order_and_without_labels(tmp_path: Path) -> None:
    def change(frames: Any) -> None:
        frames[0]["labels"] = None
        frames.reverse()

    assert areas(read(changed(tmp_path, change), assumed=SIZE)) == [[None, 12]]


def test_a_curve_bulges(tmp_path: Path) -> None:
    bent = {"vertices": [[1, 1], [5, 1], [9, 1], [9, 5], [5, 5], [1, 5]], "types": "LLCCLL", "closed": True}
    area = areas(read(changed(tmp_path, lambda frames: label(frames).update(poly2d=[bent])), assumed=SIZE))[0][1]
    assert area is not None
    assert 16 + 8 <= area <= 16 + 12  # three quarters of the 4x4 square that the corners span are inside


def test_run_lengths_tell_the_size_and_come_before_outlines(tmp_path: Path) -> None:
    mask = plain_file().tracks[0].segmentations[0]

    def change(frames: Any) -> None:
        frames[0]["labels"][0]["rle"] = label(frames)["rle"] = mask

    assert areas(read(changed(tmp_path, change))) == [[6, 6]]


def test_lines_are_left_out_and_boxes_refused(tmp_path: Path) -> None:
    line = {**SQUARE, "closed": False}
    file = read(changed(tmp_path, lambda frames: label(frames).update(poly2d=[line])), assumed=SIZE)
    assert "1 label without an area (points, lines) left out" in file.notes
    box = {"x1": 1, "y1": 1, "x2": 4, "y2": 3}
    path = changed(tmp_path, lambda frames: label(frames).update(poly2d=None, box2d=box))
    with pytest.raises(InputError, match=r"labels\.json: 1 of 2 labels are boxes without a mask or polygon"):
        read(path, assumed=SIZE)


def test_boxes_that_are_written_have_inclusive_corners(tmp_path: Path) -> None:
    write(plain_file(), tmp_path / "t.json", "scalabel")
    first = json.loads((tmp_path / "t.json").read_text())["frames"][0]
    assert (first["videoName"], first["frameIndex"], first["size"]) == ("clip", 0, {"width": 9, "height": 7})
    assert first["labels"][0]["box2d"] == {"x1": 1, "y1": 1, "x2": 3, "y2": 2}
    assert first["labels"][0]["id"] == "1"


PLACE = r"labels\.json: frames\[1\]\."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.clear(), r"labels\.json: holds no frames"),
        (lambda f: f.append(3), r"labels\.json: frames\[2\]: 3 is no object"),
        (lambda f: f[1].pop("name"), PLACE + "name: missing"),
        (lambda f: f[1].pop("frameIndex"), PLACE + "frameIndex: missing, though 1 of the 2 frames of b1c8 have one"),
        (lambda f: f[1].update(frameIndex=0), PLACE + "frameIndex: 0 is that of an earlier frame of b1c8 too"),
        (lambda f: f[1].update(size=[9, 7]), PLACE + r"size: \[9, 7\] is no object"),
        (lambda f: f[1].update(labels={}), PLACE + "labels: {} is no list"),
        (lambda f: label(f).pop("category"), PLACE + r"labels\[0\]\.category: missing"),
        (lambda f: label(f).update(category="bus"), PLACE + r"labels\[0\]\.category: is 'bus', .* before 'car'"),
        (lambda f: label(f).update(score="1"), PLACE + r"labels\[0\]\.score: '1' is no finite number"),
        (lambda f: label(f)["attributes"].update(crowd=2), r"labels\[0\]\.attributes\.crowd: 2 is neither 0 nor 1"),
        (lambda f: f[1]["labels"].append(label(f)), PLACE + r"labels\[1\]\.id: a is that of an earlier label"),
        (
            lambda f: label(f)["poly2d"][0].update(types="LL"),
            r"poly2d\[0\]\.types: 'LL' is not one letter, L or C, for",
        ),
        (lambda f: label(f)["poly2d"][0].update(types="LCLL"), r"poly2d\[0\]\.types: 'LCLL' has a C that is not one"),
        (lambda f: label(f)["poly2d"][0].update(vertices=[[1]]), r"poly2d\[0\]\.vertices: \[1\] is no pair"),
        (
            lambda f: [f[1].update(size=WIDE), label(f).update(rle={"counts": "o1", "size": [7, 8]})],
            r"size \[7, 8\], the",
        ),
        (lambda f: label(f).update(rle={"counts": "d1", "size": [7, 9]}), r"labels\[0\]\.rle: .* add up to 52"),
    ],
)
def test_damaged(tmp_path: Path, change: Callable[[Any], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(changed(tmp_path, change), "scalabel", SIZE)


def test_nothing_tells_the_size(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"labels\.json: b1c8 has no size; give --size WIDTHxHEIGHT, or its video or frames by --video"
    ):
        read(changed(tmp_path))
    config = {"imageSize": {"width": 9, "height": 7}, "categories": [{"name": "bus"}, {"name": "car"}]}
    (tmp_path / "c.json").write_text(json.dumps({"frames": FRAMES, "config": config}))
    file = read(tmp_path / "c.json")
    assert (file.videos[0].width, [category.name for category in file.categories]) == (9, ["car", "bus"])
