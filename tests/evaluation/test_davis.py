from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from track_builders import HEIGHT, WIDTH, annotation, mask, random_case, result, truth_file

from chronomask import rle
from chronomask.evaluation.davis import TOLERANCE, _boundary, _outline, davis, davis_table

A, B = mask((5, 5, 10, 10)), mask((30, 15, 10, 10))


def test_perfect_results_score_1() -> None:
    truth = truth_file([annotation([A] * 4), annotation([B, B, None, None], 2)])
    results = [result([B, B, None, None], 0.3), result([A] * 4, 0.2)]
    for objects in ("many", "one"):
        scores = davis(truth, results, objects)
        assert (scores.J, scores.F, scores.J_and_F) == (1, 1, 1)
    assert [(row.object, row.result) for row in davis(truth, results).objects] == [(0, 1), (1, 0)]


def test_an_object_without_a_result_scores_as_an_empty_mask() -> None:
    truth = truth_file([annotation([A, A, None, None]), annotation([B] * 4)])
    scores = davis(truth, [result([B] * 4)])
    assert [(row.J, row.F, row.result) for row in scores.objects] == [(0.5, 0.5, None), (1, 1, 0)]
    assert pytest.approx(0.25) == davis(truth, []).J
    assert math.isnan(davis(truth_file([], {1: 3}), []).J)


def test_one_object_is_the_union_without_first_and_last_frame() -> None:
    truth = truth_file([annotation([None, A, A, None]), annotation([None, B, B, None])])
    results = [result([B, A, A, B], 0.4), result([A, None, B, A], 0.3), result([A] * 4, 0.1)]
    scores = davis(truth, results, "one", min_score=0.2)
    assert pytest.approx((0.5 + 1) / 2) == scores.J


def test_overlapping_results_keep_the_pixel_of_the_higher_score() -> None:
    truth = truth_file([annotation([mask((0, 0, 10, 10))])])
    both = [result([mask((0, 0, 10, 5))], 0.9), result([mask((0, 0, 10, 10))], 0.8)]
    assert pytest.approx(0.5) == davis(truth, both).J


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_boundary_agrees_with_trackeval(seed: int) -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("cv2")
    from trackeval.metrics import JAndF

    rng = np.random.default_rng(seed)
    masks = [ragged(rng) for _ in range(2)]
    ours = _boundary(*(_outline(m) for m in masks))
    target, found = ([{**rle.encode(m)}] for m in masks)
    theirs = JAndF._compute_f([target], [found], 0, 0, TOLERANCE)
    assert ours == pytest.approx(float(theirs[0]))


def ragged(rng: np.random.Generator) -> np.ndarray:
    """A few rectangles, some at the border, some with holes; sometimes nothing."""
    canvas = np.zeros((HEIGHT, WIDTH), bool)
    for _ in range(rng.integers(0, 4)):
        y, x = rng.integers(0, HEIGHT), rng.integers(0, WIDTH)
        canvas[y : y + rng.integers(1, 20), x : x + rng.integers(1, 30)] ^= True
    return canvas


def test_table() -> None:
    truth, results = random_case(1)
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(davis_table(davis(truth, results)))
    assert "mean" in console.export_text()
