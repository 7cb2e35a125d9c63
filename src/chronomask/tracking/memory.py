"""A bounded memory of the tracks of a video, which takes an object up again after it was hidden.

Legend: T frames of a clip, hc wc cells at stride 16, K tubes, M remembered tracks, C channels, L classes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import hypot

import numpy as np
from jaxtyping import Float32, Float64

from chronomask.assignment import assign
from chronomask.config import StitchConfig
from chronomask.state import State
from chronomask.tracking.class_scores import cells_of, shares_of_cells
from chronomask.tracking.cluster import Tube

FADING = 0.7
"""Share that the clips before keep in what is remembered of a track when a clip is added."""

REACH = 0.1
"""Distance, as a share of the frame's diagonal, by which an object may well have moved while nobody saw it ..."""

REACH_PER_FRAME = 0.01
"""... and how much more with every frame."""


_STATE = ("ids", "last", "place", "shot", "feature", "classes")
"""Names of the arrays in the state of a memory."""


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


def look_of(tube: Tube, features: Float32[np.ndarray, "T C _ _"]) -> Look:
    """The look of a tube, from features of the clip's frames at stride 16."""
    rows, columns = cells_of(tube.box)
    shares = shares_of_cells(tube.inside)
    sums = np.einsum("tyx,tcyx->c", shares, features[:, :, rows, columns])
    return Look(sums / (shares.sum() or np.float32(1)), tube.class_probabilities)


@dataclass(frozen=True, slots=True)
class Visit:
    """When and where a tube is seen in a clip.

    Attributes:
        first, last: numbers of frames in the video.
        start, end: centre (y, x) in the first and last of them, as shares of the frame's diagonal.
        area: in cells, in the frame in which it is largest.
        shot: number of the shot, from 0.
    """

    first: int
    last: int
    start: tuple[float, float]
    end: tuple[float, float]
    area: float
    shot: int = 0

    @property
    def row(self) -> tuple[float, ...]:
        """Its numbers, for `of_row`."""
        return float(self.first), float(self.last), *self.start, *self.end, self.area, float(self.shot)

    @classmethod
    def of_row(cls, row: Float64[np.ndarray, " 8"]) -> Visit:
        """The visit of these numbers."""
        first, last, *places, area, shot = row.tolist()
        return cls(int(first), int(last), (places[0], places[1]), (places[2], places[3]), area, int(shot))


def visit_of(tube: Tube, begin: int, shape: tuple[int, ...]) -> Visit:
    """When and where a tube is seen, in a clip of this shape (T h w) whose first frame is number `begin`."""
    inside, diagonal = tube.inside, hypot(*shape[1:])
    by_row, by_column = inside.sum(2), inside.sum(1)
    areas = by_row.sum(1)
    y, x = (np.arange(side.start, side.stop) for side in tube.box)
    seen = np.flatnonzero(areas)
    first, last = int(seen[0]), int(seen[-1])
    start, end = (
        (float(by_row[t] @ y) / diagonal / int(areas[t]), float(by_column[t] @ x) / diagonal / int(areas[t]))
        for t in (first, last)
    )
    return Visit(begin + first, begin + last, start, end, float(areas.max()))


@dataclass(frozen=True, eq=False)
class Remembered:
    """A track: its look, and when and where it was seen last; see `Visit` for the units."""

    look: Look
    last: int
    end: tuple[float, float]
    area: float
    shot: int


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
        return {tubes[k]: lost[n] for n, k in assign(similar) if similar[n, k] > self.config.minimum_similarity}

    def likeness(self, number: int, look: Look) -> float:
        """Of a track and a tube; 1 for a track that is remembered no more."""
        return self.tracks[number].look.likeness(look) if number in self.tracks else 1.0

    def note(self, number: int, look: Look, place: Visit) -> None:
        """Takes in the tube with which a clip began or continued a track."""
        weight = np.float32(1 - FADING)
        faded = Look(look.feature * weight, look.classes * weight)
        known = Remembered(faded, place.last, place.end, place.area, place.shot)
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

    def state(self) -> State:
        """All of it, for `restore`."""
        tracks = self.tracks.values()
        return {
            "ids": np.array(list(self.tracks), np.int64),
            "last": np.array([track.last for track in tracks], np.int64),
            "place": np.array([(*track.end, track.area) for track in tracks], np.float64).reshape(-1, 3),
            "shot": np.array([track.shot for track in tracks], np.int64),
            "feature": np.array([track.look.feature for track in tracks], np.float32),
            "classes": np.array([track.look.classes for track in tracks], np.float32),
        }

    def restore(self, state: State) -> None:
        """Puts the memory where it was."""
        self.tracks = {
            int(number): Remembered(Look(feature, classes), int(last), (float(y), float(x)), float(area), int(shot))
            for number, last, (y, x, area), shot, feature, classes in zip(*(state[n] for n in _STATE), strict=True)
        }


def _similarity(track: Remembered, look: Look, place: Visit, config: StitchConfig) -> float:
    """In [0, 1]: look x nearness x likeness of size; 0 where both are seen at one time, too long after another, or in
    different shots, whose places cannot be compared."""
    gap = place.first - track.last
    if not 0 < gap <= config.memory_frames or track.shot != place.shot:
        return 0.0
    distance = hypot(place.start[0] - track.end[0], place.start[1] - track.end[1])
    nearness = np.exp(-0.5 * (distance / (REACH + REACH_PER_FRAME * gap)) ** 2)
    size = (min(place.area, track.area) / max(place.area, track.area)) ** 0.25
    return track.look.similarity(look) * float(nearness) * size
