"""Folders of YouTube-VOS, MOSE and LVOS: classes, names of frames, frames without a mask, and damaged variants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chronomask.errors import InputError
from chronomask.formats.convert import read
from chronomask.formats.davis import palette

OBJECTS = {"1": {"category": "penguin", "frames": ["00000", "00005"]}, "3": {"category": "dog", "frames": ["00005"]}}


def data_set(root: Path, meta: Any = None, name: str = "meta.json", images: bool = True) -> Path:
    """Two videos of seven frames, of which the first and the sixth are annotated."""
    for video in ("ab12", "cd34"):
        masks, pictures = root / "Annotations" / video, root / "JPEGImages" / video
        masks.mkdir(parents=True)
        for frame in (0, 5):
            labels = np.zeros((4, 6), np.uint8)
            labels[:2, :2] = 1
            labels[3, 3:] = 3 if frame else 0
            image = Image.fromarray(labels)
            image.putpalette(palette().tobytes())
            image.save(masks / f"{frame:05d}.png")
        pictures.mkdir(parents=True)
        for frame in range(7 if images else 0):
            (pictures / f"{frame:05d}.jpg").touch()
    if meta is not None:
        (root / name).write_text(json.dumps(meta))
    return root


def of_both(objects: Any) -> dict[str, Any]:
    return {"videos": {"ab12": {"objects": objects}, "cd34": {"objects": OBJECTS}}}


def test_youtube_vos(tmp_path: Path) -> None:
    root = data_set(tmp_path, of_both(OBJECTS))
    file = read(root)
    assert file == read(root / "Annotations", "davis")
    assert [(video.name, video.length) for video in file.videos] == [("ab12", 2), ("cd34", 2)]
    assert file.videos[0].file_names == ("ab12/00000.jpg", "ab12/00005.jpg")
    names = {category.id: category.name for category in file.categories}
    assert [(names[track.category_id], track.video_id) for track in file.tracks] == [
        ("penguin", 1),
        ("dog", 1),
        ("penguin", 2),
        ("dog", 2),
    ]
    assert [mask is not None for mask in file.tracks[1].segmentations] == [False, True]
    assert file.notes == (
        "4 of 14 frames are annotated: the others are left out, as no frames at all",
        "track ids repeat from video to video: 4 tracks counted from 1",
    )


def test_lvos_names_no_classes(tmp_path: Path) -> None:
    seen = {"frame_range": {"start": "00000", "end": "00005", "frame_nums": 2}}
    meta = {"videos": {video: {"objects": {"1": seen, "3": seen}} for video in ("ab12", "cd34")}}
    file = read(data_set(tmp_path, meta, "train_meta.json"))
    assert [category.name for category in file.categories] == ["object"]


def test_mose_has_no_json(tmp_path: Path) -> None:
    root = data_set(tmp_path, images=False)
    file = read(root)
    assert ([category.name for category in file.categories], file.videos[0].file_names) == (["object"], None)
    assert file.notes == ("track ids repeat from video to video: 4 tracks counted from 1",)
    assert [video.name for video in read(root / "Annotations/cd34").videos] == ["cd34"]


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({}, "videos: missing"),
        ({"videos": []}, r"videos: \[\] is no object"),
        ({"videos": {"ab12": 3}}, "videos.ab12: 3 is no object"),
        ({"videos": {"ab12": {}}}, "videos.ab12.objects: missing"),
        (of_both({"1": "dog"}), "videos.ab12.objects.1: 'dog' is no object"),
        (of_both({**OBJECTS, "a": {}}), "videos.ab12.objects: 'a' is no whole number"),
        (of_both({**OBJECTS, "3": {}}), "videos.ab12.objects.3.category: missing"),
        (of_both({**OBJECTS, "3": {"category": 7}}), "videos.ab12.objects.3.category: 7 is no text"),
        (of_both({"1": OBJECTS["1"]}), r"videos\.ab12\.objects: has no 3, which .*ab12 shows"),
        ({"videos": {"cd34": {"objects": OBJECTS}}}, r"videos: has no 'ab12', which .*ab12 is of"),
    ],
)
def test_damaged(tmp_path: Path, meta: Any, message: str) -> None:
    with pytest.raises(InputError, match=rf"meta\.json: {message}"):
        read(data_set(tmp_path, meta))
