"""DeepSORT: Wojke, Bewley and Paulus, "Simple online and realtime tracking with a deep association metric" (2017).

Every track has a Kalman filter (`kalman`) and a gallery of what it looked like. Tracks seen last choose first among the
detections that look alike and lie where they may be (the matching cascade); who is left over, of these and of young
tracks, joins by IoU. The appearance is that of the detections' features; where they have none, places alone decide.

Legend: N detections, M tracks, C channels, G remembered features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from chronomask.baselines.detections import (
    Detection,
    FoundTrack,
    Frames,
    box_iou,
    boxes_of,
    features_of,
    followed,
    gainful_pairs,
)
from chronomask.baselines.kalman import Filters, measured
from chronomask.config.checks import at_least, within

GATE = 9.4877
"""The 0.95 quantile of the chi-square distribution of four degrees of freedom."""


@dataclass(frozen=True)
class DeepSortConfig:
    """Of DeepSORT, the published values.

    Attributes:
        maximum_distance: a detection looks like a track up to this cosine distance, in [0, 2] ...
        maximum_iou_distance: ... and may lie where it is up to this 1 - IoU.
        maximum_age: frames without a detection after which a track ends.
        confirmed_after: a track counts once it had this many detections in a row from its first one.
        gallery: features that are remembered of a track, the latest.
    """

    maximum_distance: float = 0.2
    maximum_iou_distance: float = 0.7
    maximum_age: int = 30
    confirmed_after: int = 3
    gallery: int = 100

    def __post_init__(self) -> None:
        within(self, 0, 2, "maximum_distance")
        within(self, 0, 1, "maximum_iou_distance")
        at_least(self, 1, "maximum_age", "confirmed_after", "gallery")


@dataclass(frozen=True)
class DeepSort:
    """DeepSORT; see `DetectionTracker`. Tracks that never were confirmed are left out."""

    config: DeepSortConfig = DeepSortConfig()

    def track(self, frames: Frames) -> list[FoundTrack]:
        """The tracks of one video."""
        association = DeepSortAssociation(self.config)
        found = followed(association, frames)
        return [track for number, track in found.items() if number in association.confirmed_ever]


class DeepSortAssociation:
    """The tracks of one video; see `OnlineTracker`.

    Attributes:
        confirmed_ever: numbers of all tracks that were confirmed.
    """

    def __init__(self, config: DeepSortConfig) -> None:
        self.config = config
        self.begun = 0
        self.confirmed_ever: set[int] = set()
        self.numbers = np.zeros(0, np.int64)
        self.hits, self.missed = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.filters = Filters.begun(np.zeros((0, 4)))
        # Of every track; what is not filled yet repeats its first feature.
        self.galleries = np.zeros((0, config.gallery, 0), np.float32)

    def update(self, detections: Sequence[Detection]) -> list[int]:
        """The track of every detection of the next frame, also if it is not confirmed yet."""
        boxes, features = boxes_of(detections), _directions(features_of(detections))
        seen = measured(boxes)
        self.filters = self.filters.predicted()
        self.missed = self.missed + 1
        confirmed = self.hits >= self.config.confirmed_after
        pairs = self._alike(np.flatnonzero(confirmed), features, seen)
        pairs |= self._near(pairs, confirmed, boxes)
        tracks, places = (np.array(list(side), np.int64) for side in (pairs.keys(), pairs.values()))
        numbers = np.zeros(len(detections), np.int64)
        numbers[places] = self.numbers[tracks]
        self._continue(tracks, seen[places], features[places])
        self._end(confirmed)
        new = np.flatnonzero(numbers == 0)
        numbers[new] = np.arange(self.begun + 1, self.begun + 1 + len(new))
        self._begin(seen[new], features[new], numbers[new])
        return numbers.tolist()

    def _alike(
        self, tracks: Int64[np.ndarray, " M"], features: Float32[np.ndarray, "N C"], seen: Float64[np.ndarray, "N 4"]
    ) -> dict[int, int]:
        """The matching cascade over confirmed tracks, listing 1: those seen last choose first."""
        if not len(tracks) or not len(seen):
            return {}
        off = self.filters.only(tracks).distances(seen)
        # Without appearance, how far off a box is: lambda = 1 in eq. (5).
        distance = self._distances(tracks, features) if features.size else off * (self.config.maximum_distance / GATE)
        gain = (self.config.maximum_distance - distance) * (off <= GATE)
        pairs: dict[int, int] = {}
        ages = self.missed[tracks]
        for age in range(1, min(int(ages.max()), self.config.maximum_age) + 1):
            rows = np.flatnonzero(ages == age)
            if not len(rows):
                continue
            found = gainful_pairs(gain[rows])
            pairs |= {int(tracks[rows[row]]): column for row, column in found}
            gain[:, [column for _, column in found]] = 0  # they are taken
        return pairs

    def _near(self, pairs: dict[int, int], confirmed: np.ndarray, boxes: Float32[np.ndarray, "N 4"]) -> dict[int, int]:
        """Of those that are left over, tracks seen in the last frame and detections, by IoU."""
        left = np.ones(len(self.numbers), bool)
        left[list(pairs)] = False
        tracks = np.flatnonzero(left & (~confirmed | (self.missed == 1)))
        free = np.setdiff1d(np.arange(len(boxes)), list(pairs.values()))
        iou = box_iou(self.filters.boxes[tracks], boxes[free])
        gain = np.maximum(iou - (1 - self.config.maximum_iou_distance), 0)
        return {int(tracks[row]): int(free[column]) for row, column in gainful_pairs(gain)}

    def _distances(
        self, tracks: Int64[np.ndarray, " M"], features: Float32[np.ndarray, "N C"]
    ) -> Float32[np.ndarray, "M N"]:
        """Cosine distances from the most alike feature of each gallery."""
        filled = self.galleries[tracks, : self.hits[tracks].max()]
        alike = filled.reshape(-1, features.shape[1]) @ features.T
        return 1 - alike.reshape(len(tracks), -1, len(features)).max(1)

    def _continue(
        self,
        tracks: Int64[np.ndarray, " M"],
        seen: Float64[np.ndarray, "M 4"],
        features: Float32[np.ndarray, "M C"],
    ) -> None:
        self.filters = self.filters.corrected(tracks, seen)
        if features.size:
            self.galleries[tracks, self.hits[tracks] % self.config.gallery] = features
        self.hits[tracks] += 1
        self.missed[tracks] = 0
        self._note_confirmed(self.numbers[tracks], self.hits[tracks])

    def _end(self, confirmed: np.ndarray) -> None:
        """Forgets confirmed tracks that were missed for too long, and others that were missed at all."""
        stay = self.missed <= np.where(confirmed, self.config.maximum_age, 0)
        if not stay.all():
            self.numbers, self.hits, self.missed = self.numbers[stay], self.hits[stay], self.missed[stay]
            self.filters, self.galleries = self.filters.only(stay), self.galleries[stay]

    def _begin(
        self, seen: Float64[np.ndarray, "N 4"], features: Float32[np.ndarray, "N C"], numbers: Int64[np.ndarray, " N"]
    ) -> None:
        if not len(numbers):
            return
        self.begun += len(numbers)
        self.numbers = np.concatenate([self.numbers, numbers])
        self.hits = np.concatenate([self.hits, np.ones(len(numbers), np.int64)])
        self.missed = np.concatenate([self.missed, np.zeros(len(numbers), np.int64)])
        self.filters = self.filters.joined(Filters.begun(seen))
        repeated = np.repeat(features[:, None], self.config.gallery, 1)
        self.galleries = np.concatenate([self.galleries, repeated]) if len(self.galleries) else repeated
        self._note_confirmed(numbers, np.ones_like(numbers))

    def _note_confirmed(self, numbers: Int64[np.ndarray, " M"], hits: Int64[np.ndarray, " M"]) -> None:
        self.confirmed_ever.update(numbers[hits == self.config.confirmed_after].tolist())


def _directions(features: Float32[np.ndarray, "N C"]) -> Float32[np.ndarray, "N C"]:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), np.float32(1e-12))
