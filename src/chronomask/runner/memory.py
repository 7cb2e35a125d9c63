"""A bounded memory of tracks, as `inference.memory` has it; that one says why.

Legend: T frames of a clip, h w stride-4 cells, K tubes, C channels, L classes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import hypot

import numpy as np
from jaxtyping import Bool, Float32, Int16
from scipy.optimize import linear_sum_assignment

from chronomask.config import StitchConfig
from chronomask.runner.cluster import Tube, shares_of_cells

FADING = 0.7
REACH = 0.1
REACH_PER_FRAME = 0.01


@dataclass(frozen=True, eq=False)
class Sight:
    """How a tube looks, and when and where it is seen; or what is remembered of a track, with a fading sum of looks.

    Attributes:
        feature: mean of the frames' features over the tube; only its direction counts.
        classes: class probabilities, up to a factor.
        first, last: numbers of frames in the video.
        start, end: centre (y, x) in the first and last of them, as shares of the frame's diagonal.
        area: in cells, in the frame in which it is largest.
    """

    feature: Float32[np.ndarray, " C"]
    classes: Float32[np.ndarray, " L"]
    first: int
    last: int
    start: tuple[float, float]
    end: tuple[float, float]
    area: float

    def likeness(self, other: Sight) -> float:
        """Cosine of the features, in [-1, 1]; a feature of zeros is like any other."""
        length = float(np.linalg.norm(self.feature) * np.linalg.norm(other.feature))
        return float(self.feature @ other.feature) / length if length else 1.0


def sights(
    tubes: Sequence[Tube],
    labels: Int16[np.ndarray, "T h w"],
    features: Float32[np.ndarray, "T C _ _"],
    begin: int,
) -> list[Sight]:
    """The sights of the tubes of a clip whose first frame is number `begin`; the features are at stride 16."""
    return [_sight(tube, labels == index, features, begin) for index, tube in enumerate(tubes, 1)]


class TrackMemory:
    """The tracks of the last `memory_frames` frames, at most `memory_tracks` beside those of the current clip."""

    def __init__(self, config: StitchConfig) -> None:
        self.config = config
        self.tracks: dict[int, Sight] = {}  # in the order of the last sight

    def recall(self, seen: Sequence[Sight], free: Collection[int], present: Collection[int]) -> dict[int, int]:
        """Track ids by tube, for those of the tubes `free` that continue a track not `present`."""
        tubes, lost = sorted(free), [number for number in self.tracks if number not in present]
        similar = np.array([[_similarity(self.tracks[n], seen[k], self.config) for k in tubes] for n in lost])
        similar = similar.reshape(len(lost), len(tubes))
        pairs = zip(*linear_sum_assignment(similar, maximize=True), strict=True)
        return {tubes[k]: lost[n] for n, k in pairs if similar[n, k] > self.config.minimum_similarity}

    def likeness(self, number: int, sight: Sight) -> float:
        """Of a track and a tube; 1 for a track that is remembered no more."""
        return self.tracks[number].likeness(sight) if number in self.tracks else 1.0

    def note(self, number: int, sight: Sight) -> None:
        """Takes in the tube with which a clip began or continued a track."""
        feature, classes, area = sight.feature * (1 - FADING), sight.classes * (1 - FADING), sight.area
        if (before := self.tracks.pop(number, None)) is not None:
            feature, classes = feature + before.feature * FADING, classes + before.classes * FADING
            area = max(area, FADING * before.area)
        self.tracks[number] = replace(sight, feature=feature, classes=classes, area=area)

    def forget(self, now: int, present: Collection[int]) -> None:
        """Drops lost tracks not seen for `memory_frames` up to frame `now`, and the oldest beyond `memory_tracks`."""
        oldest = now - self.config.memory_frames
        lost = [n for n, track in self.tracks.items() if n not in present and track.last >= oldest]
        kept = {*present, *lost[max(0, len(lost) - self.config.memory_tracks) :]}
        self.tracks = {number: track for number, track in self.tracks.items() if number in kept}


def _sight(
    tube: Tube, inside: Bool[np.ndarray, "T h w"], features: Float32[np.ndarray, "T C _ _"], begin: int
) -> Sight:
    areas = inside.sum((1, 2))
    first, last = (int(frame) for frame in np.flatnonzero(areas)[[0, -1]])
    diagonal = hypot(*inside.shape[1:])

    def centre(frame: int) -> tuple[float, float]:
        y, x = (float(places.mean()) / diagonal for places in inside[frame].nonzero())
        return y, x

    shares = shares_of_cells(inside)
    features = features[..., : shares.shape[1], : shares.shape[2]]
    feature = np.tensordot(features, shares, ((0, 2, 3), (0, 1, 2))) / shares.sum()
    return Sight(
        feature, tube.class_probabilities, begin + first, begin + last, centre(first), centre(last), float(areas.max())
    )


def _similarity(track: Sight, seen: Sight, config: StitchConfig) -> float:
    """In [0, 1]: likeness x agreement of the classes x nearness x likeness of size."""
    gap = seen.first - track.last
    if not 0 < gap <= config.memory_frames:
        return 0.0
    agreement = np.sqrt(track.classes * seen.classes).sum() / np.sqrt(track.classes.sum() * seen.classes.sum())
    distance = hypot(seen.start[0] - track.end[0], seen.start[1] - track.end[1])
    nearness = np.exp(-0.5 * (distance / (REACH + REACH_PER_FRAME * gap)) ** 2)
    size = (min(seen.area, track.area) / max(seen.area, track.area)) ** 0.25
    return max(0.0, track.likeness(seen)) * float(agreement) * float(nearness) * size
