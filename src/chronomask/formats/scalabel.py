"""Scalabel json, the form of BDD100K: a list of frames with labels, whose masks are run lengths or Bezier outlines.

Definition: doc/src/format.rst and scalabel/label/typing.py of github.com/scalabel/scalabel; masks of its labels (`rle`)
are COCO's run lengths, which come before outlines (`poly2d`) where both are there. Corners of its boxes are inclusive.
Every field but the name of a frame is optional: frames without `videoName` are one video.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from chronomask import rle
from chronomask.annotations.content import read_json
from chronomask.annotations.problems import Problems, shown
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.errors import InputError
from chronomask.files import natural, portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.conversion_losses import counted, numbering_notes
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import file_or_files_of
from chronomask.formats.numbering import named_categories, numbered
from chronomask.formats.scalabel_shapes import outline
from chronomask.rle import Rle

CAPABILITIES = Capabilities(
    title="Scalabel json (BDD100K)",
    several_videos="in the file",
    overlaps=True,
    scores=True,
    classes="names",
    unused_classes=True,
    crowds="yes",
    file_names="needed",
)


@dataclass
class _Found:
    """A track while its labels are collected."""

    category: str
    masks: list[Rle | None]
    scores: list[float] = field(default_factory=list)
    crowd: bool = False


@dataclass
class _Reading:
    """What is collected of all files.

    Attributes:
        sizes: by video, what the head of its file says.
        boxes, labels: labels that are boxes alone, and all.
        without_area: lines, boxes in space and the like.
    """

    assumed: Assumed
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    boxes: int = 0
    labels: int = 0
    without_area: int = 0


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a file, or a folder of them as BDD100K has one a video. Ids of labels that are no numbers are counted.

    Raises:
        InputError: naming file, frame, label, field and value; labels that are boxes alone in one sentence.
    """
    reading = _Reading(assumed)
    groups: dict[str, list[Row]] = {}
    names: list[str] = []
    for file in file_or_files_of(path, ".json"):
        root = _root(file)
        config = root.inner("config")
        if "categories" in config:
            names += [row.text("name") for row in config.rows("categories")]
        for row in root.rows("frames"):
            video = row.text("videoName") if row.fields.get("videoName") not in (None, "") else file.stem
            groups.setdefault(video, []).append(row)
            if "imageSize" in config:
                reading.sizes[video] = config.inner("imageSize").size()
    if not groups:
        raise InputError(f"{path}: holds no frames")
    videos: list[VideoEntry] = []
    found: list[tuple[VideoEntry, dict[str, _Found]]] = []
    for name in sorted(groups, key=natural):
        video = _video(len(videos) + 1, name, groups[name], reading)
        videos.append(video)
        found.append((video, _labels(video, groups[name], reading)))
    if reading.boxes:
        raise InputError(
            f"{path}: labels: {reading.boxes} of {reading.labels} are boxes without a mask (rle or poly2d)"
        )
    return _file(videos, found, names, reading)


def _file(
    videos: list[VideoEntry], found: list[tuple[VideoEntry, dict[str, _Found]]], names: list[str], reading: _Reading
) -> TracksFile:
    categories = named_categories([*names, *(one.category for _, tracks in found for one in tracks.values())])
    ids = {category.name: category.id for category in categories}
    tracks, counted_ids = [], 0
    for video, own in found:
        numbers = {key: int(key) for key in own if key.isdecimal() and key.isascii() and len(key) < 16}
        if len(numbers) < len(own):
            numbers = {key: number for number, key in enumerate(own, 1)}
            counted_ids += len(own)
        for key, one in own.items():
            score = one.scores[0] if len(set(one.scores)) == 1 else fmean(one.scores)
            tracks.append(Track(numbers[key], video.id, ids[one.category], score, tuple(one.masks), one.crowd))
    notes = list(reading.notes)
    if reading.without_area:
        notes.append(f"{counted(reading.without_area, 'label')} without an area (lines, boxes in space, tags) left out")
    if counted_ids:
        notes.append(f"ids of labels are no numbers: {counted(counted_ids, 'track')} counted from 1")
    return TracksFile(numbered(tracks), tuple(videos), categories, notes=(*notes, *numbering_notes(tracks)))


def _root(file: Path) -> Row:
    content = read_json(file)
    if isinstance(content, list):
        content = {"frames": content}
    if not isinstance(content, dict):
        raise InputError(f"{file}: a list of frames is needed, this is {shown(content)}")
    return Row(content, "", Problems(str(file)))


