from functools import reduce

import numpy as np
import pytest

from chronomask.categories import OBJECT, Category
from chronomask.tracking.cluster import Tube
from chronomask.tracking.memory import Look, Visit
from chronomask.tracking.verdict import TrackSummary

CLASSES = (Category(1, "person"), Category(18, "dog"), Category(17, "cat"))


NOWHERE = Visit(0, 0, (0.0, 0.0), (0.0, 0.0), 1.0)


def summary_of(*tubes):
    summaries = []
    for pixels, classes, objectness in tubes:
        inside = np.arange(8).reshape(1, 2, 4) < pixels
        tube = Tube((slice(0, 2), slice(0, 4)), inside.astype(np.float32), np.float32(classes), objectness)
        look = Look(np.zeros(2, np.float32), tube.class_probabilities)
        summaries.append(TrackSummary.of(1, tube, look, NOWHERE))
    return reduce(TrackSummary.and_then, summaries)


def verdict_of(summary, object_below, allowed=None):
    info = summary.verdict(CLASSES, object_below, allowed)
    assert info.id == 1
    return info.category, pytest.approx(info.score), pytest.approx(info.class_score)


def test_evidence_counts_by_its_pixels():
    summary = summary_of((6, [0.1, 0.8, 0.1], 0.9), (2, [0.1, 0.0, 0.9], 0.5))
    assert verdict_of(summary, 0.3) == (CLASSES[1], (6 * 0.9 + 2 * 0.5) / 8, (6 * 0.8) / 8)


def test_without_a_sure_name_it_is_an_object_of_the_same_score():
    summary = summary_of((4, [0.4, 0.3, 0.3], 0.8))
    assert verdict_of(summary, 0.5) == (OBJECT, 0.8, 0.6)
    assert verdict_of(summary, 0.4) == (CLASSES[0], 0.8, 0.4)


def test_a_name_that_is_only_the_best_allowed_costs_score():
    summary = summary_of((4, [0.2, 0.6, 0.2], 0.9))
    assert verdict_of(summary, 0.0, {"person", "dog"}) == (CLASSES[1], 0.9, 0.6)
    assert verdict_of(summary, 0.0, {"person"}) == (CLASSES[0], 0.9 * 0.2 / 0.6, 0.2)


def test_of_some_names_and_object_the_probabilities_are_among_these():
    summary = summary_of((4, [0.3, 0.6, 0.1], 0.9))
    assert verdict_of(summary, 0.25, {"person", "cat", "object"}) == (CLASSES[0], 0.9, 0.3 / 0.5)
    assert verdict_of(summary, 0.25, {"person", "object"}) == (CLASSES[0], 0.9, 0.3 / 0.4)
    assert verdict_of(summary, 0.25, {"person", "dog", "cat", "object"}) == (CLASSES[1], 0.9, 0.6)
    unlikely = summary_of((4, [0.04, 0.9, 0.06], 0.9))
    assert verdict_of(unlikely, 0.25, {"person", "object"}) == (OBJECT, 0.9, 1 - 0.04 / 0.14)


def test_a_track_without_pixels_has_no_score():
    assert summary_of((0, [0.1, 0.8, 0.1], 0.9)).verdict(CLASSES, 0.0).score == 0


def test_a_network_may_know_what_is_none_of_its_classes():
    dog, none = summary_of((4, [0.2, 0.5, 0.3], 0.9)), summary_of((4, [0.1, 0.3, 0.6], 0.9))
    assert dog.verdict(CLASSES[:2], 0.25).category == CLASSES[1]
    assert none.verdict(CLASSES[:2], 0.25).category == OBJECT
    # Among the allowed it counts as well; where nothing may be an object, the score tells.
    assert none.verdict(CLASSES[:2], 0.25, {"dog", "object"}).category == OBJECT
    assert dog.verdict(CLASSES[:2], 0.25, {"dog", "object"}).class_score == pytest.approx(0.5 / 0.8)
    info = none.verdict(CLASSES[:2], 0.0, {"dog"})
    assert (info.category, info.score) == (CLASSES[1], pytest.approx(0.9 * 0.3 / 0.6))
