"""What annotation and result files of every format are read into and written from: videos, tracks, categories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chronomask import rle
from chronomask.annotations.masks import Masks
from chronomask.categories import Category
from chronomask.rle import Rle

if TYPE_CHECKING:
    Segmentations = Sequence[Rle | None]
else:
    Segmentations = Sequence  # whoever checks types at run time looks at an item, which masks may not be ready for


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
        labelled_classes: names of the categories whose objects are all annotated; None where all are.
    """

    id: int
    name: str
    width: int
    height: int
    length: int
    fps: float | None = None
    file_names: tuple[str, ...] | None = None
    labelled_classes: tuple[str, ...] | None = None


def all_frames(videos: Iterable[VideoEntry]) -> Iterator[str]:
    """The file names of all videos that have such."""
    return (name for video in videos for name in video.file_names or ())


@dataclass(frozen=True)
class Track:
    """One object followed through one video.

    Attributes:
        id: at least 1, unique in its file.
        video_id: the video's id.
        category_id: the category's id as in the data set (not a network index).
        score: how likely the masks are right, in [0, 1] but for results of others; 1 for what a person drew.
        segmentations: one entry a frame of the video, None where the object is out of sight. As they are read they are
            `Masks`, which know their areas, or `EncodedMasks`, which are checked when they are asked for.
        crowd: a region of many objects, or one to be ignored, and no single object (`iscrowd`).
        merged: several objects under one mask, such as rider and vehicle, so that the class is that of a part.
        areas: pixels in every frame as the file states them, for what the official evaluation sorts by size; None where
            it does not say.
        class_score: how likely its category is right, in [0, 1]; None where the file does not say.
    """

    id: int
    video_id: int
    category_id: int
    score: float
    segmentations: Segmentations
    crowd: bool = False
    merged: bool = False
    areas: Sequence[float | None] | None = field(default=None, compare=False)
    class_score: float | None = None

    @property
    def masks(self) -> Masks:
        """The segmentations of a track that was read with its masks checked."""
        assert isinstance(self.segmentations, Masks), "masks are checked as they are read"
        return self.segmentations

    @property
    def stated_area(self) -> float | None:
        """Mean of the areas that the file states, those that are neither null nor 0; None where it states none."""
        if self.areas is None:
            return None
        seen = [area for area in self.areas if area]
        return sum(seen) / len(seen) if seen else 0.0


@dataclass(frozen=True)
class TracksFile:
    """What a file of tracks holds. A plain submission list names no videos and no classes: what masks and ids tell.

    Attributes:
        tracks: in the order of the file; those of a submission list are numbered from 1.
        videos: in the order of the file.
        categories: in the order of the file.
        info: version, checkpoint and settings that made the file.
        notes: what reading it took for granted or left out, one sentence each.
    """

    tracks: tuple[Track, ...]
    videos: tuple[VideoEntry, ...] = ()
    categories: tuple[Category, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def names(self) -> dict[int, str]:
        """Of the categories, by id."""
        return {category.id: category.name for category in self.categories}

    def of(self, video: VideoEntry) -> list[Track]:
        """The tracks of a video."""
        return [self.tracks[place] for place in self._by_video.get(video.id, ())]

    @cached_property
    def _by_video(self) -> Mapping[int, Sequence[int]]:
        return by_video(self.tracks)


def by_video(tracks: Iterable[Track]) -> Mapping[int, Sequence[int]]:
    """Places of tracks in their list, by the ids of their videos."""
    places = defaultdict(list)
    for place, track in enumerate(tracks):
        places[track.video_id].append(place)
    return places


def united(masks: Sequence[Rle | None]) -> Rle | None:
    """The union of the masks of a frame; None where all are out of sight."""
    present = [mask for mask in masks if mask is not None]
    return rle.union(present) if present else None
