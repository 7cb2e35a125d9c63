"""COCO json frame by frame: one image a frame, one annotation a mask, tracks by `instance_id` (or `track_id`).

What is written is also what FiftyOne and Datumaro read: FiftyOne (1.22.1, utils/coco.py) cuts masks out by `bbox` and
makes attributes of all further fields, Datumaro (1.13.12) keeps of these what stands in `attributes`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from chronomask import rle
from chronomask.annotations import reader
from chronomask.annotations.content import Source
from chronomask.annotations.frames import joined
from chronomask.annotations.listing import STILLS
from chronomask.annotations.records import TracksFile
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.conversion_losses import counted, numbering_notes
from chronomask.formats.file_format import FileFormat
from chronomask.formats.numbering import numbered

CAPABILITIES = Capabilities(
    title="COCO json",
    several_videos="in the file",
    video_ids=True,
    overlaps=True,
    scores=True,
    classes="ids and names",
    unused_classes=True,
    crowds="yes",
    merged=True,
    fps=True,
    file_names="needed",
    info=True,
)


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a file whose images are the frames of videos (`annotations.frames.joined`).

    Raises:
        InputError: naming file, entry, field and value.
    """
    return tracks_of(path, assumed)


def tracks_of(source: Source, assumed: Assumed) -> TracksFile:
    """As `read`, of a file that may have been opened already."""
    stills = reader.read(source, form=STILLS)
    file = joined(stills)
    notes = numbering_notes(file.tracks)
    if assumed.crowds_as_objects:
        file = replace(file, tracks=tuple(replace(track, crowd=False) for track in file.tracks))
    elif marked := _crowds_with_attributes(stills):
        notes += (
            f"{counted(marked, 'mask')} of tracks are crowds, as Datumaro and CVAT flag every mask that is no polygon;"
            " if they are single objects, say --crowds-as-objects",
        )
    return replace(file, tracks=numbered(file.tracks), notes=notes)


def _crowds_with_attributes(stills: reader.Reading) -> int:
    """Masks flagged as crowds whose track stands among their attributes, where no other program writes it."""
    rows = stills.content.rows("annotations", stills.problems)
    crowds = [row for index, row in rows if (track := stills.tracks.get(index)) and track.crowd]
    attributes = [row.fields.get("attributes") for row in crowds if "instance_id" not in row]
    return sum(isinstance(one, Mapping) and "track_id" in one for one in attributes)


def write(file: TracksFile, path: Path) -> None:
    """Write the file, in which every video has file names."""
    image_ids = {key: number for number, key in enumerate(_frames(file), 1)}
    content = {
        "info": dict(file.info),
        "videos": [
            {"id": v.id, "name": v.name, "width": v.width, "height": v.height, "fps": v.fps} for v in file.videos
        ],
        "images": [
            {
                "id": image_ids[video.id, frame],
                "video_id": video.id,
                "frame_id": frame,
                "file_name": name,
                "width": video.width,
                "height": video.height,
            }
            for video in file.videos
            for frame, name in enumerate(video.file_names or ())
        ],
        "categories": [{"id": category.id, "name": category.name} for category in file.categories],
        "annotations": list(_annotations(file, image_ids)),
    }
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _frames(file: TracksFile) -> Iterator[tuple[int, int]]:
    for video in file.videos:
        for frame in range(video.length):
            yield video.id, frame


def _annotations(file: TracksFile, image_ids: Mapping[tuple[int, int], int]) -> Iterator[dict[str, Any]]:
    numbers = count(1)
    for track in file.tracks:
        for frame, mask in enumerate(track.segmentations):
            if mask is not None:
                yield {
                    "id": next(numbers),
                    "image_id": image_ids[track.video_id, frame],
                    "video_id": track.video_id,
                    "instance_id": track.id,
                    "attributes": {"track_id": track.id},
                    "category_id": track.category_id,
                    "score": track.score,
                    "segmentation": mask,
                    "area": rle.area(mask),
                    "bbox": list(rle.bbox(mask)),
                    "iscrowd": int(track.crowd),
                    **({"merged": True} if track.merged else {}),
                }


FORMAT = FileFormat("coco", CAPABILITIES, read, write, ending=".json", is_json=lambda json: "images" in json.keys)
