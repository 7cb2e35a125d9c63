"""Corrections that spread as far as a clip looks alike."""

import numpy as np
import pytest

from chronomask.tracking.random_walk import CLICK, END, spread

SHAPE = (2, 4, 5)


def likeness(random, shape=SHAPE):
    return [
        random.uniform(0.01, 1, [side - (axis == along) for axis, side in enumerate(shape)]).astype(np.float32)
        for along in range(3)
    ]


def everywhere(shape, weight=1.0):
    return [
        np.full([side - (axis == along) for axis, side in enumerate(shape)], weight, np.float32) for along in range(3)
    ]


def unsaid(shape):
    return np.full(shape, np.nan, np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_it_solves_the_system_of_random_walks_with_priors(seed):
    random = np.random.default_rng(seed)
    level, steps, said = random.random(SHAPE, np.float32), likeness(random), unsaid(SHAPE)
    said[0, 1, 1], said[1, 3, 4] = 1, 0
    count = level.size
    numbers, matrix = np.arange(count).reshape(SHAPE), np.zeros((count, count))
    for axis, some in enumerate(steps):
        one, other = (np.take(numbers, range(first, SHAPE[axis] - 1 + first), axis).ravel() for first in (0, 1))
        for i, j, weight in zip(one, other, some.ravel(), strict=True):
            matrix[i, i] += weight
            matrix[j, j] += weight
            matrix[i, j] -= weight
            matrix[j, i] -= weight
    ends = np.where(np.isnan(said), END, CLICK).ravel()
    wanted = np.where(np.isnan(said), level, said).ravel()
    solved = np.linalg.solve(matrix + np.diag(ends), ends * wanted).reshape(SHAPE)
    np.testing.assert_allclose(spread(level, said, steps), solved, atol=5e-3)


def test_a_click_takes_what_looks_alike_and_stops_where_it_does_not():
    shape = (3, 10, 12)
    steps, said = everywhere(shape), unsaid(shape)
    steps[2][:, :, 5] = 1e-4  # an edge between columns 5 and 6, in every frame
    said[1, 5, 2], said[1, 5, 9] = 1, 0
    found = spread(np.full(shape, 0.3, np.float32), said, steps) > 0.5
    assert found[:, :, :6].all()
    assert not found[:, :, 6:].any()


def test_without_clicks_a_mask_within_its_edges_stays():
    shape = (2, 8, 8)
    steps = everywhere(shape)
    steps[2][:, :, 3] = 1e-4
    level = np.zeros(shape, np.float32)
    level[:, :, :4] = 1
    np.testing.assert_array_equal(spread(level, unsaid(shape), steps) > 0.5, level > 0.5)
