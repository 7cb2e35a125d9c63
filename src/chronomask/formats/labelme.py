"""LabelMe: a folder a video, a json a frame; polygons, whose `group_id` is the track and whose label the class."""

from __future__ import annotations

import base64
import binascii
import io
import json
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from chronomask import rle
from chronomask.errors import InputError
from chronomask.formats import fields
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.folder import files_of, frame_stems, video_folders
from chronomask.formats.polygons import outlines
from chronomask.formats.tracks import Track, TracksFile, VideoEntry, named_categories, numbered
from chronomask.rle import Rle

CAPABILITIES = Capabilities(
    title="LabelMe folders",
    several_videos="a folder each",
    overlaps=True,
    exact_pixels=False,
    classes="names",
    file_names="needed",
)

_VERSION = "5.5.0"
"""Of LabelMe, whose form is written; the program warns about files that do not say one."""


def read(path: Path) -> TracksFile:
    """Read a folder of json files, or a folder of such folders. Several shapes of a track in a frame are one mask.

    File names of the frames are relative to `path`.

    Raises:
        InputError: naming file, shape, field and value.
    """
    videos: list[VideoEntry] = []
    found: list[tuple[VideoEntry, int, _Found]] = []
    for number, folder in enumerate(video_folders(path, ".json"), 1):
        files = files_of(folder, ".json")
        contents = [_content(file) for file in files]
        width, height = _size(files, contents)
        names = [fields.text(str(file), content, "imagePath") for file, content in zip(files, contents, strict=True)]
        inside = "" if folder == path else folder.name
        file_names = tuple(posixpath.normpath(posixpath.join(inside, name.replace("\\", "/"))) for name in names)
        video = VideoEntry(number, folder.resolve().name, width, height, len(files), None, file_names)
        videos.append(video)
        found += [(video, group, track) for group, track in _read_tracks(video, files, contents).items()]
    categories = named_categories(track.label for _, _, track in found)
    ids = {category.name: category.id for category in categories}
    tracks = [Track(group, video.id, ids[track.label], 1.0, tuple(track.masks)) for video, group, track in found]
    return TracksFile(numbered(tracks), tuple(videos), categories)


@dataclass(frozen=True)
class _Found:
    """A track while its shapes are collected."""

    label: str
    masks: list[Rle | None]


def _content(file: Path) -> Any:
    content = fields.read_json(file)
    if isinstance(content, dict):
        content.pop("imageData", None)  # the whole picture as text
    return content


def _size(files: list[Path], contents: list[Any]) -> tuple[int, int]:
    sizes = [
        (fields.side(str(file), content, "imageWidth"), fields.side(str(file), content, "imageHeight"))
        for file, content in zip(files, contents, strict=True)
    ]
    for file, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise InputError(f"{file}: imageWidth and imageHeight are {size}, in {files[0].name} {sizes[0]}")
    return sizes[0]


def _read_tracks(video: VideoEntry, files: list[Path], contents: list[Any]) -> dict[int, _Found]:
    """By group."""
    found: dict[int, _Found] = {}
    for frame, (file, content) in enumerate(zip(files, contents, strict=True)):
        for i, shape in enumerate(fields.entries(file, content, "shapes")):
            where = f"{file}: shapes[{i}]"
            group, label = fields.integer(where, shape, "group_id"), fields.text(where, shape, "label")
            track = found.setdefault(group, _Found(label, [None] * video.length))
            if track.label != label:
                raise InputError(f"{where}: label is {label!r}, of the same group_id before {track.label!r}")
            mask, old = _read_shape(where, shape, video.height, video.width), track.masks[frame]
            track.masks[frame] = mask if old is None else rle.union([old, mask])
    return found


def write(file: TracksFile, path: Path) -> None:
    """Write one sub-folder a video, in which every video has file names; these are relative to `path`."""
    names = {category.id: category.name for category in file.categories}
    for video in file.videos:
        folder = path / video.name
        folder.mkdir(parents=True)
        tracks = [track for track in file.tracks if track.video_id == video.id]
        for frame, (stem, image) in enumerate(zip(frame_stems(video), video.file_names or (), strict=True)):
            content = {
                "version": _VERSION,
                "flags": {},
                "shapes": [
                    shape
                    for track in tracks
                    if (mask := track.segmentations[frame]) is not None
                    for shape in _shapes(names[track.category_id], track.id, mask)
                ],
                "imagePath": posixpath.relpath(image, video.name),
                "imageData": None,
                "imageHeight": video.height,
                "imageWidth": video.width,
            }
            (folder / f"{stem}.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _shapes(label: str, group: int, mask: Rle) -> list[dict[str, Any]]:
    return [
        {"label": label, "points": polygon.tolist(), "group_id": group, "shape_type": "polygon", "flags": {}}
        for polygon in outlines(rle.decode(mask))
    ]


def _read_shape(where: str, shape: dict[str, Any], height: int, width: int) -> Rle:
    kind = shape.get("shape_type", "polygon")
    points = fields.entries(where, shape, "points")
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise InputError(f"{where}: 'points' must hold pairs [x, y], not {point!r:.80}")
    least = {"polygon": 3, "rectangle": 2, "mask": 2}.get(kind)
    if least is None:
        raise InputError(f"{where}: shape_type {kind!r} has no area; polygons, rectangles and masks can be read")
    if len(points) < least:
        raise InputError(f"{where}: a {kind} of {len(points)} points; it needs {least}")
    if kind == "mask":
        return _read_mask(where, shape, points, height, width)
    if kind == "rectangle":
        (left, top), (right, bottom) = points[:2]
        points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    try:
        return rle.from_annotation([[value for point in points for value in point]], height, width)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _read_mask(where: str, shape: dict[str, Any], points: list[Any], height: int, width: int) -> Rle:
    """A mask is a PNG as text, whose upper left and lower right pixel the two points name."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(fields.text(where, shape, "mask"), validate=True))) as image:
            part = np.asarray(image.convert("L")) > 0
    except (OSError, SyntaxError, binascii.Error) as error:
        raise InputError(f"{where}: 'mask' is no PNG in base64: {error}") from error
    try:
        left, top = (int(value) for value in points[0])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: 'points' hold {points[0]!r:.80}, no pixel") from error
    mask = np.zeros((height, width), bool)
    if min(left, top) < 0 or left + part.shape[1] > width or top + part.shape[0] > height:
        raise InputError(f"{where}: a mask of {part.shape[1]}x{part.shape[0]} at ({left}, {top}) leaves the frame")
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    return rle.encode(mask)
