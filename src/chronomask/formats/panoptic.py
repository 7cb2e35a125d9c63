"""Panoptic video: a json and PNGs whose colours R + 256 G + 65536 B are segments; things become tracks.

Two forms of the json are read. VIPSeg's lists `videos` with `images`, and for every video an annotation a frame
(create_panoptic_video_labels.py of github.com/VIPSeg-Dataset/VIPSeg-Dataset; Miao et al., CVPR 2022). COCO's has plain
lists of images and annotations (cocodataset.org/#format-data, "Panoptic Segmentation"), as Cityscapes-VPS and VIPER
have it (github.com/mcahny/vps; Kim et al., CVPR 2020). Either gives every frame a list `segments_info` of ids and
categories; 0 is void. An id names the same thing in all frames of a video.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from chronomask.annotations.content import read_row
from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.categories import Category
from chronomask.errors import InputError, counted, some_names
from chronomask.files import natural, portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected
from chronomask.formats.file_format import FileFormat
from chronomask.formats.label_maps import LabelledVideo, PixelKind, read_frames
from chronomask.video.pictures import opened

CAPABILITIES = Capabilities(
    title="VIPSeg and other panoptic PNG (read only)",
    several_videos="in the file",
    classes="ids and names",
    unused_classes=True,
    crowds="yes",
    file_names="needed",
)
PIXELS = PixelKind(("RGB", "RGBA"), "a PNG in colour")


@dataclass
class _Frame:
    """An image, and what is annotated there: nothing where `labels` is None."""

    image: Row
    name: str
    labels: Row | None = None


@dataclass
class _Lost:
    """What reading leaves out."""

    stuff: set[str] = field(default_factory=set)
    frames: int = 0
    unannotated: int = 0


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read the json; the PNGs lie in one of the folders beside it. Stuff is left out, which stands in `notes`.

    Frames that nobody annotated are listed as images alone: there every track is out of sight.

    Raises:
        InputError: naming file, entry, field and value, a PNG that is missing or no map of such colours, or one with
            a colour that is no segment of its frame.
    """
    root = read_row(path)
    categories = {row.whole("id"): (row, row.text("name")) for row in root.rows("categories")}
    names = {number: name for number, (_, name) in categories.items()}
    things = {number for number, (row, _) in categories.items() if "isthing" not in row or row.flag("isthing")}
    groups = _grouped(root)
    pictures = _pictures(path, groups)
    found = Collected(path, assumed, "segment", category_field="category_id")
    lost = _Lost()
    for name in sorted(groups, key=natural):
        frames = groups[name]
        size = found.size_of(name, ((frame.image, frame.image.size()) for frame in frames), "width")
        video = found.add_video(name, size, len(frames), (frame.name for frame in frames))
        _read_segments(video, frames, _maps(video, frames, pictures), names, things, found, lost)
    if lost.stuff:
        found.notes.append(f"{counted(len(lost.stuff), 'class')} of stuff left out: {some_names(sorted(lost.stuff))}")
    if lost.unannotated:
        frames = counted(lost.frames, "frame")
        found.notes.append(f"{lost.unannotated} of {frames} are not annotated: no track is seen there")
    return found.file([Category(number, names[number]) for number in sorted(things)])


def _grouped(root: Row) -> dict[str, list[_Frame]]:
    """The frames of every video, in the order of their names."""
    nested = "videos" in root and any("images" in video for video in root.rows("videos"))
    groups = _nested(root) if nested else _flat(root)
    if not groups:
        root.fault("videos" if nested else "images", "holds no image")
    return {name: sorted(frames, key=lambda frame: natural(frame.name)) for name, frames in groups.items()}


def _nested(root: Row) -> dict[str, list[_Frame]]:
    groups: dict[str, list[_Frame]] = {}
    for video in root.rows("videos"):
        name = video.identity("video_id")
        groups[name] = [_Frame(row, f"{name}/{_jpg(row.text('file_name'))}") for row in video.rows("images")]
    for entry in root.rows("annotations"):
        name = entry.identity("video_id")
        if name not in groups:
            entry.fault("video_id", f"{name!r} is no known video")
        _join(groups[name], entry.rows("annotations"))
    return {name: frames for name, frames in groups.items() if frames}


