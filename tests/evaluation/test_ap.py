from __future__ import annotations

import copy
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console
from track_builders import annotation, mask, random_case, result, truth_file

from chronomask import rle
from chronomask.evaluation.ap import AREAS, THRESHOLDS, evaluate, evaluation_json, evaluation_table, ranked
from chronomask.evaluation.overlap import track_iou
from chronomask.evaluation.records import area_of
from chronomask.evaluation.validate import read_results, read_truth

CASES = sorted((Path(__file__).parent / "cases").iterdir())
SEEDS = st.integers(0, 10**6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_twelve_numbers_are_the_official_evaluators(case: Path) -> None:
    official = json.loads((case / "official.json").read_text())
    ours = evaluation_json(evaluate(case / "instances.json", case / "results.json"))
    assert {key: round(ours[key], 6) for key in official} == official


def track_map(truth: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, float]:
    """AP and AR by trackeval's TrackMAP with YouTube-VIS's settings, mean over the classes."""
    from trackeval.metrics import TrackMAP

    areas = [list(limits) for name, limits in AREAS.items() if name != "all"]
    options = {"USE_TIME_RANGES": False, "AREA_RANGES": areas, "IOU_THRESHOLDS": THRESHOLDS, "MAX_DETECTIONS": 100}
    metric = TrackMAP(options | {"PRINT_CONFIG": False})
    annotated = read_truth(truth)
    found = read_results(results, annotated)
    by_class = {}
    for category_id in annotated.categories:
        by_video = {}
        for video_id in annotated.videos:
            true = [t for t in annotated.tracks if (t.video_id, t.category_id) == (video_id, category_id)]
            ours = ranked([t for t in found if (t.video_id, t.category_id) == (video_id, category_id)])
            by_video[video_id] = metric.eval_sequence(
                {
                    "iou_type": "mask",
                    "gt_tracks": [frames_of(t.masks) for t in true],
                    "dt_tracks": [frames_of(t.masks) for t in ours],
                    "gt_track_ids": list(range(1, len(true) + 1)),
                    "dt_track_ids": list(range(1, len(ours) + 1)),
                    "gt_track_areas": [area_of(t) for t in true],
                    "dt_track_areas": [t.masks.area for t in ours],
                    "dt_track_scores": np.array([t.score for t in ours]),
                }
            )
        by_class[category_id] = metric.combine_sequences(by_video)
    combined = metric.combine_classes_class_averaged(by_class)
    return {"AP": float(np.mean(combined["AP_all"])), "AR100": float(np.mean(combined["AR_all"]))}


def frames_of(masks: Any) -> dict[int, Any]:
    return {t: dict(m, counts=m["counts"].encode()) for t, m in enumerate(masks) if m is not None}


@given(SEEDS, st.booleans())
@settings(max_examples=30, deadline=None)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:trackeval")
def test_agrees_with_trackeval(seed: int, ties: bool) -> None:
    truth, results = random_case(seed, videos=4, ties=ties)
    annotated = read_truth(truth)
    iou = track_iou_of_all(annotated, read_results(results, annotated))
    # trackeval lets an IoU pass that lies a rounding error below a threshold; COCO does not.
    assume(np.abs(iou[:, None] - THRESHOLDS).min(initial=1) > 1e-9)
    ours = evaluate(truth, results).scores
    assert pytest.approx(track_map(truth, results), abs=1e-9) == {"AP": ours.AP, "AR100": ours.AR100}


def track_iou_of_all(truth: Any, found: Any) -> np.ndarray:
    blocks = [np.zeros(0)]
    for number in truth.videos:
        true, ours = ([t.masks for t in tracks if t.video_id == number] for tracks in (truth.tracks, found))
        blocks.append(track_iou(ours, true).ravel())
    return np.concatenate(blocks)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_track_iou_is_that_of_the_bitmaps(seed: int) -> None:
    truth, results = random_case(seed, videos=1, crowds=0.3)
    annotated = read_truth(truth)
    found = read_results(results, annotated)
    iou = track_iou([track.masks for track in found], [track.masks for track in annotated.tracks])
    for d, ours in enumerate(found):
        for g, true in enumerate(annotated.tracks):
            a, b = bitmap(ours.masks), bitmap(true.masks)
            assert iou[d, g] == (a & b).sum() / max((a | b).sum(), 1)
    assert all((track.masks.areas == bitmap(track.masks).sum((1, 2))).all() for track in found)


def bitmap(masks: Any) -> np.ndarray:
    empty = np.zeros((40, 60), bool)
    return np.stack([empty if m is None else rle.decode(m) for m in masks])


@given(SEEDS, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_does_not_matter_for_distinct_scores(seed: int, random: Any) -> None:
    truth, results = random_case(seed, crowds=0.2)
    other = results.copy()
    random.shuffle(other)
    assert evaluate(truth, other).scores == evaluate(truth, results).scores


def test_ties_keep_the_order_of_the_file() -> None:
    right, wrong = mask((5, 5, 10, 10)), mask((30, 20, 10, 10))
    truth = truth_file([annotation([right])])
    hit, miss = result([right], 0.5), result([wrong], 0.5)
    assert evaluate(truth, [hit, miss]).scores.AP == 1
    assert pytest.approx(0.5) == evaluate(truth, [miss, hit]).scores.AP


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_perfect_results_score_1(seed: int) -> None:
    truth, _ = random_case(seed, crowds=0.3)
    seen = [a for a in truth["annotations"] if any(a["areas"])]
    truth["annotations"] = seen
    assume(any(not a["iscrowd"] for a in seen))
    results = [result(a["segmentations"], 0.5, a["category_id"], a["video_id"]) for a in seen]
    assert set(asdict(evaluate(truth, results).scores).values()) >= {1.0}
    assert evaluate(truth, results).scores.AP == 1
    assert evaluate(truth, results).scores.AR100 == 1


@given(SEEDS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_lower_scored_false_positive_never_helps(seed: int, other: int) -> None:
    truth, results = random_case(seed, crowds=0.2)
    assume(truth["annotations"])
    video = truth["videos"][0]
    noise = [mask((55, 36, 5, 4))] * video["length"]
    more = [*results, result(noise, -1.0, 1 + other % 2, video["id"])]
    assert evaluate(truth, more).scores.AP <= evaluate(truth, results).scores.AP + 1e-12


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_compressed_and_plain_run_lengths_agree(seed: int) -> None:
    truth, results = random_case(seed, crowds=0.2)
    plain = copy.deepcopy((truth, results))
    for entry in (*plain[0]["annotations"], *plain[1]):
        for m in entry["segmentations"]:
            if m is not None:
                m["counts"] = rle.run_lengths(m["counts"]).tolist()
    assert evaluate(*plain).scores == evaluate(truth, results).scores


def test_no_results_score_0_and_no_objects_score_nothing() -> None:
    truth = truth_file([annotation([mask((5, 5, 10, 10))])])
    nothing = evaluate(truth, []).scores
    assert (nothing.AP, nothing.AR100, nothing.APs, nothing.APl) == (0, 0, 0, -1)
    assert set(asdict(evaluate(truth_file([], {1: 2}), []).scores).values()) == {-1}


def test_a_track_never_in_sight_finds_nothing() -> None:
    truth = truth_file([annotation([mask((5, 5, 10, 10))]), annotation([None])])
    scores = evaluate(truth, [result([None], 0.9), result([mask((5, 5, 10, 10))], 0.8)]).scores
    assert scores.AR100 == 0.5
    assert evaluate(truth, [result([None])]).scores.AR100 == 0


def test_a_crowd_is_neither_missed_nor_a_false_positive() -> None:
    one, crowd = mask((0, 0, 10, 10)), mask((20, 10, 30, 20))
    truth = truth_file([annotation([one]), annotation([crowd], iscrowd=1)])
    twice = [result([crowd], 0.9), result([crowd], 0.8), result([one], 0.7)]
    assert evaluate(truth, twice).scores.AP == 1
    # A prediction inside the crowd has a small IoU with it: COCO would take it for a match, YouTube-VIS does not.
    inside = [result([mask((22, 12, 5, 5))], 0.9), result([one], 0.7)]
    assert pytest.approx(0.5) == evaluate(truth, inside).scores.AP


def test_annotation_id_0_and_category_0_count() -> None:
    truth = truth_file([annotation([mask((0, 0, 10, 10))], category_id=0)], categories=(0,))
    truth["annotations"][0]["id"] = 0
    results = [result([mask((0, 0, 10, 10))], category_id=0)]
    evaluation = evaluate(truth, results)
    assert evaluation.scores.AP == 1
    assert [(c.id, c.objects, c.predictions) for c in evaluation.per_category] == [(0, 1, 1)]


def test_at_most_100_results_a_video_and_category() -> None:
    right, wrong = mask((0, 0, 10, 10)), mask((30, 20, 10, 10))
    truth = truth_file([annotation([right])])
    results = [*[result([wrong], 0.9)] * 100, result([right], 0.5)]
    assert evaluate(truth, results).scores.AR100 == 0
    assert evaluate(truth, results[1:]).scores.AR100 == 1


def test_table_shows_percent() -> None:
    truth, results = random_case(4)
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(evaluation_table(evaluate(truth, results)))
    text = console.export_text()
    assert "class1" in text
    assert "AR100" in text
    assert f"{100 * evaluate(truth, results).scores.AP:.1f}" in text
