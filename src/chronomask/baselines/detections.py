"""What detectors find in single frames, and the tracks that trackers make of it.

Legend: N detections, M tracks, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from chronomask.annotations.records import Track, VideoEntry
from chronomask.assignment import assign
from chronomask.rle import Rle, TrackMasks, bbox

NOTHING = np.zeros(0, np.float32)
"""The feature of a detection that comes without one."""


@dataclass(frozen=True, eq=False)
class Detection:
    """One object found in one frame.

    Attributes:
        mask: at the size of the frame.
        box: left, upper, right and lower edge, in pixels.
        score: in [0, 1]; how sure the detector is.
        category_id: of the data set.
        feature: how it looks; of any length, the same for all that are tracked together; empty where the detector gives
            none.
    """

    mask: Rle
    box: Float32[np.ndarray, " 4"]
    score: float
    category_id: int
    feature: Float32[np.ndarray, " C"] = field(default_factory=lambda: NOTHING)

    @classmethod
    def of(cls, mask: Rle, score: float, category_id: int, feature: Float32[np.ndarray, " C"] = NOTHING) -> Detection:
        """A detection whose box is the tightest around its mask."""
        x, y, width, height = bbox(mask)
        return cls(mask, np.array([x, y, x + width, y + height], np.float32), score, category_id, feature)


Frames = Sequence[Sequence[Detection]]
"""The detections of every frame of a video."""


@runtime_checkable
class DetectionTracker(Protocol):
    """Joins the detections of a video to tracks. May be called for one video after the other."""

    def track(self, frames: Frames) -> list[FoundTrack]:
        """The tracks of one video; a detection is in one of them at most."""
        ...


@dataclass(frozen=True, eq=False)
class FoundTrack:
    """One object followed through a video.

    Attributes:
        detections: by number of the frame, of which there is one at least.
    """

    detections: Mapping[int, Detection]

    @property
    def score(self) -> float:
        """Mean over its detections, as MaskTrack R-CNN has it (Yang et al. 2019, section 4.3)."""
        return float(np.mean([found.score for found in self.detections.values()]))

    @property
    def category_id(self) -> int:
        """The class of which its detections are surest together."""
        sums: dict[int, float] = {}
        for found in self.detections.values():
            sums[found.category_id] = sums.get(found.category_id, 0.0) + found.score
        return max(sums, key=lambda number: sums[number])

    def record(self, number: int, video: VideoEntry) -> Track:
        """The track as files hold it."""
        counts = [self.detections[t].mask["counts"] if t in self.detections else None for t in range(video.length)]
        score = min(1.0, max(0.0, round(self.score, 6)))
        return Track(number, video.id, self.category_id, score, TrackMasks(counts, video.height, video.width))


@runtime_checkable
class OnlineTracker(Protocol):
    """Joins the detections of a video to tracks, frame after frame."""

    def update(self, detections: Sequence[Detection]) -> list[int]:
        """The track of every detection of the next frame, a number from 1; 0 for one that is in none."""
        ...


def followed(tracker: OnlineTracker, frames: Frames) -> dict[int, FoundTrack]:
    """The tracks that a fresh tracker makes of a video, by their numbers."""
    found: dict[int, dict[int, Detection]] = {}
    for number, detections in enumerate(frames):
        for track, detection in zip(tracker.update(detections), detections, strict=True):
            if track:
                found.setdefault(track, {})[number] = detection
    return {track: FoundTrack(seen) for track, seen in found.items()}


def gainful_pairs(gain: Float[np.ndarray, "M N"]) -> list[tuple[int, int]]:
    """Pairs of rows and columns whose sum of gains is the greatest; each is in one at most, none is without gain."""
    good = gain > 0
    rows, columns = np.flatnonzero(good.any(1)), np.flatnonzero(good.any(0))
    if len(rows) == len(columns) == np.count_nonzero(good):  # nobody has a choice, as mostly
        return list(zip(rows.tolist(), good.argmax(1)[rows].tolist(), strict=True)) if len(rows) else []
    some = np.maximum(gain[rows[:, None], columns], 0)
    return [(int(rows[row]), int(columns[column])) for row, column in assign(some) if some[row, column] > 0]


def boxes_of(detections: Iterable[Detection]) -> Float32[np.ndarray, "N 4"]:
    """The boxes of detections, one a row."""
    return np.array([found.box for found in detections], np.float32).reshape(-1, 4)


def scores_of(detections: Iterable[Detection]) -> Float32[np.ndarray, " N"]:
    """The scores of detections."""
    return np.array([found.score for found in detections], np.float32)


def categories_of(detections: Iterable[Detection]) -> np.ndarray:
    """The class ids of detections."""
    return np.array([found.category_id for found in detections], np.int64)


def features_of(detections: Sequence[Detection]) -> Float32[np.ndarray, "N C"]:
    """The features of detections, one a row."""
    features = np.array([found.feature for found in detections], np.float32)
    return features.reshape(len(detections), features.size // max(1, len(detections)))


def box_iou(first: Float[np.ndarray, "M 4"], second: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "M N"]:
    """Intersection over union, in [0, 1], of every box with every other; 0 for two of no area."""
    left, upper, right, lower = first.T[:, :, None]
    other_left, other_upper, other_right, other_lower = second.T
    shared = np.minimum(right, other_right)
    shared -= np.maximum(left, other_left)
    rows = np.minimum(lower, other_lower)
    rows -= np.maximum(upper, other_upper)
    np.maximum(shared, 0, out=shared)
    np.maximum(rows, 0, out=rows)
    shared *= rows
    union = (right - left) * (lower - upper) + (other_right - other_left) * (other_lower - other_upper)
    union -= shared
    return np.divide(shared, union, out=shared, where=union > 0)
