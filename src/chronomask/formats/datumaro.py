"""Datumaro json: items with annotations; masks and polygons with a track id (or none) become tracks.

Definition: docs/source/docs/data-formats/formats/datumaro.md and plugins/data_formats/datumaro of
github.com/open-edge-platform/datumaro (1.13.12), which CVAT exports too. An item is a frame, numbered by `frame` of its
`attr`, `frame_index` of its video, or its id. A track is known by `track_id` among the attributes of an annotation, or
by `object_id`; `group` ties parts together inside one frame. What has no such id is joined from frame to frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from chronomask import rle
from chronomask.annotations.content import json_keys, read_row
from chronomask.annotations.records import Track, TracksFile, VideoEntry, united
from chronomask.annotations.row import Row
from chronomask.categories import Category
from chronomask.errors import InputError
from chronomask.files import natural, portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.conversion_losses import counted, numbering_notes
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import file_or_files_of, files_of
from chronomask.formats.joining import joined
from chronomask.formats.numbering import named_categories, numbered
from chronomask.rle import Rle

CAPABILITIES = Capabilities(
    title="Datumaro json (read only)",
    several_videos="in the file",
    overlaps=True,
    empty_masks=True,
    classes="names",
    unused_classes=True,
    crowds="yes",
    file_names="needed",
)

_BOX = "bbox"
_AREAS = ("mask", "polygon")


@dataclass
class _Part:
    """What one object has in a frame."""

    category: str
    masks: list[Rle]
    crowd: bool


@dataclass
class _Reading:
    """What is collected of all files.

    Attributes:
        boxes, shapes: boxes that stand for no mask, and all annotations.
        without_area: points, lines, captions and the like.
        joined: shapes without the id of a track.
    """

    assumed: Assumed
    videos: list[VideoEntry] = field(default_factory=list)
    tracks: list[tuple[str, Track]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    boxes: int = 0
    shapes: int = 0
    without_area: int = 0
    joined: int = 0


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a file, or a folder whose `annotations` hold one a subset. Items of a folder, or of a subset, are a video.

    Raises:
        InputError: naming file, item, annotation, field and value; boxes without masks in one sentence.
    """
    found = _Reading(assumed)
    inside = path / "annotations"
    for file in file_or_files_of(inside if inside.is_dir() else path, ".json"):
        _read_file(file, found)
    if found.boxes:
        held = f"{found.boxes} of {found.shapes} annotations are boxes without a mask or polygon"
        raise InputError(f"{path}: items: {held}")
    categories = named_categories(found.names)
    return _file(found, categories)


def _file(found: _Reading, categories: tuple[Category, ...]) -> TracksFile:
    ids = {category.name: category.id for category in categories}
    tracks = [Track(t.id, t.video_id, ids[name], 1.0, t.segmentations, t.crowd) for name, t in found.tracks]
    notes = []
    if found.without_area:
        notes.append(f"{counted(found.without_area, 'annotation')} that are no mask and no polygon left out")
    if found.joined:
        shapes = counted(found.joined, "shape")
        notes.append(f"{shapes} without track_id or object_id joined by label and overlap")
    return TracksFile(numbered(tracks), tuple(found.videos), categories, notes=(*notes, *numbering_notes(tracks)))


def _read_file(file: Path, found: _Reading) -> None:
    root = read_row(file)
    label = root.inner("categories").inner("label") if "categories" in root else root
    names = [row.text("name") for row in label.rows("labels")] if "labels" in label else []
    found.names += names
    groups: dict[str, list[Row]] = {}
    for item in root.rows("items"):
        groups.setdefault(_video_name(item) or file.stem, []).append(item)
    if not groups:
        root.fault("items", "is empty")
    for name in sorted(groups, key=natural):
        items = sorted(groups[name], key=lambda item: (_frame(item), natural(item.text("id"))))
        video = _video(len(found.videos) + 1, name, items, found.assumed)
        found.videos.append(video)
        _add_tracks(video, [_parts(item, video, names, found) for item in items], found)


def _video_name(item: Row) -> str:
    """The video that an item is a frame of, or the folder of its id; empty where neither is there."""
    frame = item.inner("video_frame")
    if "video_path" in frame:
        return PurePosixPath(portable(frame.text("video_path"))).stem
    folder = str(PurePosixPath(item.text("id")).parent)
    return "" if folder == "." else folder


def _frame(item: Row) -> int:
    for key, field_name in (("attr", "frame"), ("video_frame", "frame_index")):
        inner = item.inner(key)
        if field_name in inner:
            return inner.whole(field_name, 0)
    return 0


