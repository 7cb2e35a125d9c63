"""Label Studio json: brushes and polygons of images."""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.errors import InputError
from chronomask.formats.assumed import Assumed
from chronomask.formats.convert import read
from chronomask.formats.label_studio import brush_pixels

BRUSH = [0, 0, 0, 48, 57, 27, 252, 127, 247, 192, 39, 255, 194, 96, 0]
"""What label-studio-sdk 2.0.19 writes for the mask below, as 0 and 255."""

MASK = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
SIZE = {"original_width": 4, "original_height": 3, "image_rotation": 0}


def region(kind: str, number: str, **value: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "from_name": "tag", "to_name": "image", **SIZE, "value": value}


def task(name: str) -> dict[str, Any]:
    result = [
        region("brushlabels", "a", format="rle", rle=BRUSH, brushlabels=["Car"]),
        region("polygonlabels", "b", points=[[0, 0], [50, 0], [50, 100], [0, 100]], polygonlabels=["Dog"]),
    ]
    return {"id": 1, "data": {"image": name}, "annotations": [{"result": result, "was_cancelled": False}]}


TASKS = [task("/data/upload/3/0a1b2c3d-frame_2.jpg"), task("/data/upload/3/ff001122-frame_10.jpg")]


def written(folder: Path, change: Callable[[list[Any]], object] = lambda tasks: None) -> Path:
    tasks = copy.deepcopy(TASKS)
    change(tasks)
    (folder / "project.json").write_text(json.dumps(tasks))
    return folder / "project.json"


def regions(tasks: list[Any]) -> list[dict[str, Any]]:
    return tasks[0]["annotations"][0]["result"]


def test_a_brush_of_the_program() -> None:
    np.testing.assert_array_equal(brush_pixels(np.array(BRUSH, np.uint8), 3, 4), MASK)


def test_shapes_of_images_are_joined_in_the_order_of_their_own_names(tmp_path: Path) -> None:
    file = read(written(tmp_path, lambda tasks: tasks.reverse()))
    assert [(video.name, video.file_names) for video in file.videos] == [("3", ("frame_2.jpg", "frame_10.jpg"))]
    areas = [[mask and rle.area(mask) for mask in track.segmentations] for track in file.tracks]
    assert areas == [[3, 3], [6, 6]]
    assert [category.name for category in file.categories] == ["Car", "Dog"]
    assert file.notes == ("3: 4 regions without a number joined by label and overlap: 2 tracks",)


def test_a_label_may_stand_in_an_entry_of_its_own(tmp_path: Path) -> None:
    def change(tasks: list[Any]) -> None:
        regions(tasks)[0] = region("brush", "a", format="rle", rle=BRUSH)
        regions(tasks).append(region("labels", "a", labels=["Car"]))
        regions(tasks).append(region("keypointlabels", "c", keypointlabels=["Car"]))
        tasks[0]["annotations"] += [{"result": [], "was_cancelled": True}, {"result": []}]

    file = read(written(tmp_path, change))
    assert [len([mask for mask in track.segmentations if mask]) for track in file.tracks] == [2, 2]
    assert file.notes[::2] == (
        "1 annotation left out: of a task with several the first counts",
        "1 region without an area (points, lines) left out",
    )


def bitmask(mask: np.ndarray) -> str:
    """Black pixels on a transparent picture, as the program exports them."""
    buffer = io.BytesIO()
    Image.fromarray(np.stack([*[np.zeros(mask.shape, np.uint8)] * 3, mask.astype(np.uint8) * 255], 2)).save(
        buffer, "PNG"
    )
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def test_a_bitmask_is_where_its_picture_is_not_transparent(tmp_path: Path) -> None:
    def change(tasks: list[Any]) -> None:
        del tasks[1]
        regions(tasks)[:] = [region("bitmasklabels", "a", imageDataURL=bitmask(MASK), bitmasklabels=["Car"])]

    file = read(written(tmp_path, change))
    np.testing.assert_array_equal(rle.decode(file.tracks[0].segmentations[0] or {}), MASK)
    for url, message in ((bitmask(MASK[:2]), "is 4x2, its image 4x3"), ("data:,?", "no PNG in base64"), (3, "no text")):
        path = written(
            tmp_path, lambda tasks, url=url: (change(tasks), regions(tasks)[0]["value"].update(imageDataURL=url))
        )
        with pytest.raises(InputError, match=REGION + r"value\.imageDataURL: .*" + message):
            read(path)


