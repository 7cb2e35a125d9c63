"""Where the next click goes, and what is counted."""

import clicks
import fit_clicks
import numpy as np
import pytest

from chronomask.prompts import Point
from chronomask.tracking import relations
from tracking.test_prompted import scene


def test_the_next_click_is_into_the_largest_error():
    true = np.zeros((3, 20, 30), bool)
    true[:, 5:15, 5:15] = True
    masks = true.copy()
    masks[0, 5:8, 5:8] = False
    masks[1, 5:15, 5:10] = False
    masks[1, 1:3, 20:22] = True
    masks[2, 0:4, 18:25] = True
    [missed] = clicks.next_click(masks, true)
    assert (missed.frame, missed.positive) == (1, True)
    assert (missed.x, missed.y) in {(7, y) for y in range(7, 13)}
    masks[1] = true[1]
    [wrong] = clicks.next_click(masks, true)
    assert (wrong.frame, wrong.positive) == (2, False)
    assert 0 <= wrong.y < 4
    assert 18 <= wrong.x < 25
    assert clicks.next_click(true, true) == []


def test_what_is_missed_is_what_the_best_track_misses():
    ious = {"1 click": [0.6, 0.7, 0.2], "2 clicks": [0.6, 0.4, 0.5], "best automatic track": [0.4, 0.8, 0.3]}
    rows = clicks.summary(ious, "best automatic track")
    assert rows["best automatic track"] == {
        "mean IoU": pytest.approx(0.5), "objects found": 1, "of the missed": 0, "objects": 3
    }  # fmt: skip
    assert rows["1 click"]["of the missed"] == 1
    assert (rows["2 clicks"]["objects found"], rows["2 clicks"]["of the missed"]) == (2, 2)


def test_a_click_by_chance_is_on_the_object():
    true = np.zeros((3, 13, 18), bool)
    true[1, 4:9, 3:12] = True
    for seed in range(20):
        assert true[fit_clicks.click(true, np.random.default_rng(seed))]


def test_heads_learn_what_the_samples_show():
    known, random = scene(), np.random.default_rng(0)
    true = known.owners == 0
    features = relations.of_mask(known, true & (np.arange(4) < 2)[:, None, None], ~true)
    samples = fit_clicks.sampled(features, true, random)
    assert samples.features.shape == (len(samples.inside), len(relations.KNOWN))
    assert samples.weights.sum() == pytest.approx(true.size / true.sum())
    head = fit_clicks.fitted([samples], steps=30)
    assert ((head(features) > 0.5) == true).mean() > 0.95


def test_a_point_is_at_the_deepest_place():
    mask = np.zeros((9, 9), bool)
    mask[2:7, 3:8] = True
    assert clicks.point_at(mask, 4, False) == Point(5, 4, frame=4, positive=False)
