"""Variants of annotation files, and what each command makes of them: the same. The table stands in docs/formats.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.data.info import dataset_info
from chronomask.data.sources import open_training_sources
from chronomask.errors import InputError
from chronomask.evaluation.ap import evaluate
from chronomask.evaluation.validate import validate
from chronomask.formats.convert import read
from chronomask.formats.ytvis import read_head

HEIGHT, WIDTH = 8, 9
DOCS = Path(__file__).parents[2] / "docs" / "formats.md"


def truth() -> dict[str, Any]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[2:5, 2:5] = True
    found = dict(rle.encode(mask))
    names = ["deer/0.jpg", "deer/1.jpg"]
    annotation = {
        "id": 1,
        "video_id": 4,
        "category_id": 17,
        "iscrowd": 0,
        "segmentations": [found, None],
        "areas": [9, None],
    }
    return {
        "videos": [{"id": 4, "width": WIDTH, "height": HEIGHT, "length": 2, "file_names": names}],
        "categories": [{"id": 17, "name": "cat"}],
        "annotations": [annotation],
    }


def train(path: Path) -> None:
    ((reader, _),) = open_training_sources([str(path)], None)
    for index in range(len(reader)):
        reader.load(index, range(reader.length(index)))


def info(path: Path) -> None:
    if problems := dataset_info(path).problems:
        raise InputError(problems[0])


def checked(path: Path) -> None:
    if errors := validate(path).errors:
        raise InputError(f"{path}: {errors[0]}")


COMMANDS: dict[str, Callable[[Path], object]] = {
    "`train`": train,
    "`dataset info`": info,
    "`convert`": read,
    "`evaluate`": lambda path: evaluate(path, []),
    "`validate`": checked,
    "`predict`": read_head,
}
LOOK_AT_FRAMES = {"`train`", "`dataset info`", "`predict`"}

Change = Callable[[dict[str, Any]], object]
VARIANTS: dict[str, tuple[Change, str]] = {
    "as published": (lambda d: None, ""),
    "no `length`, but `file_names`": (lambda d: d["videos"][0].pop("length"), ""),
    "no `iscrowd`": (lambda d: d["annotations"][0].pop("iscrowd"), ""),
    "`iscrowd` null": (lambda d: d["annotations"][0].update(iscrowd=None), ""),
    "no `areas`": (lambda d: d["annotations"][0].pop("areas"), ""),
    "a category without a name": (lambda d: d["categories"][0].pop("name"), ""),
    "two categories of one name": (lambda d: d["categories"].append({"id": 18, "name": "cat"}), ""),
    "polygons": (lambda d: d["annotations"][0]["segmentations"].__setitem__(0, [[2, 2, 5, 2, 5, 5, 2, 5]]), ""),
    "plain run lengths": (
        lambda d: d["annotations"][0]["segmentations"].__setitem__(0, {"size": [HEIGHT, WIDTH], "counts": [8, 8, 56]}),
        "",
    ),
    "neither `length` nor `file_names`": (
        lambda d: [d["videos"][0].pop(key) for key in ("length", "file_names")],
        "videos[0].length: missing",
    ),
    "a file name too many": (
        lambda d: d["videos"][0]["file_names"].append("x.jpg"),
        "videos[0].file_names: 3 names for a video of 2 frames",
    ),
    "a size that is no whole number": (
        lambda d: d["videos"][0].update(width=9.0),
        "videos[0].width: 9.0 is no whole number from 1",
    ),
    "a length without end": (
        lambda d: d["videos"][0].update(length=10**12),
        "videos[0].length: 1000000000000 > 10000000",
    ),
    "`fps` that is no number": (lambda d: d["videos"][0].update(fps="25"), "videos[0].fps: '25' is no finite number"),
    "`videos` that is no list": (lambda d: d.update(videos=5), "videos: 5 is no list"),
    "one id for two videos": (
        lambda d: d["videos"].append(d["videos"][0]),
        "videos[1].id: 4 is the id of an earlier entry too",
    ),
    "an annotation that is no object": (lambda d: d["annotations"].append(7), "annotations[1]: 7 is no object"),
    "an annotation without an id": (lambda d: d["annotations"][0].pop("id"), "annotations[0].id: missing"),
    "an unknown video": (
        lambda d: d["annotations"][0].update(video_id=5),
        "annotations[0].video_id: 5 is no known video",
    ),
    "an unknown category": (
        lambda d: d["annotations"][0].update(category_id=5),
        "annotations[0].category_id: 5 is no known category",
    ),
    "`iscrowd` 2": (lambda d: d["annotations"][0].update(iscrowd=2), "annotations[0].iscrowd: 2 is neither 0 nor 1"),
    "an area that is no number": (
        lambda d: d["annotations"][0].update(areas=["9", None]),
        "annotations[0].areas[0]: '9' is no number of pixels",
    ),
    "a mask too many": (
        lambda d: d["annotations"][0]["segmentations"].append(None),
        "annotations[0].segmentations: 3 masks for a video of 2 frames",
    ),
    "a mask of another size": (
        lambda d: d["annotations"][0]["segmentations"][0].update(size=[WIDTH, HEIGHT]),
        "annotations[0].segmentations[0]: segmentation has size [9, 8], the image is [8, 9] ([height, width])",
    ),
    "a mask that is no code": (
        lambda d: d["annotations"][0]["segmentations"][0].update(counts="no rle"),
        "annotations[0].segmentations[0]: counts are no compressed run lengths: 'no rle'",
    ),
    "no `file_names`": (
        lambda d: d["videos"][0].pop("file_names"),
        "videos[0].file_names: missing, and with it where its frames are",
    ),
}


def expected(variant: str, command: str) -> str:
    """The sentence of a command, empty where it takes the file."""
    sentence = VARIANTS[variant][1]
    if variant == "no `file_names`":
        return sentence if command in LOOK_AT_FRAMES else ""
    return "" if command == "`predict`" and sentence.startswith("annotations[") else sentence


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_the_same(tmp_path: Path, variant: str, command: str) -> None:
    content = truth()
    VARIANTS[variant][0](content)
    (tmp_path / "deer").mkdir()
    for frame in range(2):
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "deer" / f"{frame}.jpg")
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    said = ""
    try:
        COMMANDS[command](path)
    except InputError as error:
        said = str(error).splitlines()[0].removeprefix(f"{path}: ")
    assert said == expected(variant, command)


def test_the_table_of_the_documentation() -> None:
    lines = ["| variant | " + " | ".join(COMMANDS) + " | sentence |", "|---" * (len(COMMANDS) + 2) + "|"]
    for variant, (_, sentence) in VARIANTS.items():
        cells = ["refused" if expected(variant, command) else "taken" for command in COMMANDS]
        lines.append(f"| {variant} | {' | '.join(cells)} | {f'`{sentence}`' if sentence else ''} |")
    assert "\n".join(lines) in DOCS.read_text(encoding="utf-8")