def _flat(root: Row) -> dict[str, list[_Frame]]:
    frames = [_Frame(row, portable(row.text("file_name"))) for row in root.rows("images")]
    _join(frames, root.rows("annotations"))
    groups: dict[str, list[_Frame]] = {}
    for frame in frames:
        groups.setdefault(_video_name(frame) or PurePosixPath(root.problems.file).stem, []).append(frame)
    return groups


def _video_name(frame: _Frame) -> str:
    """By `video_id`, folder, or the number that names of Cityscapes-VPS and VIPER begin with; empty without these."""
    if "video_id" in frame.image:
        return frame.image.identity("video_id")
    name = PurePosixPath(frame.name)
    begin = re.match(r"(\d+)_\d+", name.name)
    if len(name.parts) == 1:
        return begin[1] if begin else ""
    return str(name.parent)


def _join(frames: list[_Frame], labels: Iterable[Row]) -> None:
    by_id = {frame.image.identity("id"): frame for frame in frames}
    for row in labels:
        key = row.identity("image_id")
        if key not in by_id:
            row.fault("image_id", f"{key!r} is no known image")
        if by_id[key].labels is not None:
            row.fault("image_id", f"{key!r} is annotated twice")
        by_id[key].labels = row


def _jpg(name: str) -> str:
    """VIPSeg states the name of the PNG, and its own loader takes the JPEG of the same name."""
    return re.sub(r"\.png$", ".jpg", portable(name))


def _pictures(path: Path, groups: Mapping[str, list[_Frame]]) -> Path:
    """The folder in which the PNGs lie, by the first of them: beside the json, or one folder below."""
    first = next(((name, f.labels) for name, frames in groups.items() for f in frames if f.labels is not None), None)
    if first is None:
        raise InputError(f"{path}: annotations: no frame of any video has one")
    name, labels = first
    file = portable(labels.text("file_name"))
    folders = [path.parent, *sorted(path.parent.glob("*/")), *sorted(path.parent.glob("*/*/"))]
    for folder in folders:
        for inside in (folder / name, folder):
            if (inside / file).is_file() and _is_map(inside / file):
                return folder
    raise InputError(f"{path}: {labels.place}.file_name: no folder beside it holds {name}/{file} as a PNG in colour")


def _is_map(file: Path) -> bool:
    try:
        with opened(file) as image:
            return image.format == "PNG" and image.mode in PIXELS.modes
    except InputError:
        return False


def _maps(video: VideoEntry, frames: list[_Frame], pictures: Path) -> LabelledVideo:
    """The maps of the frames that have one."""
    rows = [frame.labels for frame in frames if frame.labels is not None]
    inside = pictures / video.name if (pictures / video.name).is_dir() else pictures
    files = [inside / portable(row.text("file_name")) for row in rows]
    for row, file in zip(rows, files, strict=True):
        if not file.is_file():
            row.fault("file_name", f"{file}: no such file")
    if not files:
        return LabelledVideo(video.width, video.height, 0, {})
    maps = read_frames(files, PIXELS)
    if (maps.width, maps.height) != (video.width, video.height):
        size = f"{maps.width}x{maps.height}"
        raise InputError(f"{files[0]}: is {size}, of its image the json says {video.width}x{video.height}")
    return maps


def _read_segments(
    video: VideoEntry,
    frames: list[_Frame],
    maps: LabelledVideo,
    names: Mapping[int, str],
    things: set[int],
    found: Collected,
    lost: _Lost,
) -> None:
    annotated = [(frame, entry.labels) for frame, entry in enumerate(frames) if entry.labels is not None]
    lost.frames += len(frames)
    lost.unannotated += len(frames) - len(annotated)
    for place, (frame, labels) in enumerate(annotated):
        colours = {number: mask for number, masks in maps.masks.items() if (mask := masks[place]) is not None}
        known = set()
        for row in labels.rows("segments_info"):
            number, category_id = row.whole("id", 1, 2**24 - 1), row.known("category_id", names)
            known.add(number)
            if number not in colours:
                row.fault("id", f"{number} is no colour in {labels.text('file_name')}")
            if category_id in things:
                found.add_mask(row, video, frame, number, category_id, colours[number], crowd=row.flag("iscrowd"))
            else:
                lost.stuff.add(names[category_id])
        for number in colours.keys() - known:
            labels.fault("segments_info", f"has no id {number}, which is a colour in {labels.text('file_name')}")


FORMAT = FileFormat("panoptic", CAPABILITIES, read, is_json=lambda json: b'"segments_info"' in json.begin)
