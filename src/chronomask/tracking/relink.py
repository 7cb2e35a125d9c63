"""Tracks of a whole video joined afterwards: one object that was lost and found again under another id.

The memory of the tracker decides in the middle of the video, from what it saw last. When the video has ended, all of
every track is known, and all pairs of an end and a beginning can be weighed against each other.

Legend: N tracks, K of them, S statistics of a pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64

from chronomask.assignment import assign
from chronomask.tracking.verdict import TrackSummary

STATISTICS = ("one", "likeness", "agreement", "distance", "gap")
"""Of a pair: 1; cosine of the features; Bhattacharyya's coefficient of the classes; distance between the place where
the first is expected and that where the second begins, in units of what may be expected; logarithm of the frames
between."""

COEFFICIENTS = (-4.72, 2.77, 4.89, -2.21, -0.51)
"""Of the log odds that a pair is one object; fitted by `benchmarks/relink.py`, see docs/experiments/occlusion.md."""

_ROWS = 100
"""Tracks whose pairs with all others are weighed together: those of a thousand would take 100 MB."""

LARGEST = 1000
"""As many tracks at most are looked at, those of the most pixels, so that a long video does not fill the memory."""

REACH, REACH_PER_FRAME = 0.1, 0.01
"""Distance, as a share of the frame's diagonal, that is to be expected at once, and more with every frame."""

FORESIGHT = 8
"""Frames for which an object is expected to go on as it moved."""


def relink(tracks: Sequence[TrackSummary]) -> dict[int, int]:
    """Joins tracks that never meet where that is more likely than not.

    An optimal assignment of ends to beginnings over the log odds; chains of pairs become one track.

    Returns:
        Ids of tracks that continue an earlier one, each with the id of the first of its chain.
    """
    tracks = sorted(tracks, key=lambda track: -track.pixels)[:LARGEST]
    if len(tracks) < 2:
        return {}
    odds = np.concatenate([_odds(tracks[row : row + _ROWS], tracks) for row in range(0, len(tracks), _ROWS)])
    before = {tracks[j].id: tracks[i].id for i, j in assign(odds) if odds[i, j] > 0}
    return {number: _first(number, before) for number in before}


def _odds(ends: Sequence[TrackSummary], begins: Sequence[TrackSummary]) -> Float64[np.ndarray, "K N"]:
    """Log odds that the track of a column continues that of the row; 0 where it does not, or rather not."""
    odds = pair_statistics(ends, begins) @ np.array(COEFFICIENTS)
    return np.where(follows(ends, begins), np.maximum(odds, 0.0), 0.0)


def _first(number: int, before: Mapping[int, int]) -> int:
    while number in before:
        number = before[number]
    return number


def follows(ends: Sequence[TrackSummary], begins: Sequence[TrackSummary]) -> Bool[np.ndarray, "K N"]:
    """Whether the track of a column begins after the track of a row has ended, in the same shot."""
    return np.array([[a.exit.last < b.entry.first and a.exit.shot == b.entry.shot for b in begins] for a in ends])


def pair_statistics(ends: Sequence[TrackSummary], begins: Sequence[TrackSummary]) -> Float64[np.ndarray, "K N S"]:
    """The STATISTICS of all pairs; they mean something where the track of the column follows that of the row."""
    gap = np.maximum(1, [[b.entry.first - a.exit.last for b in begins] for a in ends])
    start, end = np.array([track.entry.start for track in begins]), np.array([track.exit.end for track in ends])
    moved = end - np.array([track.exit.start for track in ends])
    speed = moved / np.array([[max(1, track.exit.last - track.exit.first)] for track in ends])
    expected = [end[:, None] + speed[:, None] * ahead for ahead in (0, np.minimum(gap, FORESIGHT)[..., None])]
    distance = np.min([np.linalg.norm(place - start, axis=2) for place in expected], 0)
    return np.stack(
        [
            np.ones(gap.shape),
            _directions(ends) @ _directions(begins).T,
            _classes(ends) @ _classes(begins).T,
            distance / (REACH + REACH_PER_FRAME * gap),
            np.log(gap),
        ],
        axis=2,
    )


def _directions(tracks: Sequence[TrackSummary]) -> Float64[np.ndarray, "K _"]:
    """Features of length 1."""
    features = np.stack([track.feature for track in tracks]).astype(np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _classes(tracks: Sequence[TrackSummary]) -> Float32[np.ndarray, "K _"]:
    """Roots of the probabilities."""
    return np.sqrt(np.stack([track.class_evidence / max(track.pixels, 1e-12) for track in tracks]))
