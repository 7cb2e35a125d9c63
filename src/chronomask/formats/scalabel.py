"""Scalabel json, the form of BDD100K: a list of frames with labels, whose masks are run lengths or Bezier outlines.

Definition: doc/src/format.rst and scalabel/label/typing.py of github.com/scalabel/scalabel; masks of its labels (`rle`)
are COCO's run lengths, which come before outlines (`poly2d`) where both are there. Corners of its boxes are inclusive.
Every field but the name of a frame is optional: frames without `videoName` are one video.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chronomask import rle
from chronomask.annotations.content import read_json
from chronomask.annotations.problems import Problems, shown
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.errors import InputError
from chronomask.files import json_text, natural, portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected, Size
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import file_or_files_of
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


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a file, or a folder of them as BDD100K has one a video. Ids of labels that are no numbers are counted.

    Raises:
        InputError: naming file, frame, label, field and value; labels that are boxes alone in one sentence.
    """
    found = Collected(path, assumed, "label", category_field="category")
    groups: dict[str, list[Row]] = {}
    sizes: dict[str, Size] = {}
    for file in file_or_files_of(path, ".json"):
        root = _root(file)
        config = root.inner("config")
        found.names += [row.text("name") for row in config.rows("categories", needed=False)]
        for row in root.rows("frames"):
            video = row.text("videoName") if row.fields.get("videoName") not in (None, "") else file.stem
            groups.setdefault(video, []).append(row)
            if "imageSize" in config:
                sizes[video] = config.inner("imageSize").size()
    if not groups:
        raise InputError(f"{path}: holds no frames")
    for name in sorted(groups, key=natural):
        frames = _ordered(groups[name], name, found)
        size = found.size_of(name, ((row, _size(row)) for row in frames), "size", sizes.get(name))
        video = found.add_video(name, size, len(frames), (portable(row.text("name")) for row in frames))
        for frame, row in enumerate(frames):
            for label in row.rows("labels", needed=False):
                _read_label(label, video, frame, found)
    return found.file()


def _root(file: Path) -> Row:
    content = read_json(file)
    if isinstance(content, list):
        content = {"frames": content}
    if not isinstance(content, dict):
        raise InputError(f"{file}: a list of frames is needed, this is {shown(content)}")
    return Row(content, "", Problems(str(file)))


def _ordered(frames: list[Row], name: str, found: Collected) -> list[Row]:
    """The frames of a video by their indices, or by name where they have none."""
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
    if indices and max(indices) - min(indices) >= len(frames):
        span = max(indices) - min(indices) + 1
        found.notes.append(f"{name}: {len(frames)} of {span} frames are listed; these alone are its frames here")
    return sorted(frames, key=lambda row: (row.fields.get("frameIndex") or 0, natural(row.text("name"))))


def _size(row: Row) -> Size | None:
    """What the frame states, else what its first run lengths do."""
    if "size" in row:
        return row.inner("size").size()
    masks = (label.inner("rle") for label in row.rows("labels", needed=False) if "rle" in label)
    return next((mask.sides("size") for mask in masks), None)


def _read_label(label: Row, video: VideoEntry, frame: int, found: Collected) -> None:
    """A label without an id stays a track of one frame."""
    found.shapes += 1
    parts = label.rows("poly2d", needed=False)
    polygons = [outline(part) for part in parts if "closed" not in part or part.flag("closed")]
    if "rle" not in label and not polygons:
        found.boxes += "box2d" in label
        found.without_area += "box2d" not in label
        return
    key = "rle" if "rle" in label else "poly2d"
    mask = label.mask(key, label.fields[key] if key == "rle" else polygons, video.width, video.height)
    number = label.identity("id") if "id" in label else label.place
    score = label.number("score") if "score" in label else None
    flags = label.inner("attributes")
    crowd = flags.flag("crowd") or flags.flag("ignored")
    found.add_mask(label, video, frame, number, label.text("category"), mask, score=score, crowd=crowd)


def write(file: TracksFile, path: Path) -> None:
    """Write the file, in which every video has file names."""
    names = file.names
    frames = [frame for video in file.videos for frame in _frames(file, video, names)]
    config = {"categories": [{"name": name} for name in names.values()]}
    content = {"frames": frames, "config": config}
    path.write_text(json_text(content), encoding="utf-8")


def _frames(file: TracksFile, video: VideoEntry, names: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    tracks = file.of(video)
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
