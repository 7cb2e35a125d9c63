"""Videos listed image by image, as COCO-like json has them: stills joined to videos, their annotations to tracks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from statistics import fmean
from typing import Any

from chronomask.annotations.listing import STILLS
from chronomask.annotations.problems import Problems
from chronomask.annotations.reader import Reading
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.files import natural
from chronomask.rle import Rle

_FRAME_KEYS = ("frame_id", "frame_index")
_TRACK_KEYS = ("instance_id", "track_id")


@dataclass(frozen=True)
class _Image:
    """A frame: its video, its number there if it has one, and its place in the file for messages."""

    row: Row
    video: int | str
    frame: int | None
    still: VideoEntry


@dataclass
class _Collected:
    """A track while its annotations are collected."""

    category_id: int
    masks: list[Rle | None]
    areas: list[float | None]
    scores: list[float] = field(default_factory=list)
    crowd: bool = False
    merged: bool = False

    def track(self, number: int, video_id: int) -> Track:
        score, masks = mean_score(self.scores), tuple(self.masks)
        return Track(number, video_id, self.category_id, score, masks, self.crowd, self.merged, self.areas)


def joined(stills: Reading) -> TracksFile:
    """The videos and tracks of a file whose images are frames.

    Images with a `video_id` are frames of that video; without, those of one folder are a video, or all of them where
    just one video is listed. They are ordered by `frame_id` (or `frame_index`), without these by file name. A track is
    known by `instance_id`, `track_id`, or `track_id` among its `attributes`, as CVAT writes it. Its score is the mean
    of its masks', 1 where none has one.

    Raises:
        InputError: an annotation without a track, a track with two categories or twice in a frame, a video without
            images or with images of several sizes, or some with a number or a video and some without.
    """
    images = {number: _image(row, stills.listing.videos[number]) for number, row in _rows(stills)}
    if not images:
        stills.problems.error(STILLS.entries, "is empty")
    videos, places = _videos(stills, images)
    found: dict[tuple[int, int], _Collected] = {}
    for index, row in stills.content.rows("annotations", stills.problems):
        if (track := stills.tracks.get(index)) is not None and not _outside(row):
            video, frame = places[track.video_id]
            _add(row, track, video, frame, found)
    tracks = tuple(one.track(number, video_id) for (video_id, number), one in found.items())
    return TracksFile(tracks, tuple(videos), stills.listing.named, stills.file.info)


def _rows(stills: Reading) -> Iterator[tuple[int, Row]]:
    """The images that can be used, by id."""
    for _, row in stills.content.rows(STILLS.entries, Problems(stills.content.file, "collect")):
        number = row.whole("id")
        if row.sound and number in stills.listing.videos:
            yield number, Row(row.fields, row.place, stills.problems)


def _image(row: Row, still: VideoEntry) -> _Image:
    key = next((key for key in _FRAME_KEYS if key in row), None)
    folder = str(PurePosixPath(still.name).parent)
    return _Image(row, row.whole("video_id") if "video_id" in row else folder, row.whole(key) if key else None, still)


def _videos(
    stills: Reading, images: Mapping[int, _Image]
) -> tuple[list[VideoEntry], dict[int, tuple[VideoEntry, int]]]:
    """The videos, and for every image its video and its place there."""
    rows = stills.content.rows("videos", stills.problems) if "videos" in stills.content.head else ()
    listed: dict[int | str, Row] = {row.whole("id"): row for _, row in rows}
    groups: dict[int | str, list[int]] = {key: [] for key in listed}
    without = [image for image in images.values() if isinstance(image.video, str)]
    if without and len(without) < len(images):
        without[0].row.fault("video_id", f"missing, though {len(images) - len(without)} of the images have one")
    only = next(iter(listed)) if len(listed) == 1 and len(without) == len(images) else None
    for number, image in images.items():
        groups.setdefault(image.video if only is None else only, []).append(number)
    videos, places = [], {}
    unnumbered = max([0, *(key for key in groups if isinstance(key, int))])
    for key, own in groups.items():
        if not own:
            listed[key].fault("id", f"{key} is the video_id of no image")
            continue
        own.sort(key=lambda number: (images[number].frame or 0, natural(images[number].still.name)))
        first = images[own[0]].still
        for number in own:
            _check(images[number], images[own[0]])
        row = listed.get(key)
        named = str(row.fields.get("name") or "") if row else ""
        name = named or PurePosixPath(first.name).parent.name or PurePosixPath(stills.content.file).stem
        unnumbered += isinstance(key, str)
        number = key if isinstance(key, int) else unnumbered
        fps = row.number("fps") if row and "fps" in row else None
        file_names = tuple(images[number].still.name for number in own)
        videos.append(VideoEntry(number, name, first.width, first.height, len(own), fps, file_names))
        places.update({number: (videos[-1], place) for place, number in enumerate(own)})
    return videos, places


def _check(image: _Image, first: _Image) -> None:
    size, expected = (image.still.width, image.still.height), (first.still.width, first.still.height)
    if size != expected:
        image.row.fault("width", f"width and height are {size}, of its video's first image {expected}")
    if (image.frame is None) != (first.frame is None):
        image.row.fault("frame_id", "some images of its video have one, and some have none")


def _add(row: Row, still: Track, video: VideoEntry, frame: int, found: dict[tuple[int, int], _Collected]) -> None:
    number = _track_number(row)
    if number is None:
        return
    track = found.setdefault(
        (video.id, number), _Collected(still.category_id, [None] * video.length, [None] * video.length)
    )
    if track.category_id != still.category_id:
        row.fault("category_id", f"is {still.category_id}, of the same track before {track.category_id}")
    if track.masks[frame] is not None:
        row.fault(STILLS.reference, f"{still.video_id} holds track {number} twice")
    track.masks[frame] = still.segmentations[0]
    track.areas[frame] = still.areas[0] if still.areas else None
    if "score" in row:
        track.scores.append(still.score)
    track.crowd |= still.crowd
    track.merged |= still.merged


def _outside(row: Row) -> bool:
    """Whether it says that its object is out of sight: Datumaro keeps the shapes by which CVAT ends a track."""
    attributes: Any = row.fields.get("attributes")
    return isinstance(attributes, Mapping) and attributes.get("outside") is True


def _track_number(row: Row) -> int | None:
    attributes: Any = row.fields.get("attributes")
    for key in _TRACK_KEYS:
        if key in row:
            return row.whole(key)
    if isinstance(attributes, Mapping) and "track_id" in attributes:
        return Row(attributes, f"{row.place}.attributes", row.problems).whole("track_id")
    row.fault("track_id", "missing, and so is instance_id: its track is not known")
    return None


def mean_score(scores: Sequence[float]) -> float:
    """The score of a track from those of its masks: exactly theirs where all are equal, 1 where there is none."""
    return scores[0] if len(set(scores)) == 1 else fmean(scores) if scores else 1.0
