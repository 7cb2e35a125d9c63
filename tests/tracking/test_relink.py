from dataclasses import replace

import numpy as np
import pytest

from chronomask.tracking import relink as module
from chronomask.tracking.memory import Visit
from chronomask.tracking.relink import relink
from chronomask.tracking.verdict import TrackSummary

RED, BLUE = np.float32([1, 0, 0]), np.float32([0, 1, 0.2])


def track(number, first, last, start, end, feature=RED, classes=(0.9, 0.1), pixels=100.0):
    """Seen in one clip, from here to there."""
    visit = Visit(first, last, start, end, 30.0)
    return TrackSummary(number, np.float32(classes) * np.float32(pixels), feature, visit, visit, 0.9 * pixels, pixels)


BEFORE = track(3, 0, 7, (0.2, 0.1), (0.2, 0.2))
AFTER = track(8, 12, 19, (0.2, 0.27), (0.2, 0.4))


def test_what_goes_on_where_it_was_heading_is_one_object():
    assert relink([BEFORE, AFTER]) == relink([AFTER, BEFORE]) == {8: 3}


@pytest.mark.parametrize(
    "other",
    [
        track(8, 12, 19, (0.2, 0.27), (0.2, 0.4), feature=BLUE, classes=(0.1, 0.9)),
        track(8, 12, 19, (0.9, 0.9), (0.9, 0.9)),
        track(8, 7, 19, (0.2, 0.2), (0.2, 0.4)),
    ],
    ids=["another look", "far away", "they meet"],
)
def test_others_are_not(other):
    assert relink([BEFORE, other]) == {}


def test_the_pairs_are_chosen_together_and_chains_become_one():
    """Both ends would take the nearer beginning; the sum of all is greater when each takes its own."""
    second = track(4, 0, 7, (0.3, 0.1), (0.3, 0.2))
    later = track(9, 12, 19, (0.3, 0.27), (0.3, 0.4))
    last = track(12, 30, 37, (0.2, 0.5), (0.2, 0.6))
    assert relink([BEFORE, second, AFTER, later, last]) == {8: 3, 9: 4, 12: 3}


def test_of_very_many_tracks_the_large_ones_are_looked_at(monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 2)
    small = replace(AFTER, id=5, pixels=1.0)
    assert relink([BEFORE, small, AFTER]) == {8: 3}
    assert relink([]) == relink([BEFORE]) == {}
