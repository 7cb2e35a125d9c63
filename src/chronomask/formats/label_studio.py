"""Label Studio json: a list of tasks, one an image; brushed masks and polygons are joined to tracks.

Definition: labelstud.io/guide/task_format, labelstud.io/tags/brushlabels and bitmasklabels, and converter/brush.py of
github.com/HumanSignal/label-studio-sdk (2.0.19). A brush is RGBA in run lengths of @thi.ng/rle-pack (`brush_pixels`), a
bitmask a PNG with alpha, a polygon is in percent of the image. Videos carry rectangles alone, which are no masks and
refused. Nothing numbers an object from image to image: they are joined by label and overlap.

Legend: H W pixels.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from chronomask import rle
from chronomask.annotations.content import read_json
from chronomask.annotations.problems import Problems, shown
from chronomask.annotations.records import TracksFile
from chronomask.annotations.row import Row, is_whole
from chronomask.errors import InputError, counted
from chronomask.files import natural, portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected
from chronomask.formats.file_format import FileFormat
from chronomask.formats.label_maps import pixels_in
from chronomask.rle import Rle

CAPABILITIES = Capabilities(
    title="Label Studio json (read only)",
    several_videos="in the file",
    overlaps=True,
    classes="names",
    file_names="needed",
)


class _Region(NamedTuple):
    """A brush, bitmask or polygon, and the name of its class."""

    row: Row
    kind: str
    label: str


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read an export ("JSON"). Images of one folder are a video; of a task with several annotations the first counts.

    Raises:
        InputError: naming file, task, region, field and value; rectangles in one sentence.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise InputError(f"{path}: a list of tasks is needed, this is {shown(content)}")
    found = Collected(path, assumed, "region", "a number")
    groups: dict[str, list[tuple[str, list[_Region]]]] = {}
    others = 0
    for task in Row({"tasks": content}, "", Problems(str(path))).rows("tasks"):
        name = PurePosixPath(_image(task))
        annotations = [row for row in task.rows("annotations") if not row.flag("was_cancelled")]
        others += len(annotations[1:])
        regions = _regions(annotations[0], found) if annotations else []
        groups.setdefault(name.parent.name or path.stem, []).append((name.name, regions))
    if found.boxes:
        held = f"{found.boxes} of {found.shapes} regions are boxes without a mask"
        raise InputError(
            f"{path}: {held}; Label Studio has masks as brushes, bitmasks and polygons of images, in videos none"
        )
    if not groups:
        raise InputError(f"{path}: holds no task")
    for folder in sorted(groups, key=natural):
        frames = sorted(groups[folder], key=lambda frame: natural(frame[0]))
        rows = [region.row for _, regions in frames for region in regions]
        sizes = ((row, row.size("original_width", "original_height")) for row in rows)
        size = found.size_of(folder, sizes, "original_width")
        video = found.add_video(folder, size, len(frames), (name for name, _ in frames))
        for frame, (_, regions) in enumerate(frames):
            for row, kind, label in regions:
                found.add_mask(row, video, frame, None, label, _mask(row, kind, *size))
    if others:
        found.notes.append(f"{counted(others, 'annotation')} left out: of a task with several the first counts")
    return found.file()


def _image(task: Row) -> str:
    """The path of the image or video; uploads have eight digits before their name, which are new for every file."""
    data = task.fields.get("data")
    texts = [value for value in data.values() if isinstance(value, str)] if isinstance(data, dict) else []
    paths = [re.sub(r"^.*\?d=|\?.*$", "", portable(text)) for text in texts]
    named = next((path for path in paths if PurePosixPath(path).suffix), None)
    if named is None:
        task.fault("data", f"{shown(data)} names no file")
        return "?"
    path = PurePosixPath(named)
    return str(path.with_name(re.sub(r"^[0-9a-f]{8}-(?=.)", "", path.name)))


def _regions(annotation: Row, found: Collected) -> list[_Region]:
    """The regions of an image that are masks or polygons."""
    rows = list(annotation.rows("result"))
    labels = {_id(row): label for row in rows if (label := _label(row)) is not None}
    regions: list[_Region] = []
    for row in rows:
        kind = row.text("type").removesuffix("labels")
        found.shapes += kind != ""  # of the entries of labels alone nothing is left
        if kind in ("rectangle", "ellipse", "videorectangle"):
            found.boxes += 1
        elif kind in ("brush", "bitmask", "polygon"):
            if (label := labels.get(_id(row))) is None:
                row.fault("value", "has no label")
            regions.append(_Region(row, kind, label or "?"))
        elif kind:
            found.without_area += 1
    return regions


def _id(row: Row) -> str:
    """The id of a region; empty where it has none."""
    return row.identity("id") if "id" in row else ""


def _label(row: Row) -> str | None:
    """The label of a region, which may stand in an entry of its own with the same id."""
    value = row.fields.get("value")
    for key in ("brushlabels", "bitmasklabels", "polygonlabels", "labels"):
        names = value.get(key) if isinstance(value, dict) else None
        if isinstance(names, list) and names and isinstance(names[0], str):
            return names[0]
    return None


def _mask(row: Row, kind: str, width: int, height: int) -> Rle:
    if "image_rotation" in row and row.number("image_rotation"):
        row.fault("image_rotation", f"{row.fields['image_rotation']} degrees: only upright images are read")
    value = row.inner("value")
    if kind == "polygon":
        corners = [(x * width / 100, y * height / 100) for x, y in value.points("points")]
        return value.mask("points", [[side for corner in corners for side in corner]], width, height)
    if kind == "bitmask":
        seen = pixels_in(value, "imageDataURL", "RGBA")[..., 3] > 0
        if seen.shape != (height, width):
            value.fault("imageDataURL", f"is {seen.shape[1]}x{seen.shape[0]}, its image {width}x{height}")
        return rle.encode(np.ascontiguousarray(seen))
    numbers = value.listed("rle")
    if not all(is_whole(number) and 0 <= number < 256 for number in numbers):
        value.fault("rle", f"{shown(numbers)} are no bytes")
    try:
        return rle.encode(brush_pixels(np.array(numbers, np.uint8), height, width))
    except InputError as error:
        value.fault("rle", str(error))
        raise


def brush_pixels(data: UInt8[np.ndarray, " _"], height: int, width: int) -> Bool[np.ndarray, "H W"]:
    """Where the alpha of a brush is above 0.

    A stream of bits: the number of values (32 bits), bits a value - 1 (5), four sizes - 1 (4 each). Then, over and
    over, whether a run follows (1), which of the sizes its length has (2), the length - 1, and either the one value of
    the run or as many values. Values are red, green, blue and alpha, row by row.

    Raises:
        InputError: it ends too early, or holds another number of values.
    """
    bits = np.unpackbits(data)
    text = "".join(map(str, bits.tolist()))
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        if at > len(text):
            raise InputError(f"run lengths end after {len(data)} bytes, before the image is full")
        return int(text[at - count : at], 2)

    total, depth = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    if total != 4 * height * width:
        raise InputError(f"holds {total} values, not 4 x {height} x {width} = {4 * height * width}")
    if depth != 8:
        raise InputError(f"has values of {depth} bits, not of 8")
    values, place = np.zeros(total, np.uint8), 0
    while place < total:
        is_run, length = take(1), take(sizes[take(2)]) + 1
        if place + length > total:
            raise InputError(f"holds more than the {total} values that it says")
        if is_run:
            values[place : place + length] = take(8)
        else:
            start = at
            take(8 * length)
            values[place : place + length] = np.packbits(bits[start:at])
        place += length
    return values.reshape(height, width, 4)[:, :, 3] > 0


FORMAT = FileFormat(
    "label-studio",
    CAPABILITIES,
    read,
    is_json=lambda json: json.listed and {"annotations", "data"} <= json.keys,
)
