from math import exp, log

import numpy as np
import pytest

from chronomask.config import TUBE_STATISTICS, ClusterConfig
from chronomask.tracking.cluster import cluster
from chronomask.tracking.tube_score import tube_score, tube_statistics
from tracking.outputs import outputs_of


def test_statistics_of_a_tube_counted_by_hand():
    inside = np.zeros((2, 6, 8), bool)
    inside[0, 1:3, 2:5] = True  # 2 x 3: 10 edges
    inside[1, 1:3, 2:4] = True  # 2 x 2: 8 edges
    heat, foreground = np.zeros((2, 2, 6, 8), np.float32)
    heat[inside], foreground[0] = 0.5, 0.9
    membership = inside * np.float32(0.8)
    classes = np.float32([0.1, 0.7, 0.2])
    found = tube_statistics(heat, membership, foreground, inside, classes)
    assert len(found) == len(TUBE_STATISTICS)
    assert found == pytest.approx([1, log(5), 0.5, 0.8, 0.9 * 6 / 10, 18 / 10, 0.7])
    assert tube_statistics(heat, membership, None, inside, classes)[4] == 1


def test_the_score_is_the_logistic_function_of_the_weighted_sum():
    assert tube_score([1.0, 2.0, 0.5], [-1.0, 0.5, 3.0]) == pytest.approx(1 / (1 + exp(-1.5)))
    with pytest.raises(ValueError, match="zip"):
        tube_score([1.0, 2.0], [1.0])


def test_coefficients_change_the_score_and_nothing_else():
    heat = np.zeros((2, 12, 12))
    heat[:, 2:8, 2:8] = 0.9
    outputs = outputs_of(heat[None] * 5, np.zeros((1, 2, 12, 12)), heat, np.zeros((3, 2, 3, 3)))
    settings = ClusterConfig(minimum_pixels=1)
    (plain,), (scored,) = cluster(outputs, settings), cluster(outputs, settings, (-1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0))
    assert np.array_equal(plain.probability, scored.probability)
    assert plain.objectness == pytest.approx(0.9)
    assert scored.objectness == pytest.approx(1 / (1 + exp(1 - 1.8)))
