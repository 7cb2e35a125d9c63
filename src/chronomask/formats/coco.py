"""COCO json frame by frame: one image a frame, one annotation a mask, tracks by `instance_id` (or `track_id`).

What is written is also what FiftyOne and Datumaro read: FiftyOne (1.22.1, utils/coco.py) cuts masks out by `bbox` and
makes attributes of all further fields, Datumaro (1.13.12) keeps of these what stands in `attributes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from chronomask import rle
from chronomask.annotations import reader
from chronomask.annotations.content import Source
from chronomask.annotations.listing import STILLS
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.errors import counted
from chronomask.files import json_text, natural
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected
from chronomask.formats.file_format import FileFormat
from chronomask.rle import Rle

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


class _Image(NamedTuple):
    """A frame: its video, or the folder that stands for one, and its number there if it has one."""

    row: Row
    still: VideoEntry
    video: int | str
    number: int | None


def read(source: Source, assumed: Assumed) -> TracksFile:
    """Read a file, which may have been opened already, whose images are the frames of videos.

    Images with a `video_id` are frames of that video; without, those of one folder are a video, or all of them where
    just one video is listed. They are ordered by `frame_id` (or `frame_index`), without these by file name. A track is
    known by `instance_id`, `track_id`, or `track_id` among its `attributes`, as CVAT writes it.

    Raises:
        InputError: naming file, entry, field and value: of an annotation without a track, a track with two categories
            or twice in a frame, a video without images or with images of several sizes, or where some images have a
            number or a video and some have none.
    """
    stills = reader.read(source, form=STILLS, masks="encoded")
    content, problems = stills.content, stills.problems
    found = Collected(Path(content.file), assumed, "annotation", "track_id", "category_id")
    frames = _frames_of(stills, found)
    marked = 0
    for index, row in content.rows("annotations", problems):
        still, stated = stills.tracks[index], row.fields.get("attributes")
        attributes = Row(stated if isinstance(stated, Mapping) else {}, f"{row.place}.attributes", problems)
        if attributes.fields.get("outside") is True:  # Datumaro keeps the shapes by which CVAT ends a track
            continue
        number, mask = _number(row, attributes), still.segmentations[0]
        assert mask is not None, "an annotation of a still has a mask"
        marked += still.crowd and "instance_id" not in row and "track_id" in attributes
        found.add_mask(
            row,
            *frames[still.video_id],
            number,
            still.category_id,
            mask,
            score=still.score if "score" in row else None,
            area=still.areas[0] if still.areas else None,
            crowd=still.crowd and not assumed.crowds_as_objects,
            merged=still.merged,
        )
    if marked and not assumed.crowds_as_objects:
        found.notes.append(
            f"{counted(marked, 'mask')} of tracks are crowds, as Datumaro and CVAT flag every mask that is no polygon;"
            " if they are single objects, say --crowds-as-objects"
        )
    return found.file(stills.listing.named, stills.file.info)


def _frames_of(stills: reader.Reading, found: Collected) -> dict[int, tuple[VideoEntry, int]]:
    """By the id of an image, its video and its place there."""
    rows = stills.content.rows("images", stills.problems)
    images = [_image(row, stills.listing.videos[row.whole("id")]) for _, row in rows]
    if not images:
        stills.problems.error("images", "is empty")
    without = [image for image in images if isinstance(image.video, str)]
    if without and len(without) < len(images):
        without[0].row.fault("video_id", f"missing, though {len(images) - len(without)} of the images have one")
    has_videos = "videos" in stills.content.head
    listed = {row.whole("id"): row for _, row in stills.content.rows("videos", stills.problems)} if has_videos else {}
    only = next(iter(listed)) if len(listed) == 1 and without else None
    groups: dict[int | str, list[_Image]] = {key: [] for key in listed}
    for image in images:
        groups.setdefault(image.video if only is None else only, []).append(image)
    frames: dict[int, tuple[VideoEntry, int]] = {}
    for key, own in groups.items():
        row = listed[key] if isinstance(key, int) and key in listed else Row({}, "", stills.problems)
        if not own:
            row.fault("id", f"{key} is the video_id of no image")
        number = key if isinstance(key, int) else len(found.videos) + 1
        video = _video(number, row, own, found)
        frames |= {image.still.id: (video, place) for place, image in enumerate(own)}
    return frames


def _image(row: Row, still: VideoEntry) -> _Image:
    key = next((key for key in ("frame_id", "frame_index") if key in row), None)
    video = row.whole("video_id") if "video_id" in row else str(PurePosixPath(still.name).parent)
    return _Image(row, still, video, row.whole(key) if key else None)


def _video(number: int, row: Row, images: list[_Image], found: Collected) -> VideoEntry:
    """A video, whose images are put into their order."""
    without = [image for image in images if image.number is None]
    if 0 < len(without) < len(images):
        without[0].row.fault("frame_id", "missing, though other images of its video have one")
    images.sort(key=lambda image: (image.number or 0, natural(image.still.name)))
    file_names = tuple(image.still.name for image in images)
    name = PurePosixPath(file_names[0]).parent.name or found.path.stem
    name = str(row.fields.get("name") or name)
    size = found.size_of(name, ((one.row, (one.still.width, one.still.height)) for one in images), "width")
    fps = row.number("fps") if "fps" in row else None
    found.videos.append(VideoEntry(number, name, *size, len(images), fps, file_names))
    return found.videos[-1]


def _number(row: Row, attributes: Row) -> int:
    for owner, key in ((row, "instance_id"), (row, "track_id"), (attributes, "track_id")):
        if key in owner:
            return owner.whole(key)
    row.fault("track_id", "missing, and so is instance_id: its track is not known")
    return 0


def write(file: TracksFile, path: Path) -> None:
    """Write the file, in which every video has file names."""
    frames = [(video, frame, name) for video in file.videos for frame, name in enumerate(video.file_names or ())]
    image_ids = {(video.id, frame): number for number, (video, frame, _) in enumerate(frames, 1)}
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
            for video, frame, name in frames
        ],
        "categories": [{"id": category.id, "name": category.name} for category in file.categories],
        "annotations": [
            {"id": number, "image_id": image_ids[track.video_id, frame], **_annotation(track, mask)}
            for number, (track, frame, mask) in enumerate(_masks(file), 1)
        ],
    }
    path.write_text(json_text(content), encoding="utf-8")


def _masks(file: TracksFile) -> Iterator[tuple[Track, int, Rle]]:
    for track in file.tracks:
        for frame, mask in enumerate(track.segmentations):
            if mask is not None:
                yield track, frame, mask


def _annotation(track: Track, mask: Rle) -> dict[str, Any]:
    return {
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
