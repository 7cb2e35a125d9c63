import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.optimize import linear_sum_assignment

from chronomask.assignment import assign

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=7)
VALUES = st.one_of(st.floats(-1e12, 1e12), st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0]))


@given(arrays(np.float64, SHAPES, elements=VALUES))
def test_sums_are_those_of_scipy(similarity):
    pairs = assign(similarity)
    rows, columns = ([pair[side] for pair in pairs] for side in (0, 1))
    assert len(pairs) == min(similarity.shape)
    assert rows == sorted(set(rows))
    assert len(set(columns)) == len(columns)
    best = similarity[linear_sum_assignment(similarity, maximize=True)].sum()
    assert similarity[rows, columns].sum() == pytest.approx(best, abs=1e-9 * (1 + abs(similarity).max(initial=0)))


@given(arrays(np.float32, SHAPES, elements=st.sampled_from([0.0, 0.5, 1.0])))
def test_ties_are_broken_alike_every_time(similarity):
    assert assign(similarity) == assign(similarity.copy(order="F"))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nobody_to_assign(shape):
    assert assign(np.zeros(shape)) == []


def test_the_best_sum_is_not_that_of_the_best_pairs():
    assert assign(np.array([[0.9, 0.8], [0.8, 0.1]])) == [(0, 1), (1, 0)]
    assert assign(np.array([[0.1, 0.7, 0.2]], np.float32)) == [(0, 1)]
    assert assign(np.array([[0.1], [0.7], [0.2]])) == [(1, 0)]


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1e9, 1e308])
def test_scale_does_not_matter(scale):
    assert assign(scale * np.array([[0.9, 0.8], [0.8, -0.9]])) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_is_refused(value):
    similarity = np.ones((2, 3))
    similarity[1, 2] = value
    with pytest.raises(ValueError, match=r"row 1 and column 2: -?(inf|nan) is not finite"):
        assign(similarity)
