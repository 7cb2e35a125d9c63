from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from track_builders import annotation, mask, random_case, result, truth_file

from chronomask import rle
from chronomask.config import EvaluateConfig
from chronomask.errors import InputError
from chronomask.evaluation import ap
from chronomask.evaluation.ap import evaluate, evaluation_json, score
from chronomask.evaluation.overlap import box_iou, track_iou
from chronomask.evaluation.selection import selected
from chronomask.evaluation.validate import read_results, read_truth

A, B = mask((5, 5, 10, 10)), mask((30, 20, 10, 10))
TRUTH = truth_file(
    [annotation([A] * 2, 1), annotation([B] * 2, 2), annotation([A] * 2, 1, video_id=2)], categories=(1, 2, 3)
)


def test_results_of_categories_that_nobody_looked_for() -> None:
    """Of an open vocabulary: in video 2 nobody said whether there is a class2, in both that there is no class3."""
    found = [result([A] * 2), result([B] * 2, 0.8, 2), result([A] * 2, 0.9, 1, 2), result([B] * 2, 0.95, 2, 2)]
    assert pytest.approx(0.75) == evaluate(TRUTH, found).scores.AP
    assert evaluate(TRUTH, found, EvaluateConfig(open_vocabulary=True)).scores.AP == 1
    looked = {**TRUTH, "videos": [dict(video, labelled_classes=["class2"]) for video in TRUTH["videos"]]}
    assert pytest.approx(0.75) == evaluate(looked, found, EvaluateConfig(open_vocabulary=True)).scores.AP


def test_some_classes_and_none() -> None:
    found = [result([A] * 2, category_id=2), result([B] * 2, 0.8, 2)]
    evaluation = evaluate(TRUTH, found, EvaluateConfig(("class2",)))
    assert [(c.name, c.objects, c.predictions) for c in evaluation.per_category] == [("class2", 1, 2)]
    assert pytest.approx(0.5) == evaluation.scores.AP
    agnostic = evaluate(TRUTH, found, EvaluateConfig(class_agnostic=True))
    assert [(c.name, c.objects, c.predictions) for c in agnostic.per_category] == [("object", 3, 2)]
    assert pytest.approx(2 / 3) == agnostic.scores.AR100
    with pytest.raises(InputError, match="classes: 'clas2': close ones are class2"):
        evaluate(TRUTH, found, EvaluateConfig(("clas2",)))
    with pytest.raises(InputError, match="classes: 'class3': no object of the annotations, so that there is nothing"):
        evaluate(TRUTH, found, EvaluateConfig(("class3",)))
    notes: list[str] = []
    truth = read_truth(TRUTH)
    selected(EvaluateConfig(("class3", "class2")), truth, read_results(found, truth), notes.append)
    assert notes == ["classes: 'class3': no object of the annotations, and so no score"]


def test_categories_that_nobody_uses_change_nothing_and_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, results = random_case(5, videos=10)
    many = {**truth, "categories": [{"id": n, "name": f"phrase {n}"} for n in range(1, 51_249)]}
    scored: list[int] = []
    coco = ap._coco_truth
    monkeypatch.setattr(ap, "_coco_truth", lambda truth, ids: scored.extend(ids) or coco(truth, ids))
    ours = evaluate(many, results)
    assert len(scored) <= 3  # all of them would take 40 s
    usual = evaluate(truth, results)
    assert ours.scores == usual.scores
    assert [replace(c, name="") for c in ours.per_category] == [replace(c, name="") for c in usual.per_category]
    assert len(evaluation_json(ours)["per_category"]) <= 2


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_boxes_overlap_as_masks_that_fill_them(seed: int) -> None:
    truth, results = random_case(seed, videos=1)
    annotated = read_truth(truth)
    ours, true = ([track.masks for track in tracks] for tracks in (read_results(results, annotated), annotated.tracks))
    for masks in (*ours, *true):  # rectangles, but for those that were rolled over the edge
        for found in masks:
            if found is not None and rle.area(found) != np.prod(rle.bbox(found)[2:]):
                return
    np.testing.assert_allclose(box_iou(ours, true), track_iou(ours, true), atol=1e-12)


def test_a_mask_with_a_hole_has_the_box_of_one_without() -> None:
    ring = np.ones((40, 60), bool)
    ring[1:-1, 1:-1] = False
    truth = truth_file([annotation([dict(rle.encode(ring))])])
    annotated = read_truth(truth)
    found = read_results([result([dict(rle.encode(np.ones((40, 60), bool)))])], annotated)
    assert score(annotated, found).scores.AP == 0
    assert score(annotated, found, "boxes").scores.AP == 1
