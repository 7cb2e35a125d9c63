"""A bounded memory of the tracks of a video, which takes an object up again after it was hidden.

Legend: T frames of a clip, h w stride-4 cells, K tubes, C channels, L classes, R remembered tracks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import hypot

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int16
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from chronomask.config import StitchConfig
from chronomask.model.class_scores import shares_of_cells
from chronomask.structures import Tube

FADING = 0.7
"""Share that the clips before keep in what is remembered of a track when a clip is added."""

REACH = 0.1
"""Distance, as a share of the frame's diagonal, by which an object may well have moved while nobody saw it ..."""

REACH_PER_FRAME = 0.01
"""... and how much more with every frame."""


@dataclass(frozen=True, eq=False)
class Look:
    """How a tube looks, or the fading sum of what a track looked like.

    Attributes:
        feature: mean of the frames' features over the tube; only its direction counts.
        classes: class probabilities, up to a factor.
    """

    feature: Float32[np.ndarray, " C"]
    classes: Float32[np.ndarray, " L"]

    def likeness(self, other: Look) -> float:
        """Cosine of the features, in [-1, 1]; a feature of zeros says nothing and is like any other."""
        length = float(np.linalg.norm(self.feature) * np.linalg.norm(other.feature))
        return float(self.feature @ other.feature) / length if length else 1.0

    def similarity(self, other: Look) -> float:
        """Likeness of the features x agreement of the classes (Bhattacharyya's coefficient), in [0, 1]."""
        agreement = np.sqrt(self.classes * other.classes).sum() / np.sqrt(self.classes.sum() * other.classes.sum())
        return max(0.0, self.likeness(other)) * float(agreement)


def looks_of(tubes: Sequence[Tube], features: Float[Tensor, "T C _ _"]) -> list[Look]:
    """The looks of the tubes of a clip, from features of its frames at stride 16 (or 4, as the tubes)."""
    if not tubes:
        return []
    inside = torch.stack([tube.probability > 0.5 for tube in tubes]).float()
    shares = inside if features.shape[2:] == inside.shape[2:] else shares_of_cells(inside)
    # Features are of frames filled up to whole cells of the coarsest level; the tubes end where the frames do.
    features = features[..., : shares.shape[2], : shares.shape[3]]
    sums = torch.einsum("ktyx,tcyx->kc", shares, features.float())
    pooled = (sums / shares.sum((1, 2, 3))[:, None]).cpu().numpy()
    return [
        Look(feature, tube.class_probabilities.float().cpu().numpy())
        for feature, tube in zip(pooled, tubes, strict=True)
    ]


@dataclass(frozen=True)
class Visit:
    """When and where a tube is seen in a clip.

    Attributes:
        first, last: numbers of frames in the video.
        start, end: centre (y, x) in the first and last of them, as shares of the frame's diagonal.
        area: in cells, in the frame in which it is largest.
    """

    first: int
    last: int
    start: tuple[float, float]
    end: tuple[float, float]
    area: float


@dataclass(frozen=True, eq=False)
class Remembered:
    """A track: its look, and when and where it was seen last; see `Visit` for the units."""

    look: Look
    last: int
    end: tuple[float, float]
    area: float


def visits(labels: Int16[np.ndarray, "T h w"], tubes: int, begin: int) -> list[Visit]:
    """When and where the tubes of a label map are seen, in a clip whose first frame is number `begin`."""
    frames, rows, columns = labels.shape
    bins = labels + np.arange(frames)[:, None, None] * (tubes + 1)
    y, x = np.mgrid[:rows, :columns] / hypot(rows, columns)

    def sums(values: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "T K"]:
        weights = np.broadcast_to(values, bins.shape).ravel()
        return np.bincount(bins.ravel(), weights, frames * (tubes + 1)).reshape(frames, -1)[:, 1:]

    areas, ys, xs = sums(np.ones((rows, columns))), sums(y), sums(x)
    found = []
    for tube in range(tubes):
        seen = np.flatnonzero(areas[:, tube])
        first, last = int(seen[0]), int(seen[-1])
        start, end = ((ys[t, tube] / areas[t, tube], xs[t, tube] / areas[t, tube]) for t in (first, last))
        found.append(Visit(begin + first, begin + last, start, end, float(areas[:, tube].max())))
    return found


class TrackMemory:
    """The tracks of the last `memory_frames` frames, at most `memory_tracks` beside those of the current clip."""

    def __init__(self, config: StitchConfig) -> None:
        self.config = config
        self.tracks: dict[int, Remembered] = {}

    def recall(
        self, looks: Sequence[Look], places: Sequence[Visit], free: Collection[int], present: Collection[int]
    ) -> dict[int, int]:
        """Which lost track each of some tubes continues: an optimal assignment over the similarities.

        Args:
            looks: of all tubes of a clip.
            places: of all tubes of the clip.
            free: the tubes in question.
            present: ids of tracks that are not lost, as other tubes of the clip continue them.

        Returns:
            Track ids by tube; tubes that resemble no lost track are left out.
        """
        tubes, lost = sorted(free), [number for number in self.tracks if number not in present]
        similar = np.array(
            [[_similarity(self.tracks[number], looks[k], places[k], self.config) for k in tubes] for number in lost]
        ).reshape(len(lost), len(tubes))
        pairs = zip(*linear_sum_assignment(similar, maximize=True), strict=True)
        return {tubes[k]: lost[n] for n, k in pairs if similar[n, k] > self.config.minimum_similarity}

    def likeness(self, number: int, look: Look) -> float:
        """Of a track and a tube; 1 for a track that is remembered no more."""
        return self.tracks[number].look.likeness(look) if number in self.tracks else 1.0

    def note(self, number: int, look: Look, place: Visit) -> None:
        """Takes in the tube with which a clip began or continued a track."""
        weight = np.float32(1 - FADING)
        known = Remembered(Look(look.feature * weight, look.classes * weight), place.last, place.end, place.area)
        if (before := self.tracks.pop(number, None)) is not None:
            keep = np.float32(FADING)
            look = Look(
                before.look.feature * keep + known.look.feature, before.look.classes * keep + known.look.classes
            )
            known = replace(known, look=look, area=max(known.area, FADING * before.area))
        self.tracks[number] = known  # behind all others: the dictionary is in the order of the last sight

    def forget(self, now: int, present: Collection[int]) -> None:
        """Drops lost tracks not seen for `memory_frames` up to frame `now`, and the oldest beyond `memory_tracks`.

        Args:
            present: ids of the tracks of the current clip, which stay.
        """
        oldest = now - self.config.memory_frames
        lost = [n for n, track in self.tracks.items() if n not in present and track.last >= oldest]
        kept = {*present, *lost[max(0, len(lost) - self.config.memory_tracks) :]}
        self.tracks = {number: track for number, track in self.tracks.items() if number in kept}


def _similarity(track: Remembered, look: Look, place: Visit, config: StitchConfig) -> float:
    """In [0, 1]: look x nearness x likeness of size; 0 where both are seen at one time, or too long after another."""
    gap = place.first - track.last
    if not 0 < gap <= config.memory_frames:
        return 0.0
    distance = hypot(place.start[0] - track.end[0], place.start[1] - track.end[1])
    nearness = np.exp(-0.5 * (distance / (REACH + REACH_PER_FRAME * gap)) ** 2)
    size = (min(place.area, track.area) / max(place.area, track.area)) ** 0.25
    return track.look.similarity(look) * float(nearness) * size
