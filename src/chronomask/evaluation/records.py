"""What the files of an evaluation hold, once checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronomask.evaluation.tubes import Tube
from chronomask.formats.ytvis import VideoEntry


@dataclass(frozen=True, eq=False)
class TrueTrack:
    """An annotated object.

    Attributes:
        index: its entry in `annotations`, from 0.
        video_id: the video's id.
        category_id: the category's id.
        tube: its masks.
        area: mean of the file's non-zero `areas`, in pixels; 0 if there is none.
        crowd: whether the annotation is flagged `iscrowd`: found or not, it does not count.
    """

    index: int
    video_id: int
    category_id: int
    tube: Tube
    area: float
    crowd: bool


@dataclass(frozen=True, eq=False)
class FoundTrack:
    """A result: one predicted object.

    Attributes:
        index: its entry in the file, from 0.
        video_id: the video's id.
        category_id: the category's id.
        tube: its masks.
        score: confidence; any finite number, higher is surer.
    """

    index: int
    video_id: int
    category_id: int
    tube: Tube
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
