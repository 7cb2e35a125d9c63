"""Tracks in memory: what every format is read into and written from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chronomask import rle
from chronomask.categories import LITE, OBJECT, Category
from chronomask.rle import Rle


@dataclass(frozen=True)
class VideoEntry:
    """A video of a file.

    Attributes:
        id: what tracks refer to it by.
        name: the file's or folder's name.
        width: in pixels, as displayed (rotation applied).
        height: in pixels, as displayed.
        length: number of frames that the tracks speak about, each of them in order.
        fps: frames a second; None where the file does not say.
        file_names: one path a frame for a folder of frames, else None.
    """

    id: int
    name: str
    width: int
    height: int
    length: int
    fps: float | None = None
    file_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Track:
    """One object followed through one video.

    Attributes:
        id: at least 1, unique in its file.
        video_id: the video's id.
        category_id: the category's id as in the data set (not a network index).
        score: confidence in [0, 1].
        segmentations: one entry a frame of the video, None where the object is out of sight.
        crowd: a region of many objects, or one to be ignored, and no single object (`iscrowd`).
        merged: several objects under one mask, such as rider and vehicle, so that the class is that of a part.
    """

    id: int
    video_id: int
    category_id: int
    score: float
    segmentations: Sequence[Rle | None]
    crowd: bool = False
    merged: bool = False


@dataclass(frozen=True)
class TracksFile:
    """What a file of tracks holds. Of a plain submission list only `tracks` is known: the rest is empty.

    Attributes:
        tracks: in the order of the file; those of a submission list are numbered from 1.
        videos: in the order of the file.
        categories: in the order of the file.
        info: version, checkpoint and settings that made the file.
    """

    tracks: tuple[Track, ...]
    videos: tuple[VideoEntry, ...] = ()
    categories: tuple[Category, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)


def united(masks: Sequence[Rle | None]) -> Rle | None:
    """The union of the masks of a frame; None where all are out of sight."""
    present = [mask for mask in masks if mask is not None]
    return rle.union(present) if present else None


def numbered(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """The tracks by video and id, with ids that are above 0 and all different, as formats without such ids are read.

    Those with the id 0 are numbered behind the others. Where ids of the others repeat, as they do in formats that count
    anew in every video, or are negative, all are counted from 1.
    """
    ordered = sorted(tracks, key=lambda track: (track.video_id, track.id))
    named, others = [t for t in ordered if t.id != 0], [t for t in ordered if t.id == 0]
    ids = [track.id for track in named]
    if len(set(ids)) < len(ids) or min(ids, default=1) < 1:
        named = [replace(track, id=number) for number, track in enumerate(named, 1)]
    start = max((track.id for track in named), default=0) + 1
    others = [replace(track, id=number) for number, track in enumerate(others, start)]
    return tuple(sorted([*named, *others], key=lambda track: (track.video_id, track.id)))


def numbered_in_video(file: TracksFile, video: VideoEntry, ids: range) -> list[tuple[int, Track]]:
    """The tracks of a video by id, with the numbers that they get where only those in `ids` fit.

    These are their own ids where all fit, else they are counted from the first that fits. Crowds are not among them.
    """
    tracks = sorted((t for t in file.tracks if t.video_id == video.id and not t.crowd), key=lambda track: track.id)
    if all(track.id in ids for track in tracks):
        return [(track.id, track) for track in tracks]
    return list(zip(ids, tracks, strict=False))


def named_categories(names: Iterable[str]) -> tuple[Category, ...]:
    """Categories, by id, of a file that holds names alone: COCO's ids for the names that the bundled model knows.

    Other names are counted on behind those ids, in the order of the alphabet.
    """
    known = {category.name: category for category in (OBJECT, *LITE)}
    wanted = set(names)
    others = enumerate(sorted(wanted - known.keys()), max(category.id for category in LITE) + 1)
    found = [known[name] for name in wanted & known.keys()]
    return tuple(sorted([*found, *(Category(number, name) for number, name in others)], key=lambda c: c.id))
