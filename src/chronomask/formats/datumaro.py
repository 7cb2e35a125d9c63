"""Datumaro json: items with annotations; masks and polygons with a track id (or none) become tracks.

Definition: docs/source/docs/data-formats/formats/datumaro.md and plugins/data_formats/datumaro of
github.com/open-edge-platform/datumaro (1.13.12), which CVAT exports too. An item is a frame, numbered by `frame` of its
`attr`, `frame_index` of its video, or its id. A track is known by `track_id` among the attributes of an annotation, or
by `object_id`; `group` ties parts together inside one frame. What has no such id is joined from frame to frame.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from chronomask.annotations.content import json_keys, read_row
from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.files import natural, portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected, Size
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import file_or_files_of, files_of

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


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a file, or a folder whose `annotations` hold one a subset. Items of a folder, or of a subset, are a video.

    Raises:
        InputError: naming file, item, annotation, field and value; boxes without masks in one sentence.
    """
    found = Collected(path, assumed, "annotation", "track_id or object_id", "label_id")
    inside = path / "annotations"
    for file in file_or_files_of(inside if inside.is_dir() else path, ".json"):
        _read_file(file, found)
    return found.file()


def _read_file(file: Path, found: Collected) -> None:
    root = read_row(file)
    label = root.inner("categories").inner("label") if "categories" in root else root
    labels = [row.text("name") for row in label.rows("labels", needed=False)]
    found.names += labels
    groups: dict[str, list[Row]] = {}
    for item in root.rows("items"):
        groups.setdefault(_video_name(item) or file.stem, []).append(item)
    if not groups:
        root.fault("items", "is empty")
    for name in sorted(groups, key=natural):
        items = sorted(groups[name], key=lambda item: (_frame(item), natural(item.text("id"))))
        size = found.size_of(name, ((item, _size(item)) for item in items), "image.size")
        video = found.add_video(name, size, len(items), map(_file_name, items))
        for frame, item in enumerate(items):
            _read_item(item, video, frame, labels, found)


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


def _size(item: Row) -> Size | None:
    """Width and height, as the image states them or else the first mask."""
    image = item.inner("image")
    if "size" in image:
        return image.sides("size")
    masks = (row.inner("rle") for row in item.rows("annotations", needed=False) if "rle" in row)
    return next((mask.sides("size") for mask in masks), None)


def _file_name(item: Row) -> str:
    image = item.inner("image")
    return portable(image.text("path")) if image.fields.get("path") not in (None, "") else f"{item.text('id')}.jpg"


def _read_item(item: Row, video: VideoEntry, frame: int, labels: list[str], found: Collected) -> None:
    boxes: list[set[tuple[str, int]]] = []
    drawn: set[tuple[str, int]] = set()
    for row in item.rows("annotations", needed=False):
        found.shapes += 1
        kind, attributes = row.text("type"), row.inner("attributes")
        number, group = _number(row, attributes), row.whole("group") if "group" in row else 0
        known = {("track", number)} if number is not None else set()
        known |= {("group", group)} if group else set()
        if attributes.flag("outside"):  # what CVAT ends a track with: it is out of sight
            continue
        if kind == "bbox":
            boxes.append(known)
        elif kind not in ("mask", "polygon"):
            found.without_area += 1
        else:
            drawn |= known
            key, value = ("rle", row.inner("rle").fields) if kind == "mask" else ("points", [row.listed("points")])
            mask = row.mask(key, value, video.width, video.height)
            crowd = attributes.flag("is_crowd")
            found.add_mask(
                row, video, frame, number, _label(row, labels), mask, part_of=group, united=True, crowd=crowd
            )
    # A box that goes with a mask says nothing new.
    found.boxes += sum(not known & drawn for known in boxes)


def _number(row: Row, attributes: Row) -> int | None:
    if "track_id" in attributes:
        return attributes.whole("track_id", 0)
    number = row.whole("object_id") if "object_id" in row else -1
    return number if number >= 0 else None


def _label(row: Row, labels: list[str]) -> str:
    number = row.whole("label_id", 0) if "label_id" in row else None
    if number is None:
        return "object"
    if number >= len(labels):
        row.fault("label_id", f"{number} is none of the {len(labels)} labels")
    return labels[number]


def _is_folder(path: Path) -> bool:
    """Whether the first json of its `annotations` is such a file."""
    files = files_of(path / "annotations", ".json") if (path / "annotations").is_dir() else []
    return bool(files) and {"categories", "items"} <= json_keys(files[0]).keys


FORMAT = FileFormat(
    "datumaro",
    CAPABILITIES,
    read,
    is_json=lambda json: {"categories", "items"} <= json.keys,
    is_folder=_is_folder,
)
