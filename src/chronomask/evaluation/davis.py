"""DAVIS's region similarity J and boundary accuracy F, for objects that were found without help (unsupervised).

Measures: Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation, CVPR 2016.
Protocol for many objects: Caelles et al., The 2019 DAVIS Challenge on VOS: Unsupervised Multi-Object Segmentation.

Legend: T frames, H W pixels, P proposals (results), G true objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool
from rich.table import Table

from chronomask import rle
from chronomask.annotations.content import Source
from chronomask.annotations.masks import Masks
from chronomask.annotations.records import Track, VideoEntry, by_video
from chronomask.assignment import assign
from chronomask.evaluation.ap import percent
from chronomask.evaluation.records import GroundTruth
from chronomask.evaluation.validate import read_results, read_truth

PROPOSALS = 20
"""Results a video that the protocol for many objects looks at, those with the highest scores."""

TOLERANCE = 0.008
"""Distance up to which two boundaries agree, as a share of the frame's diagonal; rounded up to whole pixels."""


_Placed = Sequence[tuple[int, Track]]
"""Tracks of a video, each with its place in the file."""


@dataclass(frozen=True)
class ObjectScores:
    """How well one object was segmented.

    Attributes:
        video: the video's name.
        object: its place among the annotations that are scored, from 0; None where all objects of a video are one.
        result: place of the result that was given to it, from 0; None without one, or where all results are one.
        J: intersection over union, mean over the frames, in [0, 1].
        F: F measure of the boundary, mean over the frames, in [0, 1].
    """

    video: str
    object: int | None
    result: int | None
    J: float
    F: float


@dataclass(frozen=True)
class DavisScores:
    """J and F of a data set, each in [0, 1]; NaN without objects.

    Attributes:
        J: mean over the objects.
        F: mean over the objects.
        objects: one entry an object, or a video where all its objects are one.
        min_score: results with a lower score were left out.
    """

    J: float
    F: float
    objects: tuple[ObjectScores, ...]
    min_score: float

    @property
    def J_and_F(self) -> float:
        """The mean of J and F, by which DAVIS ranks."""
        return (self.J + self.F) / 2


def davis(
    truth: Source, results: Source, objects: Literal["many", "one"] = "many", min_score: float = 0.0
) -> DavisScores:
    """Score results by J and F, whatever their class.

    Args:
        truth: an annotation file. Crowds are objects as all others; a frame without a mask is an empty mask.
        results: a result file. Where results overlap, the pixel belongs to the higher score.
        objects: "many": the best PROPOSALS results of a video are assigned to its objects so that the mean of J and F
            is best, an object left over scores as an empty mask, all frames count (DAVIS 2017 unsupervised). "one": the
            union of the results against the union of the objects, first and last frame left out (DAVIS 2016).
        min_score: results with a lower score are left out.

    Raises:
        InputError: naming the place of every error of a file.
    """
    annotated = read_truth(truth)
    return score_davis(annotated, read_results(results, annotated), objects, min_score)


def score_davis(
    truth: GroundTruth, results: Sequence[Track], objects: Literal["many", "one"] = "many", min_score: float = 0.0
) -> DavisScores:
    """`davis` of what was read already."""
    objects_of, results_of = by_video(truth.tracks), by_video(results)
    rows: list[ObjectScores] = []
    for number, video in truth.videos.items():
        true = [(place, truth.tracks[place]) for place in objects_of.get(number, ())]
        found = [(place, results[place]) for place in results_of.get(number, ()) if results[place].score >= min_score]
        ours = sorted(found, key=lambda placed: -placed[1].score)
        rows += (_many_objects if objects == "many" else _one_object)(video, true, ours)
    means = [float(np.mean([getattr(row, key) for row in rows])) if rows else math.nan for key in ("J", "F")]
    return DavisScores(*means, tuple(rows), min_score)


def _many_objects(video: VideoEntry, true: _Placed, ranked: _Placed) -> Iterator[ObjectScores]:
    ours = ranked[:PROPOSALS]
    # Empty proposals fill up to the number of objects, as DAVIS does it: an object out of sight is then rightly empty.
    missing = [_outline(np.zeros((video.height, video.width), bool))] * max(0, len(true) - len(ours))
    similarity = np.zeros((2, len(ours) + len(missing), len(true)))
    for t in range(video.length):
        proposals = [_outline(mask) for mask in _disjoint(video, ours, t)] + missing
        for g, (_, track) in enumerate(true):
            target = _outline(_bitmap(video, track.masks, t))
            similarity[:, :, g] += np.array([(_region(p, target), _boundary(p, target)) for p in proposals]).T
    similarity /= video.length
    # Assigned from the objects' side, so that they come out in the order of the file.
    for g, p in assign(similarity.mean(0).T):
        result = ours[p][0] if p < len(ours) else None
        yield ObjectScores(video.name, true[g][0], result, float(similarity[0, p, g]), float(similarity[1, p, g]))


