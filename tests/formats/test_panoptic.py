"""Panoptic video: VIPSeg and Cityscapes-VPS (json and PNG), KITTI-STEP (PNG alone)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.annotations.records import Track
from chronomask.errors import InputError
from chronomask.formats.convert import read

WALL, CAR = 5, 70000
"""Ids of segments; the second takes all three colours."""


def colour(*pixels: list[int]) -> np.ndarray:
    """A picture of ids."""
    ids = np.array(pixels, np.uint32)
    return np.stack([ids & 255, ids >> 8 & 255, ids >> 16], -1).astype(np.uint8)


def segment(number: int, category_id: int) -> dict[str, Any]:
    return {"id": number, "category_id": category_id, "iscrowd": 0, "area": 1}


FRAMES = [
    ([[WALL, CAR, CAR], [0, 0, 9]], [segment(WALL, 0), segment(CAR, 48), segment(9, 48)]),
    ([[WALL, WALL, CAR], [0, 0, 0]], [segment(WALL, 0), segment(CAR, 48)]),
]
VIPSEG: dict[str, Any] = {
    "videos": [
        {
            "video_id": "12_street",
            "images": [{"id": f"0000{t}", "width": 3, "height": 2, "file_name": f"0000{t}.png"} for t in range(3)],
        }
    ],
    "annotations": [
        {
            "video_id": "12_street",
            "annotations": [
                {"image_id": f"0000{t}", "file_name": f"0000{t}.png", "segments_info": info}
                for t, (_, info) in enumerate(FRAMES)
            ],
        }
    ],
    "categories": [{"id": 0, "name": "wall", "isthing": 0}, {"id": 48, "name": "car", "isthing": 1}],
}


def vipseg(folder: Path, change: Callable[[dict[str, Any]], object] = lambda content: None) -> Path:
    """The json, with the pictures in one folder beside it and the raw masks, which are grey, in another."""
    content = copy.deepcopy(VIPSEG)
    change(content)
    for name in ("panomasks", "panomasksRGB"):
        (folder / name / "12_street").mkdir(parents=True, exist_ok=True)
    for t, (pixels, _) in enumerate(FRAMES):
        Image.fromarray(colour(*pixels)).save(folder / f"panomasksRGB/12_street/0000{t}.png")
        Image.fromarray(np.zeros((2, 3), np.uint16)).save(folder / f"panomasks/12_street/0000{t}.png")
    (folder / "panoptic.json").write_text(json.dumps(content))
    return folder / "panoptic.json"


def areas(track: Track) -> list[int | None]:
    return [None if mask is None else rle.area(mask) for mask in track.segmentations]


def test_things_become_tracks_and_the_rest_is_said(tmp_path: Path) -> None:
    file = read(vipseg(tmp_path))
    assert [(video.name, video.width, video.height) for video in file.videos] == [("12_street", 3, 2)]
    assert file.videos[0].file_names == tuple(f"12_street/0000{t}.jpg" for t in range(3))
    assert [(track.id, track.category_id, areas(track)) for track in file.tracks] == [
        (9, 48, [1, None, None]),
        (CAR, 48, [2, 1, None]),
    ]
    assert [category.name for category in file.categories] == ["car"]
    assert file.notes == (
        "1 class of stuff left out: wall",
        "1 of 3 frames are not annotated: no track is seen there",
    )


def test_plain_lists_of_images_are_videos_by_the_number_they_begin_with(tmp_path: Path) -> None:
    names = ["0001_0000_bonn", "0001_0005_bonn", "0002_0010_bonn"]
    content = {
        "images": [{"id": name, "width": 3, "height": 2, "file_name": f"{name}_newImg8bit.png"} for name in names],
        "annotations": [
            {"segments_info": FRAMES[0][1], "file_name": f"{name}_final_mask.png", "image_id": name} for name in names
        ],
        "categories": VIPSEG["categories"],
    }
    (tmp_path / "val/panoptic_video").mkdir(parents=True)
    for name in names:
        Image.fromarray(colour(*FRAMES[0][0])).save(tmp_path / f"val/panoptic_video/{name}_final_mask.png")
    (tmp_path / "gt.json").write_text(json.dumps(content))
    file = read(tmp_path / "gt.json")
    assert [(video.name, video.length) for video in file.videos] == [("0001", 2), ("0002", 1)]
    assert file.videos[0].file_names == ("0001_0000_bonn_newImg8bit.png", "0001_0005_bonn_newImg8bit.png")
    assert [areas(track) for track in file.tracks] == [[1, 1], [2, 2], [1], [2]]
    assert "track ids repeat from video to video: 4 tracks counted from 1" in file.notes


def first(content: dict[str, Any]) -> dict[str, Any]:
    return content["annotations"][0]["annotations"][0]


PLACE = r"panoptic\.json: annotations\[0\]\.annotations\[0\]\."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("categories"), r"panoptic\.json: categories: missing"),
        (lambda c: c["videos"][0]["images"][1].pop("id"), r"videos\[0\]\.images\[1\]\.id: missing"),
        (
            lambda c: c["videos"][0]["images"][1].update(width=4),
            r"\.width: .* \(4, 2\), of an earlier .*3, 2",
        ),
        (lambda c: [i.update(width=4) for i in c["videos"][0]["images"]], r"0\.png: is 3x2, .* json says 4x2"),
        (lambda c: c["annotations"][0].update(video_id="x"), r"annotations\[0\]\.video_id: 'x' is no known video"),
        (lambda c: first(c).update(image_id="7"), PLACE + "image_id: '7' is no known image"),
        (lambda c: first(c).update(image_id="00001"), r"annotations\[1\]\.image_id: '00001' is annotated twice"),
        (lambda c: first(c).update(segments_info={}), PLACE + r"segments_info: {} is no list"),
        (lambda c: first(c)["segments_info"].pop(), PLACE + r"segments_info: has no id 9, which is a colour in 00000"),
        (
            lambda c: first(c)["segments_info"][0].update(id=6),
            PLACE + r"segments_info\[0\]\.id: 6 is no colour in",
        ),
        (lambda c: first(c)["segments_info"][0].update(id="5"), r"segments_info\[0\]\.id: '5' is no whole number"),
        (lambda c: first(c)["segments_info"][1].update(category_id=3), r"\[1\]\.category_id: 3 is no known category"),
        (lambda c: first(c).update(file_name="no.png"), PLACE + r"file_name: no folder beside it holds 12_street/no"),
    ],
)
def test_damaged(tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(vipseg(tmp_path, change), "panoptic")


def test_damaged_pictures(tmp_path: Path) -> None:
    path = vipseg(tmp_path)
    picture = tmp_path / "panomasksRGB/12_street/00001.png"
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(picture)
    with pytest.raises(InputError, match=r"00001\.png: must be a PNG in colour, its pixels are of the kind 'L'"):
        read(path)
    picture.unlink()
    with pytest.raises(InputError, match=r"annotations\[1\]\.file_name: .*00001\.png: no such file"):
        read(path)


def step(path: Path, *pixels: list[tuple[int, int]]) -> None:
    """A picture of (class, object)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [[(kind, number // 256, number % 256) for kind, number in row] for row in pixels]
    Image.fromarray(np.array(rows, np.uint8)).save(path)


ROAD, LOST_CAR, VOID = (0, 0), (13, 0), (255, 0)


def test_objects_of_kitti_step_are_tracks_and_those_uncounted_a_crowd(tmp_path: Path) -> None:
    step(tmp_path / "0002/000000.png", [ROAD, (13, 1), (13, 1)], [(11, 300), LOST_CAR, VOID])
    step(tmp_path / "0002/000001.png", [ROAD, ROAD, (13, 1)], [(11, 300), (11, 300), VOID])
    file = read(tmp_path)
    assert [(video.name, video.length) for video in file.videos] == [("0002", 2)]
    assert [(category.id, category.name) for category in file.categories] == [(11, "person"), (13, "car")]
    assert [(track.id, track.category_id, track.crowd, areas(track)) for track in file.tracks] == [
        (1, 13, False, [2, 1]),
        (300, 11, False, [1, 2]),
        (301, 13, True, [1, None]),
    ]
    assert file.notes == ("void and classes without objects (stuff) left out",)
    assert read(tmp_path / "0002") == file


def test_objects_of_two_classes_with_one_number(tmp_path: Path) -> None:
    step(tmp_path / "a/0.png", [(13, 1), (11, 1)])
    assert [track.id for track in read(tmp_path).tracks] == [11 * 65536 + 1, 13 * 65536 + 1]


def test_names_of_motchallenge_step_and_of_labels_txt(tmp_path: Path) -> None:
    step(tmp_path / "a/0.png", [(4, 1), (0, 0)])
    assert [category.name for category in read(tmp_path).categories] == ["person"]
    (tmp_path / "labels.txt").write_text("sea\nsky\nsand\nrock\nship\n")
    assert [category.name for category in read(tmp_path).categories] == ["ship"]


def test_a_photograph_is_no_map_of_classes(tmp_path: Path) -> None:
    step(tmp_path / "a/0.png", [(90, 20), (91, 7)])
    with pytest.raises(InputError, match=r"a: its red is 9\d somewhere, which is no class: known are 0 to 18"):
        read(tmp_path)
    Image.fromarray(np.zeros((1, 2), np.uint8)).save(tmp_path / "a/1.png")
    with pytest.raises(InputError, match=r"1\.png: must be a PNG in colour: class, object"):
        read(tmp_path, "kitti-step")