def _video(number: int, name: str, items: list[Row], assumed: Assumed) -> VideoEntry:
    sizes = [size for item in items if (size := _size(item)) is not None]
    size = sizes[0] if sizes else assumed.size_of(number)
    if size is None:
        raise InputError(f"{items[0].problems.file}: {name} has no size; give --size WIDTHxHEIGHT, or --video")
    if other := next((one for one in sizes if one != size), None):
        items[0].fault("image.size", f"width and height are {size}, of another item of {name} {other}")
    return VideoEntry(number, name, *size, len(items), None, tuple(_file_name(item) for item in items))


def _size(item: Row) -> tuple[int, int] | None:
    """Width and height, of the image or of a mask."""
    image = item.inner("image")
    if "size" in image:
        return image.sides("size")
    for row in item.rows("annotations") if "annotations" in item else ():
        if "rle" in row:
            return row.inner("rle").sides("size")
    return None


def _file_name(item: Row) -> str:
    image = item.inner("image")
    return portable(image.text("path")) if image.fields.get("path") not in (None, "") else f"{item.text('id')}.jpg"


def _parts(item: Row, video: VideoEntry, names: list[str], found: _Reading) -> dict[int | str, _Part]:
    """The objects of a frame: by id of the track, or a text where there is none."""
    parts: dict[int | str, _Part] = {}
    boxes: list[Row] = []
    groups: set[int] = set()
    for row in item.rows("annotations") if "annotations" in item else ():
        found.shapes += 1
        key, kind = _key(row), row.text("type")
        if row.inner("attributes").flag("outside"):  # what CVAT ends a track with: it is out of sight
            continue
        if kind == _BOX:
            boxes.append(row)
        elif kind not in _AREAS:
            found.without_area += 1
        else:
            groups.add(_group(row))
            mask = _mask(row, kind, video)
            number = row.whole("label_id", 0) if "label_id" in row else None
            if number is not None and number >= len(names):
                row.fault("label_id", f"{number} is none of the {len(names)} labels")
            category = "object" if number is None else names[number]
            part = parts.setdefault(key, _Part(category, [], False))
            if part.category != category:
                row.fault("label_id", f"is {category!r}, of the same object before {part.category!r}")
            part.masks.append(mask)
            part.crowd |= row.inner("attributes").flag("is_crowd")
    # A box that goes with a mask says nothing new.
    found.boxes += sum(_key(row) not in parts and _group(row) not in groups - {0} for row in boxes)
    return parts


def _key(row: Row) -> int | str:
    attributes = row.inner("attributes")
    if "track_id" in attributes:
        return attributes.whole("track_id", 0)
    if "object_id" in row and row.whole("object_id") >= 0:
        return row.whole("object_id")
    group = _group(row)
    return f"group {group}" if group else row.place


def _group(row: Row) -> int:
    return row.whole("group") if "group" in row else 0


def _mask(row: Row, kind: str, video: VideoEntry) -> Rle:
    key = "rle" if kind == "mask" else "points"
    value = row.inner("rle").fields if kind == "mask" else [row.listed("points")]
    try:
        return rle.from_annotation(value, video.height, video.width)
    except InputError as error:
        row.fault(key, str(error))
        raise


def _add_tracks(video: VideoEntry, frames: list[dict[int | str, _Part]], found: _Reading) -> None:
    rows: dict[int | str, list[_Part | None]] = {}
    loose = [[(key, part) for key, part in parts.items() if isinstance(key, str)] for parts in frames]
    numbers = joined([[(part.category, _whole(part)) for _, part in shapes] for shapes in loose])
    for frame, parts in enumerate(frames):
        found.joined += len(loose[frame])
        names = {key: f"joined {number}" for (key, _), number in zip(loose[frame], numbers[frame], strict=True)}
        for key, part in parts.items():
            name = names[key] if isinstance(key, str) else key
            rows.setdefault(name, [None] * video.length)[frame] = part
    first = max([0, *(key for key in rows if isinstance(key, int))]) + 1
    for number, (key, row) in enumerate(rows.items(), first):
        seen = [part for part in row if part is not None]
        if len({part.category for part in seen}) > 1:
            names = sorted({part.category for part in seen})
            raise InputError(f"{video.name}: track {key} is of several labels: {', '.join(names)}")
        masks = tuple(None if part is None else _whole(part) for part in row)
        track = Track(key if isinstance(key, int) else number, video.id, 0, 1.0, masks, any(p.crowd for p in seen))
        found.tracks.append((seen[0].category, track))


def _whole(part: _Part) -> Rle:
    mask = united(part.masks)
    assert mask is not None, "a part has a mask"
    return mask


def _is_folder(path: Path) -> bool:
    """Whether the first json of its `annotations` is such a file."""
    folder = path / "annotations"
    files: Iterator[Path] = iter(files_of(folder, ".json")) if folder.is_dir() else iter(())
    return (file := next(files, None)) is not None and {"categories", "items"} <= json_keys(file).keys


FORMAT = FileFormat(
    "datumaro",
    CAPABILITIES,
    read,
    is_json=lambda json: {"categories", "items"} <= json.keys,
    is_folder=_is_folder,
)