def _one_object(video: VideoEntry, true: _Placed, ranked: _Placed) -> Iterator[ObjectScores]:
    values = []
    for t in range(1, video.length - 1):
        ours, target = (_outline(_union(video, [track.masks for _, track in side], t)) for side in (ranked, true))
        values.append((_region(ours, target), _boundary(ours, target)))
    if true and values:
        yield ObjectScores(video.name, None, None, *np.mean(values, 0).tolist())


def _bitmap(video: VideoEntry, masks: Masks, t: int) -> Bool[np.ndarray, "H W"]:
    mask = masks[t]
    return np.zeros((video.height, video.width), bool) if mask is None else rle.decode(mask)


def _union(video: VideoEntry, tracks: Sequence[Masks], t: int) -> Bool[np.ndarray, "H W"]:
    union = np.zeros((video.height, video.width), bool)
    for masks in tracks:
        union |= _bitmap(video, masks, t)
    return union


def _disjoint(video: VideoEntry, ranked: _Placed, t: int) -> Iterator[Bool[np.ndarray, "H W"]]:
    """The masks of a frame without the pixels that a higher score has taken: DAVIS keeps one label a pixel."""
    free = np.ones((video.height, video.width), bool)
    for _, track in ranked:
        mask = _bitmap(video, track.masks, t)
        yield mask & free
        free &= ~mask


@dataclass(frozen=True, eq=False)
class _Outline:
    """A mask, the boundary pixels of it, and the pixels within the tolerance of that boundary."""

    mask: Bool[np.ndarray, "H W"]
    edge: Bool[np.ndarray, "H W"]
    near: Bool[np.ndarray, "H W"]


def _outline(mask: Bool[np.ndarray, "H W"]) -> _Outline:
    # A boundary pixel differs from the next one to the right, below or both (Martin et al., as DAVIS takes it).
    height, width = mask.shape
    grown = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    edge = (mask != grown[:-1, 1:]) | (mask != grown[1:, :-1]) | (mask != grown[1:, 1:])
    radius = math.ceil(TOLERANCE * math.hypot(height, width))
    canvas = np.zeros((height + 2 * radius, width + 2 * radius), bool)
    ys, xs = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (ys * canvas.shape[1] + xs)[ys**2 + xs**2 <= radius**2]
    y, x = np.nonzero(edge)
    middle = (y + radius) * canvas.shape[1] + x + radius
    canvas.ravel()[np.add.outer(middle, disk).ravel()] = True
    return _Outline(mask, edge, canvas[radius : radius + height, radius : radius + width])


def _region(ours: _Outline, target: _Outline) -> float:
    """J: intersection over union; 1 for two empty masks."""
    union = np.count_nonzero(ours.mask | target.mask)
    return np.count_nonzero(ours.mask & target.mask) / union if union else 1.0


def _boundary(ours: _Outline, target: _Outline) -> float:
    """F: harmonic mean of the shares of either boundary that lie near the other; 1 for two masks without boundary."""
    sizes = np.count_nonzero(ours.edge), np.count_nonzero(target.edge)
    if not all(sizes):
        return float(not any(sizes))
    precision = np.count_nonzero(ours.edge & target.near) / sizes[0]
    recall = np.count_nonzero(target.edge & ours.near) / sizes[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def davis_table(scores: DavisScores) -> Table:
    """J and F in percent for the terminal, the mean last."""
    title = f"DAVIS scores in percent, of results from {scores.min_score:g} on"
    table = Table("video", "object", "J", "F", "J&F", title=title)
    for row in scores.objects:
        number = "all" if row.object is None else str(row.object)
        table.add_row(row.video, number, percent(row.J), percent(row.F), percent((row.J + row.F) / 2))
    table.add_section()
    table.add_row("mean", "", percent(scores.J), percent(scores.F), percent(scores.J_and_F), style="bold")
    return table
