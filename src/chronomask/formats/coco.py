"""COCO json frame by frame: one image a frame, one annotation a mask, tracks by `instance_id` (or `track_id`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from statistics import fmean
from typing import Any

from chronomask import rle
from chronomask.errors import InputError
from chronomask.files import natural
from chronomask.formats import fields
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.tracks import Track, TracksFile, VideoEntry, numbered
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


@dataclass(frozen=True)
class _Image:
    where: str
    video_id: int
    frame: int | None
    file_name: str
    size: tuple[int, int]


@dataclass
class _Found:
    """A track while its annotations are collected."""

    category_id: int
    masks: list[Rle | None]
    scores: list[float] = field(default_factory=list)
    crowd: bool = False
    merged: bool = False


def read(path: Path) -> TracksFile:
    """Read a file whose images are the frames of videos.

    Images are ordered by `frame_id` (or `frame_index`), without these by file name. Without `video_id` all images are
    one video. A track's score is the mean of its masks', 1 where none has one.

    Raises:
        InputError: naming file, entry, field and value.
    """
    content = fields.read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold an object with 'images' and 'annotations', not {content!r:.80}")
    images = _images(path, content)
    videos, places = _videos(path, content, images)
    categories = fields.category_list(path, content)
    by_id = {video.id: video for video in videos}
    known = {category.id for category in categories}
    found: dict[tuple[int, int], _Found] = {}
    for i, entry in enumerate(fields.entries(path, content, "annotations")):
        _add(f"{path}: annotations[{i}]", entry, images, places, by_id, known, found)
    tracks = [
        Track(number, video_id, track.category_id, _mean(track.scores), tuple(track.masks), track.crowd, track.merged)
        for (video_id, number), track in found.items()
    ]
    info = content.get("info")
    return TracksFile(numbered(tracks), videos, categories, info if isinstance(info, dict) else {})


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
                    "category_id": track.category_id,
                    "score": track.score,
                    "segmentation": mask,
                    "area": rle.area(mask),
                    "bbox": list(rle.bbox(mask)),
                    "iscrowd": int(track.crowd),
                    **({"merged": True} if track.merged else {}),
                }


def _images(path: Path, content: dict[str, Any]) -> dict[int, _Image]:
    images: dict[int, _Image] = {}
    for i, entry in enumerate(fields.entries(path, content, "images")):
        where = f"{path}: images[{i}]"
        number = fields.integer(where, entry, "id")
        if number in images:
            raise InputError(f"{where}: id {number} is the id of an earlier image too")
        frame_key = next((key for key in ("frame_id", "frame_index") if key in entry), None)
        images[number] = _Image(
            where,
            fields.integer(where, entry, "video_id") if "video_id" in entry else 1,
            fields.integer(where, entry, frame_key) if frame_key else None,
            fields.text(where, entry, "file_name"),
            (fields.side(where, entry, "width"), fields.side(where, entry, "height")),
        )
    if not images:
        raise InputError(f"{path}: 'images' is empty")
    return images


def _videos(
    path: Path, content: dict[str, Any], images: Mapping[int, _Image]
) -> tuple[tuple[VideoEntry, ...], dict[int, int]]:
    """The videos, and for every image its place in its video."""
    listed: dict[int, dict[str, Any]] = {}
    for i, entry in enumerate(content.get("videos") or ()):
        listed[fields.integer(f"{path}: videos[{i}]", entry, "id")] = entry
    videos: list[VideoEntry] = []
    places: dict[int, int] = {}
    for video_id in dict.fromkeys([*listed, *(image.video_id for image in images.values())]):
        own = {number: image for number, image in images.items() if image.video_id == video_id}
        if not own:
            raise InputError(f"{path}: video {video_id} has no images")
        order = sorted(own, key=lambda number: (own[number].frame or 0, natural(own[number].file_name)))
        first = own[order[0]]
        for image in own.values():
            if image.size != first.size:
                raise InputError(f"{image.where}: width and height are {image.size}, of its video's first {first.size}")
        places.update({number: place for place, number in enumerate(order)})
        entry = listed.get(video_id, {})
        name = str(entry.get("name") or PurePosixPath(first.file_name).parent.name or path.stem)
        fps = fields.number(f"{path}: video {video_id}", entry, "fps") if entry.get("fps") is not None else None
        file_names = tuple(own[number].file_name for number in order)
        videos.append(VideoEntry(video_id, name, *first.size, len(order), fps, file_names))
    return tuple(videos), places


def _add(
    where: str,
    entry: Any,
    images: Mapping[int, _Image],
    places: Mapping[int, int],
    videos: Mapping[int, VideoEntry],
    categories: set[int],
    found: dict[tuple[int, int], _Found],
) -> None:
    image_id, category_id = fields.integer(where, entry, "image_id"), fields.integer(where, entry, "category_id")
    if image_id not in images:
        raise InputError(f"{where}: image_id {image_id} is no image of the file")
    if category_id not in categories:
        raise InputError(f"{where}: category_id {category_id} is no category of the file")
    key = next((key for key in ("instance_id", "track_id") if key in entry), None)
    if key is None:
        raise InputError(f"{where}: has neither 'instance_id' nor 'track_id', so its track is not known")
    video, number = videos[images[image_id].video_id], fields.integer(where, entry, key)
    track = found.setdefault((video.id, number), _Found(category_id, [None] * video.length))
    if track.category_id != category_id:
        raise InputError(f"{where}: category_id is {category_id}, of the same track before {track.category_id}")
    if track.masks[places[image_id]] is not None:
        raise InputError(f"{where}: image_id {image_id} holds {key} {number} twice")
    try:
        mask = rle.from_annotation(fields.field(where, entry, "segmentation"), video.height, video.width)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    track.masks[places[image_id]] = mask
    if "score" in entry:
        track.scores.append(fields.number(where, entry, "score"))
    track.crowd |= bool(entry.get("iscrowd"))
    track.merged |= bool(entry.get("merged"))


def _mean(scores: list[float]) -> float:
    # Exactly the score of a track whose masks all carry the same one.
    return scores[0] if len(set(scores)) == 1 else fmean(scores) if scores else 1.0