def _video(number: int, name: str, frames: list[Row], reading: _Reading) -> VideoEntry:
    """The video; its frames are put into their order."""
    indexed = [row for row in frames if "frameIndex" in row]
    if indexed and len(indexed) < len(frames):
        without = next(row for row in frames if "frameIndex" not in row)
        without.fault("frameIndex", f"missing, though {len(indexed)} of the {len(frames)} frames of {name} have one")
    indices: set[int] = set()
    for row in indexed:
        index = row.whole("frameIndex", 0)
        if index in indices:
            row.fault("frameIndex", f"{index} is that of an earlier frame of {name} too")
        indices.add(index)
    frames.sort(key=lambda row: (row.fields.get("frameIndex") or 0, natural(row.text("name"))))
    if indices and max(indices) - min(indices) >= len(frames):
        span = max(indices) - min(indices) + 1
        reading.notes.append(f"{name}: {len(frames)} of {span} frames are listed; these alone are its frames here")
    sizes = {size for row in frames if (size := _size(row)) is not None}
    size = min(sizes) if sizes else reading.sizes.get(name) or reading.assumed.size_of(number)
    if len(sizes) > 1:
        frames[0].fault("size", f"frames of {name} are of several sizes: {sorted(sizes)}")
    if size is None:
        raise InputError(f"{frames[0].problems.file}: {name} has no size; give --size WIDTHxHEIGHT, or --video")
    names = tuple(portable(row.text("name")) for row in frames)
    return VideoEntry(number, name, *size, len(frames), None, names)


def _size(row: Row) -> tuple[int, int] | None:
    """Width and height: what the frame states, else what its first run lengths do."""
    if "size" in row:
        return row.inner("size").size()
    for label in row.rows("labels") if "labels" in row else ():
        if "rle" in label:
            return label.inner("rle").sides("size")
    return None


def _labels(video: VideoEntry, frames: list[Row], reading: _Reading) -> dict[str, _Found]:
    """The tracks of a video by id. A label without an id stays a track of one frame."""
    found: dict[str, _Found] = {}
    for frame, row in enumerate(frames):
        for label in row.rows("labels") if "labels" in row else ():
            reading.labels += 1
            mask = _mask(label, video, reading)
            if mask is None:
                continue
            key = label.identity("id") if "id" in label else label.place
            category = label.text("category")
            one = found.setdefault(key, _Found(category, [None] * video.length))
            if one.category != category:
                label.fault("category", f"is {category!r}, of the same id before {one.category!r}")
            if one.masks[frame] is not None:
                label.fault("id", f"{key} is that of an earlier label of the frame too")
            one.masks[frame] = mask
            one.scores.append(label.number("score") if "score" in label else 1.0)
            flags = label.inner("attributes")
            one.crowd |= flags.flag("crowd") or flags.flag("ignored")
    return found


def _mask(label: Row, video: VideoEntry, reading: _Reading) -> Rle | None:
    """The mask of a label; None where it has none, which is counted."""
    polygons = []
    for part in label.rows("poly2d") if "poly2d" in label else ():
        if "closed" not in part or part.flag("closed"):
            polygons.append(outline(part))
    if "rle" not in label and not polygons:
        reading.boxes += "box2d" in label
        reading.without_area += "box2d" not in label
        return None
    try:
        return rle.from_annotation(label.fields.get("rle") or polygons, video.height, video.width)
    except InputError as error:
        label.fault("rle" if "rle" in label else "poly2d", str(error))
        return None


def write(file: TracksFile, path: Path) -> None:
    """Write the file, in which every video has file names."""
    names = {category.id: category.name for category in file.categories}
    frames = [frame for video in file.videos for frame in _frames(file, video, names)]
    config = {"categories": [{"name": name} for name in names.values()]}
    content = {"frames": frames, "config": config}
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _frames(file: TracksFile, video: VideoEntry, names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    tracks = [track for track in file.tracks if track.video_id == video.id]
    for index, name in enumerate(video.file_names or ()):
        labels = [
            _label(track, names[track.category_id], mask)
            for track in tracks
            if (mask := track.segmentations[index]) is not None
        ]
        size = {"width": video.width, "height": video.height}
        yield {"name": name, "videoName": video.name, "frameIndex": index, "size": size, "labels": labels}


def _label(track: Track, category: str, mask: Rle) -> dict[str, Any]:
    left, top, width, height = rle.bbox(mask)
    return {
        "id": str(track.id),
        "category": category,
        "score": track.score,
        "attributes": {"crowd": track.crowd},
        "box2d": {"x1": left, "y1": top, "x2": left + width - 1, "y2": top + height - 1},
        "rle": {"counts": mask["counts"], "size": mask["size"]},
    }


FORMAT = FileFormat(
    "scalabel",
    CAPABILITIES,
    read,
    write,
    ending=".json",
    is_json=lambda json: "frames" in json.keys or (json.listed and {"name", "labels"} <= json.keys),
)
