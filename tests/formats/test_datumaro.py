"""Datumaro json, as the program and CVAT write it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chronomask import rle
from chronomask.annotations.records import TracksFile
from chronomask.errors import InputError
from chronomask.formats.assumed import Assumed
from chronomask.formats.convert import read

MASK = {"counts": "=3300000;", "size": [6, 8]}
OUTLINE = [1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0]


def shape(kind: str, label: int, track: int, **fields: Any) -> dict[str, Any]:
    return {"id": 0, "type": kind, "attributes": {"track_id": track}, "group": 0, "label_id": label, **fields}


CONTENT: dict[str, Any] = {
    "dm_format_version": "1.0",
    "media_type": 2,
    "infos": {},
    "categories": {"label": {"labels": [{"name": "dog", "parent": "", "attributes": []}, {"name": "bird"}]}},
    "items": [
        {
            "id": f"frame_{number}",
            "annotations": [
                shape("mask", 0, 5, rle=MASK, z_order=0),
                shape("polygon", 1, 6, points=OUTLINE, z_order=1),
                shape("bbox", 1, 6, bbox=[1.0, 1.0, 3.0, 2.0], z_order=1),
            ],
            "attr": {"frame": frame},
            "image": {"path": None, "size": [6, 8]},
        }
        for frame, number in ((2, "b"), (0, "a"))
    ],
}


def written(folder: Path, change: Callable[[dict[str, Any]], object] = lambda content: None) -> Path:
    content = copy.deepcopy(CONTENT)
    change(content)
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "annotations/default.json").write_text(json.dumps(content))
    return folder


def areas(file: TracksFile) -> list[list[int | None]]:
    return [[None if mask is None else rle.area(mask) for mask in track.segmentations] for track in file.tracks]


def shapes(content: dict[str, Any], item: int = 0) -> list[dict[str, Any]]:
    return content["items"][item]["annotations"]


def without_ids(content: dict[str, Any]) -> None:
    for item in (0, 1):
        for one in shapes(content, item):
            one["attributes"] = {}
            one["group"] = 1 + (one["label_id"] == 1)


def test_tracks_of_masks_and_polygons(tmp_path: Path) -> None:
    file = read(written(tmp_path))
    assert [(video.name, video.file_names) for video in file.videos] == [("default", ("frame_a.jpg", "frame_b.jpg"))]
    assert [(track.id, track.category_id) for track in file.tracks] == [(5, 18), (6, 16)]
    assert areas(file) == [[12, 12], [6, 6]]
    assert file.notes == ()
    assert read(tmp_path / "annotations/default.json") == file


def test_shapes_without_a_track_are_joined_and_that_is_said(tmp_path: Path) -> None:
    file = read(written(tmp_path, without_ids))
    assert areas(file) == [[12, 12], [6, 6]]
    assert file.notes == ("default: 4 annotations without track_id or object_id joined by label and overlap: 2 tracks",)


def test_shapes_outside_are_out_of_sight(tmp_path: Path) -> None:
    file = read(written(tmp_path, lambda content: shapes(content)[0]["attributes"].update(outside=True)))
    assert areas(file) == [[12, None], [6, 6]]


def test_object_ids_and_several_parts_of_one_object(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for one in shapes(content):
            one.update(attributes={}, object_id=7, label_id=0)
        content["items"].pop()

    file = read(written(tmp_path, change))
    assert [track.id for track in file.tracks] == [7]
    assert areas(file) == [[14]]


def test_folders_and_videos_of_items(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["items"][0].update(id="film/1")
        content["items"][1].update(video_frame={"video_path": "x/clip.mp4", "frame_index": 3})

    assert [video.name for video in read(written(tmp_path, change)).videos] == ["clip", "film"]


def test_flags_and_other_annotations(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        shapes(content)[0]["attributes"]["is_crowd"] = True
        shapes(content).append({"id": 0, "type": "label", "label_id": 0})

    file = read(written(tmp_path, change))
    assert [track.crowd for track in file.tracks] == [True, False]
    assert file.notes == ("1 annotation without an area (points, lines) left out",)


def test_boxes_are_said_in_one_sentence(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for item in (0, 1):
            del shapes(content, item)[1]

    with pytest.raises(InputError, match=": 2 of 4 annotations are boxes without a mask or polygon"):
        read(written(tmp_path, change))


def test_items_without_a_size(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for item in content["items"]:
            del item["image"], item["annotations"][0]

    with pytest.raises(InputError, match=r"default\.json: default has no size; give --size"):
        read(written(tmp_path, change))
    assert read(tmp_path, assumed=Assumed(size=(8, 6))).videos[0].width == 8


PLACE = r"default\.json: items\[0\]\."
SHAPE = PLACE + r"annotations\[0\]\."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(items=[]), r"default\.json: items: is empty"),
        (lambda c: c.update(items=3), r"default\.json: items: 3 is no list"),
        (lambda c: c["items"][0].pop("id"), PLACE + "id: missing"),
        (lambda c: c["items"][0]["attr"].update(frame=-1), PLACE + "attr.frame: -1 is no whole number from 0"),
        (lambda c: c["items"][0]["image"].update(size=[6]), PLACE + r"image\.size: \[6\] is no \[height, width\]"),
        (lambda c: c["items"][0]["image"].update(size=[8, 6]), r"image\.size: .* \(6, 8\), of an earlier .* \(8, 6\)"),
        (lambda c: shapes(c)[0].pop("type"), SHAPE + "type: missing"),
        (lambda c: shapes(c)[0].update(label_id=2), SHAPE + "label_id: 2 is none of the 2 labels"),
        (lambda c: shapes(c)[0].update(label_id="dog"), SHAPE + "label_id: 'dog' is no whole number"),
        (lambda c: shapes(c)[0].update(attributes={"track_id": "x"}), SHAPE + "attributes.track_id: 'x' is no whole"),
        (lambda c: shapes(c)[0].update(rle={"counts": "=33", "size": [6, 8]}), SHAPE + "rle: .* add up to"),
        (lambda c: shapes(c)[0].pop("rle"), SHAPE + "rle: segmentation has size None"),
        (lambda c: shapes(c)[1].update(points=[1, 2, 3]), PLACE + r"annotations\[1\]\.points: a polygon must be"),
        (lambda c: shapes(c)[0].update(label_id=1), SHAPE + "label_id: is 'bird', of the same track before 'dog'"),
        (lambda c: c["categories"].update(label=3), r"default\.json: categories\.label: 3 is no object"),
    ],
)
def test_damaged(tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(written(tmp_path, change), "datumaro")
