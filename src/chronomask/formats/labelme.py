"""LabelMe: a folder a video, a json a frame; shapes, whose `group_id` is the track and whose label the class.

LabelMe itself leaves `group_id` null: such shapes are joined from frame to frame by label and overlap.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronomask import rle
from chronomask.annotations.content import json_keys, read_row
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.errors import InputError
from chronomask.files import portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.conversion_losses import counted, numbering_notes
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import files_of, frame_stems, video_folders
from chronomask.formats.joining import Shape, joined
from chronomask.formats.labelme_shapes import WITHOUT_AREA, kind_of, mask_of
from chronomask.formats.numbering import named_categories, numbered
from chronomask.formats.polygons import outlines
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


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a folder of json files, or a folder of such folders. Several shapes of a group in a frame are one mask.

    File names of the frames are relative to `path`. That shapes were joined, and what was left out, stands in `notes`.

    Raises:
        InputError: naming file, shape, field and value.
    """
    videos: list[VideoEntry] = []
    found: list[tuple[VideoEntry, int, _Found]] = []
    notes: list[str] = []
    for number, folder in enumerate(video_folders(path, ".json"), 1):
        files = files_of(folder, ".json")
        contents = [_content(file) for file in files]
        width, height = _size(files, contents)
        names = [content.text("imagePath") for content in contents]
        inside = "" if folder == path else folder.name
        file_names = tuple(posixpath.normpath(posixpath.join(inside, portable(name))) for name in names)
        video = VideoEntry(number, folder.resolve().name, width, height, len(files), None, file_names)
        videos.append(video)
        found += [(video, group, track) for group, track in _read_tracks(video, contents, notes).items()]
    categories = named_categories(track.label for _, _, track in found)
    ids = {category.name: category.id for category in categories}
    tracks = [Track(group, video.id, ids[track.label], 1.0, tuple(track.masks)) for video, group, track in found]
    return TracksFile(numbered(tracks), tuple(videos), categories, notes=(*notes, *numbering_notes(tracks)))


@dataclass(frozen=True)
class _Found:
    """A track while its shapes are collected."""

    label: str
    masks: list[Rle | None]


def is_labelme(path: Path) -> bool:
    """Whether the first json of a folder, or of the folders in it, is one of LabelMe: nothing else tells."""
    folders = [path, *sorted(entry for entry in path.iterdir() if entry.is_dir())]
    files = [file for folder in folders for file in files_of(folder, ".json")]
    return bool(files) and {"shapes", "imagePath"} <= json_keys(files[0]).keys


def _content(file: Path) -> Row:
    content = read_row(file)
    without_picture = {key: value for key, value in content.fields.items() if key != "imageData"}
    return Row(without_picture, "", content.problems)


def _size(files: list[Path], contents: list[Row]) -> tuple[int, int]:
    sizes = [content.size("imageWidth", "imageHeight") for content in contents]
    for file, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise InputError(f"{file}: imageWidth and imageHeight are {size}, in {files[0].name} {sizes[0]}")
    return sizes[0]


def _read_tracks(video: VideoEntry, contents: list[Row], notes: list[str]) -> dict[int, _Found]:
    """By group; behind the groups of the file come the tracks that are joined here."""
    found: dict[int, _Found] = {}
    loose: list[list[Shape]] = []
    left_out = 0
    for frame, content in enumerate(contents):
        loose.append([])
        for shape in content.rows("shapes"):
            label = shape.text("label")
            if kind_of(shape) in WITHOUT_AREA:
                left_out += 1
                continue
            mask = mask_of(shape, video.height, video.width)
            if "group_id" in shape:
                _add(shape, found, label, frame, mask, video.length)
            else:
                loose[-1].append((label, mask))
    if left_out:
        notes.append(f"{video.name}: {counted(left_out, 'shape')} without an area (points, lines) left out")
    if any(loose):
        _join(video, loose, found, notes)
    return found


def _add(shape: Row, found: dict[int, _Found], label: str, frame: int, mask: Rle, length: int) -> None:
    """Several shapes of a group in a frame are one mask."""
    track = found.setdefault(shape.whole("group_id"), _Found(label, [None] * length))
    if track.label != label:
        shape.fault("label", f"is {label!r}, of the same group_id before {track.label!r}")
    old = track.masks[frame]
    track.masks[frame] = mask if old is None else rle.union([old, mask])


def _join(video: VideoEntry, loose: list[list[Shape]], found: dict[int, _Found], notes: list[str]) -> None:
    """Tracks of the shapes without a group, which get the numbers behind those of the groups."""
    first = max([0, *found]) + 1
    tracks = joined(loose)
    for frame, (shapes, numbers) in enumerate(zip(loose, tracks, strict=True)):
        for (label, mask), number in zip(shapes, numbers, strict=True):
            found.setdefault(first + number, _Found(label, [None] * video.length)).masks[frame] = mask
    if video.length > 1:
        shapes = counted(sum(map(len, loose)), "shape")
        made = counted(1 + max(number for numbers in tracks for number in numbers), "track")
        notes.append(f"{video.name}: {shapes} without group_id joined by label and overlap: {made}")


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


FORMAT = FileFormat("labelme", CAPABILITIES, read, write, held=(".json",))
