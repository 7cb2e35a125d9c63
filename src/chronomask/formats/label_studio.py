"""Label Studio json: a list of tasks, one an image; brushed masks and polygons are joined to tracks.

Definition: labelstud.io/guide/task_format, labelstud.io/tags/brushlabels and converter/brush.py of
github.com/HumanSignal/label-studio-sdk (2.0.19). A brush is RGBA in run lengths of @thi.ng/rle-pack (`brush_pixels`), a
polygon is in percent of the image. Videos carry rectangles alone, which are no masks and refused. Nothing numbers an
object from image to image: they are joined by label and overlap.

Legend: H W pixels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Bool, UInt8

from chronomask import rle
from chronomask.annotations.content import read_json
from chronomask.annotations.problems import Problems, shown
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row, is_number, is_whole
from chronomask.errors import InputError
from chronomask.files import natural, portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.conversion_losses import counted
from chronomask.formats.file_format import FileFormat
from chronomask.formats.joining import Shape, joined
from chronomask.formats.numbering import named_categories, numbered
from chronomask.rle import Rle

CAPABILITIES = Capabilities(
    title="Label Studio json (read only)",
    several_videos="in the file",
    overlaps=True,
    classes="names",
    file_names="needed",
)


@dataclass
class _Reading:
    """What is collected of the tasks.

    Attributes:
        boxes: regions that are rectangles, ellipses or rectangles of a video.
        regions: all regions.
        without_area: key points, relations, choices and the like.
        others: annotations of further people, which are left out.
    """

    boxes: int = 0
    regions: int = 0
    without_area: int = 0
    others: int = 0
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read an export ("JSON"). Images of one folder are a video; of a task with several annotations the first counts.

    Raises:
        InputError: naming file, task, region, field and value; rectangles in one sentence.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise InputError(f"{path}: a list of tasks is needed, this is {shown(content)}")
    root = Row({"tasks": content}, "", Problems(str(path)))
    found = _Reading()
    groups: dict[str, list[tuple[str, list[Shape]]]] = {}
    for task in root.rows("tasks"):
        name = PurePosixPath(_image(task))
        folder = name.parent.name or path.stem
        groups.setdefault(folder, []).append((name.name, _shapes(task, folder, found)))
    if found.boxes:
        held = f"{found.boxes} of {found.regions} regions are boxes without a mask"
        raise InputError(f"{path}: {held}; Label Studio has masks as brushes and polygons of images, in videos none")
    if not groups:
        raise InputError(f"{path}: holds no task")
    videos: list[VideoEntry] = []
    tracks: list[tuple[str, Track]] = []
    for folder in sorted(groups, key=natural):
        frames = sorted(groups[folder], key=lambda frame: natural(frame[0]))
        size = found.sizes.get(folder) or assumed.size_of(len(videos) + 1)
        if size is None:
            raise InputError(f"{path}: no image of {folder} has a region; give --size WIDTHxHEIGHT, or --video")
        videos.append(VideoEntry(len(videos) + 1, folder, *size, len(frames), None, tuple(name for name, _ in frames)))
        tracks += _tracks(videos[-1], [shapes for _, shapes in frames])
    return _file(videos, tracks, found)


def _file(videos: list[VideoEntry], tracks: list[tuple[str, Track]], found: _Reading) -> TracksFile:
    categories = named_categories(label for label, _ in tracks)
    ids = {category.name: category.id for category in categories}
    joined_tracks = [Track(n, t.video_id, ids[label], 1.0, t.segmentations) for n, (label, t) in enumerate(tracks, 1)]
    notes = [f"{counted(len(tracks), 'track')} made of shapes joined by label and overlap"] if tracks else []
    if found.others:
        notes.append(f"{counted(found.others, 'annotation')} left out: of a task with several the first counts")
    if found.without_area:
        notes.append(f"{counted(found.without_area, 'region')} without an area left out")
    return TracksFile(numbered(joined_tracks), tuple(videos), categories, notes=tuple(notes))


def _tracks(video: VideoEntry, frames: list[list[Shape]]) -> list[tuple[str, Track]]:
    rows: dict[int, tuple[str, list[Rle | None]]] = {}
    for frame, (shapes, numbers) in enumerate(zip(frames, joined(frames), strict=True)):
        for (label, mask), number in zip(shapes, numbers, strict=True):
            rows.setdefault(number, (label, [None] * video.length))[1][frame] = mask
    return [(label, Track(0, video.id, 0, 1.0, tuple(masks))) for label, masks in rows.values()]


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


def _shapes(task: Row, folder: str, found: _Reading) -> list[Shape]:
    """Labels and masks of a task."""
    annotations = [row for row in task.rows("annotations") if not row.flag("was_cancelled")]
    found.others += max(0, len(annotations) - 1)
    regions = list(annotations[0].rows("result")) if annotations else []
    labels = {_id(row): label for row in regions if (label := _label(row)) is not None}
    shapes: list[Shape] = []
    for row in regions:
        kind = row.text("type").removesuffix("labels")
        if kind in ("rectangle", "ellipse", "videorectangle"):
            found.boxes += 1
            found.regions += 1
        elif kind in ("brush", "polygon"):
            found.regions += 1
            label = labels.get(_id(row))
            if label is None:
                row.fault("value", "has no label")
            shapes.append((label or "?", _mask(row, kind, folder, found)))
        elif kind:  # of the entries of labels alone nothing is left
            found.without_area += 1
    return shapes


def _id(row: Row) -> str:
    """Of a region; empty where it has none."""
    return row.identity("id") if "id" in row else ""


def _label(row: Row) -> str | None:
    """The label of a region, which may stand in an entry of its own with the same id."""
    value = row.fields.get("value")
    for key in ("brushlabels", "polygonlabels", "labels"):
        names = value.get(key) if isinstance(value, dict) else None
        if isinstance(names, list) and names and isinstance(names[0], str):
            return names[0]
    return None


def _mask(row: Row, kind: str, folder: str, found: _Reading) -> Rle:
    size = row.size("original_width", "original_height")
    if found.sizes.setdefault(folder, size) != size:
        row.fault("original_width", f"width and height are {size}, of an earlier image {found.sizes[folder]}")
    if "image_rotation" in row and row.number("image_rotation"):
        row.fault("image_rotation", f"{row.fields['image_rotation']} degrees: only upright images are read")
    value = row.inner("value")
    try:
        if kind == "brush":
            numbers = value.listed("rle")
            if not all(is_whole(number) and 0 <= number < 256 for number in numbers):
                value.fault("rle", f"{shown(numbers)} are no bytes")
            return rle.encode(brush_pixels(np.array(numbers, np.uint8), size[1], size[0]))
        corners = []
        for point in value.listed("points"):
            if not (isinstance(point, list) and len(point) == 2 and all(map(is_number, point))):
                value.fault("points", f"{shown(point)} is no pair [x, y]")
            corners += [point[0] * size[0] / 100, point[1] * size[1] / 100]
        return rle.from_annotation([corners], size[1], size[0])
    except InputError as error:
        if str(error).startswith(row.problems.file):
            raise
        value.fault("rle" if kind == "brush" else "points", str(error))
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
