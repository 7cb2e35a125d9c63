"""Which result found which object, threshold by threshold, and average precision from that.

The numbers that `evaluate` reports come from faster-coco-eval, which keeps its matches to itself. Everything that asks
*why* a number is what it is (bootstrap intervals, error types, the report) needs them, so the same greedy matching is
done here once more; tests hold both to the same average precision.

Legend: N results of the whole file, D results and G objects of one video, T frames, 10 IoU thresholds, B resamples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from chronomask.annotations.records import Track, by_video
from chronomask.evaluation.ap import THRESHOLDS
from chronomask.evaluation.overlap import areas_of, frame_intersections
from chronomask.evaluation.records import MAX_RESULTS, GroundTruth

RECALLS: Float64[np.ndarray, "101"] = np.linspace(0, 1, 101)
"""Recall points at which precision is read."""


@dataclass(frozen=True, eq=False)
class VideoOverlap:
    """All results of a video against all its objects, whatever their class.

    Attributes:
        found: the video's results, as places in the list of all results.
        true: the video's objects, as places in the list of all objects.
        common: pixels shared in each frame.
        found_areas: pixels of the results in each frame.
        true_areas: pixels of the objects in each frame.
    """

    found: Int64[np.ndarray, " D"]
    true: Int64[np.ndarray, " G"]
    common: Float64[np.ndarray, "T D G"]
    found_areas: Int64[np.ndarray, "D T"]
    true_areas: Int64[np.ndarray, "G T"]

    @property
    def iou(self) -> Float64[np.ndarray, "D G"]:
        """Track IoU."""
        common = self.common.sum(0)
        return common / np.maximum(np.add.outer(self.found_areas.sum(1), self.true_areas.sum(1)) - common, 1)

    def frame_iou(self, found: Sequence[int], true: Sequence[int]) -> Float64[np.ndarray, "T _ _"]:
        """IoU of some results and some objects in each frame; 0 where both are out of sight."""
        common = self.common[:, found][:, :, true]
        both = self.found_areas[found].T[:, :, None] + self.true_areas[true].T[:, None, :]
        return common / np.maximum(both - common, 1)


@dataclass(frozen=True, eq=False)
class Matches:
    """The outcome of the greedy matching.

    Attributes:
        truth: the annotation file.
        found: all results, in the order of their file.
        overlaps: by video id.
        hits: the object (its place in `truth.tracks`) that each result found at each threshold, or -1.
        ignored: whether a result matched a crowd instead, which makes it neither hit nor false positive.
        ranks: place of a result among those of its video and category by score, from 0; from MAX_RESULTS on it never
            counts.
    """

    truth: GroundTruth
    found: Sequence[Track]
    overlaps: Mapping[int, VideoOverlap]
    hits: Int64[np.ndarray, "10 N"]
    ignored: Bool[np.ndarray, "10 N"]
    ranks: Int64[np.ndarray, " N"]

    @property
    def order(self) -> list[int]:
        """Places of the results that count, in the order in which precision and recall are run through: by descending
        score; equal scores by video id, then as in the file."""
        counting = np.flatnonzero(self.ranks < MAX_RESULTS).tolist()
        return sorted(counting, key=lambda d: (-self.found[d].score, self.found[d].video_id))


def match(truth: GroundTruth, found: Sequence[Track]) -> Matches:
    """Match results with objects of their video and category as COCO does: by descending score, to the best that is
    still free and reaches the threshold; where there is none, to a crowd."""
    ours, true = by_video(found), by_video(truth.tracks)
    overlaps = {v: _overlap(truth, found, v, ours.get(v, ()), true.get(v, ())) for v in truth.videos}
    hits = np.full((len(THRESHOLDS), len(found)), -1)
    ignored = np.zeros(hits.shape, bool)
    ranks = np.zeros(len(found), np.int64)
    true_class = np.array([track.category_id for track in truth.tracks], np.int64)
    crowd = np.array([track.crowd for track in truth.tracks], bool)
    for overlap in overlaps.values():
        place = {int(d): row for row, d in enumerate(overlap.found)}
        whole, by_class = overlap.iou, defaultdict(list)
        for d in overlap.found.tolist():
            by_class[found[d].category_id].append(d)
        for category_id, members in by_class.items():
            order = sorted(members, key=lambda d: -found[d].score)
            ranks[order] = np.arange(len(order))
            order = np.array(order[:MAX_RESULTS])
            columns = np.flatnonzero(true_class[overlap.true] == category_id)
            iou = whole[[place[int(d)] for d in order]][:, columns]
            for k, threshold in enumerate(THRESHOLDS):
                found_columns, ignored[k, order] = _greedy(iou, crowd[overlap.true[columns]], threshold)
                hits[k, order[found_columns >= 0]] = overlap.true[columns[found_columns[found_columns >= 0]]]
    return Matches(truth, found, overlaps, hits, ignored, ranks)


def _overlap(
    truth: GroundTruth, found: Sequence[Track], video_id: int, d: Sequence[int], g: Sequence[int]
) -> VideoOverlap:
    ours, true = [found[i].masks for i in d], [truth.tracks[i].masks for i in g]
    length = truth.videos[video_id].length
    common = frame_intersections(ours, true) if ours and true else np.zeros((length, len(d), len(g)))
    nothing = np.zeros((0, length), np.int64)
    areas = (areas_of(ours) if ours else nothing), (areas_of(true) if true else nothing)
    return VideoOverlap(np.array(d, np.int64), np.array(g, np.int64), common, *areas)


def _greedy(
    iou: Float64[np.ndarray, "D G"], crowd: Bool[np.ndarray, " G"], threshold: float
) -> tuple[Int64[np.ndarray, " D"], Bool[np.ndarray, " D"]]:
    """Column that each row is matched to, or -1, and whether it falls to a crowd; rows by descending score."""
    free = ~crowd
    columns = np.full(len(iou), -1)
    to_crowd = np.zeros(len(iou), bool)
    enough = iou >= min(threshold, 1 - 1e-10)
    for row in np.flatnonzero(enough.any(1)):
        open_to = np.flatnonzero(enough[row] & free)
        if len(open_to):
            # Among equals COCO takes the last.
            best = open_to[::-1][np.argmax(iou[row, open_to[::-1]])]
            columns[row] = best
            free[best] = False
        else:
            to_crowd[row] = bool((enough[row] & crowd).any())
    return columns, to_crowd


def average_precision(
    hit: Bool[np.ndarray, " N"], weights: Float64[np.ndarray, "B N"], objects: Float64[np.ndarray, " B"]
) -> Float64[np.ndarray, " B"]:
    """Mean over 101 recall points of the best precision at that recall or a higher one (COCO's AP).

    Args:
        hit: whether each result found an object; in the order of `Matches.order`, results on crowds left out.
        weights: how often each result counts, in each resample.
        objects: how many objects there are in each resample; without any the AP is NaN.
    """
    if not len(hit):
        return np.where(objects > 0, 0.0, np.nan)
    true = np.cumsum(weights * hit, axis=1)
    precision = true / (np.cumsum(weights, axis=1) + np.spacing(1))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = true / objects[:, None]
    # A recall point belongs to the first result that reaches it.
    reached = np.searchsorted(RECALLS, recall, side="right")
    steps = np.diff(reached, axis=1, prepend=0)
    return np.where(objects > 0, (best * steps).sum(1) / len(RECALLS), np.nan)
