"""LabelMe: a folder a video, a json a frame; shapes, whose `group_id` is the track and whose label the class.

A folder of photographs looks the same: pictures of several sizes are stills, each a video of one frame.

LabelMe itself leaves `group_id` null: such shapes are joined from frame to frame by label and overlap.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chronomask import rle
from chronomask.annotations.content import json_keys, read_row
from chronomask.annotations.records import TracksFile
from chronomask.annotations.row import Row
from chronomask.errors import counted
from chronomask.files import portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected, Size
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import all_files_of, files_of, frame_stems, video_folders
from chronomask.formats.labelme_shapes import WITHOUT_AREA, kind_of, mask_of
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
    found = Collected(path, assumed, track_field="group_id")
    for folder in video_folders(path, ".json"):
        contents = [_content(file) for file in files_of(folder, ".json")]
        name, inside = folder.resolve().name, "" if folder == path else folder.name
        numbered = any("group_id" in shape for content in contents for shape in content.rows("shapes"))
        if assumed.stills or (not numbered and len(set(filter(None, map(_size, contents)))) > 1):
            found.notes.append(f"{name}: {counted(len(contents), 'picture')} read as stills")
            for content in contents:
                _add_video(found, posixpath.join(inside, portable(content.text("imagePath"))), inside, [content])
            continue
        _add_video(found, name, inside, contents)
        if len(contents) > 1 and not numbered:
            separate = "if they are separate pictures, say FOLDER,stills (convert: --stills)"
            found.notes.append(f"{name}: {len(contents)} pictures read as frames of one video; {separate}")
    return found.file()


def _add_video(found: Collected, name: str, inside: str, contents: Sequence[Row]) -> None:
    """The pictures of `contents` as frames of one video; they lie in the folder `inside`."""
    size = found.size_of(name, ((content, _size(content)) for content in contents), "imageWidth")
    images = (posixpath.join(inside, portable(content.text("imagePath"))) for content in contents)
    video = found.add_video(name, size, len(contents), map(posixpath.normpath, images))
    for frame, content in enumerate(contents):
        for shape in content.rows("shapes"):
            label = shape.text("label")
            if kind_of(shape) in WITHOUT_AREA:
                found.without_area += 1
                continue
            group = shape.whole("group_id") if "group_id" in shape else None
            found.add_mask(shape, video, frame, group, label, mask_of(shape, *size), united=True)


def is_labelme(path: Path) -> bool:
    """Whether the first json of a folder, or of the folders in it, is one of LabelMe: nothing else tells."""
    file = next(all_files_of(path, ".json"), None)
    return file is not None and {"shapes", "imagePath"} <= json_keys(file).keys


def _size(content: Row) -> Size | None:
    """Width and height; None where they are not stated, for LabelMe itself looks at the picture."""
    stated = "imageWidth" in content or "imageHeight" in content
    return content.size("imageWidth", "imageHeight") if stated else None


def _content(file: Path) -> Row:
    content = read_row(file)
    without_picture = {key: value for key, value in content.fields.items() if key != "imageData"}
    return Row(without_picture, "", content.problems)


def write(file: TracksFile, path: Path) -> None:
    """Write one sub-folder a video, in which every video has file names; these are relative to `path`."""
    names = file.names
    for video in file.videos:
        folder = path / video.name
        folder.mkdir(parents=True)
        tracks = file.of(video)
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