def test_folders_behind_addresses(tmp_path: Path) -> None:
    def change(tasks: list[Any]) -> None:
        tasks[0]["data"]["image"] = "/data/local-files/?d=films/b/1.png"
        tasks[1]["data"]["image"] = "https://host/a/1.png?X-Amz=3"

    assert [video.name for video in read(written(tmp_path, change)).videos] == ["a", "b"]


def test_videos_have_rectangles_alone(tmp_path: Path) -> None:
    def change(tasks: list[Any]) -> None:
        tasks[0]["data"] = {"video": "/data/upload/1/00112233-street.mp4"}
        sequence = [{"frame": 1, "x": 1, "y": 1, "width": 5, "height": 5, "enabled": True}]
        regions(tasks)[:] = [region("videorectangle", "v", sequence=sequence, labels=["Car"], framesCount=9)]
        tasks.pop()

    with pytest.raises(InputError, match=r"project\.json: 1 of 1 regions are boxes without a mask; .* in videos none"):
        read(written(tmp_path, change))


def test_images_without_a_region(tmp_path: Path) -> None:
    path = written(tmp_path, lambda tasks: [one.update(annotations=[]) for one in tasks])
    with pytest.raises(InputError, match=r"project\.json: 3 has no size; give --size"):
        read(path)
    assert read(path, assumed=Assumed(size=(4, 3))).tracks == ()


PLACE = r"project\.json: tasks\[0\]\."
REGION = PLACE + r"annotations\[0\]\.result\[0\]\."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.insert(0, 3), r"project\.json: tasks\[0\]: 3 is no object"),
        (lambda t: t[0].pop("annotations"), PLACE + "annotations: missing"),
        (lambda t: t[0].update(data={"image": 3}), PLACE + r"data: {'image': 3} names no file"),
        (lambda t: regions(t)[0].pop("type"), REGION + "type: missing"),
        (lambda t: regions(t)[0].update(id=[0]), REGION + r"id: \[0\] is no whole number"),
        (lambda t: regions(t)[0]["value"].update(brushlabels=[]), REGION + "value: has no label"),
        (lambda t: regions(t)[0].update(original_width="4"), REGION + "original_width: '4' is no whole number"),
        (lambda t: regions(t)[1].update(original_width=5), r"result\[1\]\.original_width: .*\(5, 3\), .* \(4, 3\)"),
        (lambda t: regions(t)[0].update(image_rotation=90), REGION + "image_rotation: 90 degrees: only upright"),
        (lambda t: regions(t)[0]["value"].pop("rle"), REGION + r"value\.rle: missing"),
        (lambda t: regions(t)[0]["value"].update(rle=[0, 256]), REGION + r"value\.rle: \[0, 256\] are no bytes"),
        (lambda t: regions(t)[0]["value"].update(rle=BRUSH[:9]), REGION + r"value\.rle: .* end after 9 bytes"),
        (
            lambda t: regions(t)[0]["value"].update(rle=[0, 0, 0, 44, *BRUSH[4:]]),
            r"rle: holds 44 values, not 4 x 3",
        ),
        (lambda t: regions(t)[0]["value"].update(rle=[*BRUSH[:4], 49, *BRUSH[5:]]), r"rle: has values of 7 bits"),
        (lambda t: regions(t)[1]["value"].update(points=[[1]]), r"result\[1\]\.value\.points: \[1\] is no pair"),
        (lambda t: regions(t)[1]["value"].update(points=[[1, 1]]), r"value\.points: a polygon must be a flat list"),
    ],
)
def test_damaged(tmp_path: Path, change: Callable[[list[Any]], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(written(tmp_path, change), "label-studio")
