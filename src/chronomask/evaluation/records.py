"""What an evaluation asks of annotations, once checked. Results are a list of tracks, in the order of their file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronomask.annotations.listing import Listing
from chronomask.annotations.records import Track, VideoEntry

MAX_RESULTS = 100
"""YouTube-VIS scores so many results a video and category, those with the highest scores."""


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """An annotation file.

    Attributes:
        videos: by id.
        categories: name by id; 0 is an id as any other.
        tracks: in the order of the file, their masks checked.
    """

    videos: Mapping[int, VideoEntry]
    categories: Mapping[int, str]
    tracks: Sequence[Track]

    @property
    def present(self) -> list[int]:
        """Ids of the categories that have objects to find, in the order of their ids: the only ones with a score."""
        return sorted({track.category_id for track in self.tracks if not track.crowd})

    @property
    def listing(self) -> Listing:
        """What results refer to."""
        return Listing(self.videos, self.categories)


def area_of(track: Track) -> float:
    """Size of an object in pixels, by which the official evaluation sorts: the mean of its areas other than 0.

    They are those that the file states; where it states none, those of the masks.
    """
    stated = track.stated_area
    return track.masks.area if stated is None else stated
