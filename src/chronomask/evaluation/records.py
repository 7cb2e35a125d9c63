"""What the files of an evaluation hold, once checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronomask.annotations.masks import Masks
from chronomask.annotations.reader import Listing, Reading
from chronomask.annotations.records import VideoEntry

MAX_RESULTS = 100
"""YouTube-VIS scores so many results a video and category, those with the highest scores."""


@dataclass(frozen=True, eq=False)
class TrueTrack:
    """An annotated object.

    Attributes:
        index: its entry in `annotations`, from 0.
        video_id: the video's id.
        category_id: the category's id.
        masks: one a frame.
        area: mean of the non-zero areas, in pixels; 0 if there is none. As the file states them: the official
            evaluation sorts objects by these. Where it states none, those of the masks.
        crowd: whether the annotation is flagged `iscrowd`: found or not, it does not count.
    """

    index: int
    video_id: int
    category_id: int
    masks: Masks
    area: float
    crowd: bool


@dataclass(frozen=True, eq=False)
class FoundTrack:
    """A result: one predicted object.

    Attributes:
        index: its entry in the file, from 0.
        video_id: the video's id.
        category_id: the category's id.
        masks: one a frame.
        score: confidence; any finite number, higher is surer.
    """

    index: int
    video_id: int
    category_id: int
    masks: Masks
    score: float


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """An annotation file.

    Attributes:
        videos: by id.
        categories: name by id; 0 is an id as any other.
        tracks: in the order of the file.
    """

    videos: Mapping[int, VideoEntry]
    categories: Mapping[int, str]
    tracks: Sequence[TrueTrack]

    @property
    def present(self) -> list[int]:
        """Ids of the categories that have objects to find, in the order of their ids: the only ones with a score."""
        return sorted({track.category_id for track in self.tracks if not track.crowd})

    @property
    def listing(self) -> Listing:
        """What results refer to."""
        return Listing(self.videos, self.categories)


def truth_of(reading: Reading) -> GroundTruth:
    """The ground truth that an annotation file holds, read with its masks checked."""
    tracks = []
    for index, track in reading.tracks.items():
        masks, area = checked_masks(track.segmentations), track.stated_area
        stated = masks.area if area is None else area
        tracks.append(TrueTrack(index, track.video_id, track.category_id, masks, stated, track.crowd))
    return GroundTruth(reading.listing.videos, reading.listing.categories, tracks)


def found_of(reading: Reading) -> list[FoundTrack]:
    """The results that a file holds, read with its masks checked."""
    return [
        FoundTrack(index, track.video_id, track.category_id, checked_masks(track.segmentations), track.score)
        for index, track in reading.tracks.items()
    ]


def checked_masks(segmentations: object) -> Masks:
    """The masks of a track that was read with checks."""
    assert isinstance(segmentations, Masks), "masks are checked as they are read"
    return segmentations
