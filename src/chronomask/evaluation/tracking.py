"""HOTA and IDF1, computed by the package trackeval (extra `trackeval`).

HOTA: Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 2021. IDF1: Ristani et al.,
Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking, ECCV Workshops 2016.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from chronomask.annotations.content import Source
from chronomask.annotations.records import Track
from chronomask.errors import InputError
from chronomask.evaluation.ap import percent
from chronomask.evaluation.matching import VideoOverlap, match
from chronomask.evaluation.records import GroundTruth
from chronomask.evaluation.validate import read_results, read_truth


@dataclass(frozen=True)
class TrackingScores:
    """How well results detect and keep identities, frame by frame; each in [0, 1], NaN without objects.

    Attributes:
        HOTA: geometric mean of detection and association, mean over IoU 0.05:0.05:0.95.
        DetA: detection alone.
        AssA: association alone.
        IDF1: F1 of the identities at frame IoU 0.5.
    """

    HOTA: float
    DetA: float
    AssA: float
    IDF1: float


@dataclass(frozen=True)
class TrackingReport:
    """Tracking scores of a data set.

    Attributes:
        scores: mean over the categories that have objects.
        per_category: those categories by name.
        min_score: results with a lower score were left out.
    """

    scores: TrackingScores
    per_category: Mapping[str, TrackingScores]
    min_score: float


def tracking(truth: Source, results: Source, min_score: float = 0.5) -> TrackingReport:
    """Score results as tracks, class by class. Crowds are left out.

    Args:
        truth: an annotation file.
        results: a result file. These measures know no scores: every result counts in full.
        min_score: results with a lower score are left out.

    Raises:
        InputError: naming the place of every error of a file, or that trackeval is not installed.
    """
    annotated = read_truth(truth)
    return score_tracking(annotated, read_results(results, annotated), min_score)


def installed_metrics() -> Any:
    """The module `trackeval.metrics`; to be looked for before other work begins.

    Raises:
        InputError: trackeval is not installed.
    """
    try:
        from trackeval import metrics
    except ImportError:
        raise InputError("HOTA and IDF1 need the package trackeval: pip install 'chronomask[trackeval]'") from None
    return metrics


def score_tracking(truth: GroundTruth, results: Sequence[Track], min_score: float = 0.5) -> TrackingReport:
    """`tracking` of what was read already."""
    metrics = installed_metrics()
    found = [track for track in results if track.score >= min_score]
    overlaps = match(truth, found).overlaps
    measures = metrics.HOTA(), metrics.Identity({"PRINT_CONFIG": False})
    per_category = {}
    for number in truth.present:
        videos = [_sequence(overlap, truth, found, number) for overlap in overlaps.values()]
        hota, identity = (
            measure.combine_sequences({i: measure.eval_sequence(video) for i, video in enumerate(videos)})
            for measure in measures
        )
        means = [float(np.mean(hota[key])) for key in ("HOTA", "DetA", "AssA")]
        per_category[truth.categories[number]] = TrackingScores(*means, float(identity["IDF1"]))
    keys = ("HOTA", "DetA", "AssA", "IDF1")
    columns = [[getattr(row, key) for row in per_category.values()] for key in keys]
    means = [float(np.mean(column)) if column else math.nan for column in columns]
    return TrackingReport(TrackingScores(*means), per_category, min_score)


def _sequence(overlap: VideoOverlap, truth: GroundTruth, found: Sequence[Track], category_id: int) -> dict[str, Any]:
    """One video and category as trackeval takes it: per frame the ids in sight and their IoU."""
    columns = [
        column
        for column, g in enumerate(overlap.true)
        if truth.tracks[g].category_id == category_id and not truth.tracks[g].crowd and overlap.true_areas[column].any()
    ]
    rows = [
        row
        for row, d in enumerate(overlap.found)
        if found[d].category_id == category_id and overlap.found_areas[row].any()
    ]
    iou = overlap.frame_iou(rows, columns)
    true_ids = [np.flatnonzero(areas) for areas in overlap.true_areas[columns].T]
    found_ids = [np.flatnonzero(areas) for areas in overlap.found_areas[rows].T]
    return {
        "num_timesteps": len(iou),
        "num_gt_ids": len(columns),
        "num_tracker_ids": len(rows),
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, found_ids)),
        "gt_ids": true_ids,
        "tracker_ids": found_ids,
        "similarity_scores": [
            iou[t][np.ix_(ours, true)].T for t, (true, ours) in enumerate(zip(true_ids, found_ids, strict=True))
        ],
    }


def tracking_table(report: TrackingReport) -> Table:
    """The scores in percent for the terminal, the mean last."""
    title = f"tracking scores in percent, of results from {report.min_score:g} on"
    table = Table("category", "HOTA", "DetA", "AssA", "IDF1", title=title)
    for name, row in [*report.per_category.items(), ("mean", report.scores)]:
        table.add_row(name, *(percent(value) for value in (row.HOTA, row.DetA, row.AssA, row.IDF1)))
    return table
