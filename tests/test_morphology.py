import numpy as np
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt, generate_binary_structure

from chronomask.morphology import dilated, distance


@pytest.mark.parametrize("by", [0, 1, 2, 3, 8])
def test_it_grows_as_scipy_does_it(by):
    mask = np.random.default_rng(0).random((40, 57)) > 0.99
    before, expected = mask.copy(), mask
    for step in range(by):
        expected = binary_dilation(expected, generate_binary_structure(2, 1 + step % 2))
    np.testing.assert_array_equal(dilated(mask, by), expected)
    np.testing.assert_array_equal(mask, before)


def test_distances_are_nearly_those_of_a_circle():
    mask = np.zeros((41, 41), bool)
    mask[20, 20] = True
    y, x = np.nonzero(dilated(mask, 10))
    assert np.hypot(y - 20, x - 20).max() < 11.3
    assert np.pi * 9**2 < len(y) < np.pi * 11.3**2


@pytest.mark.parametrize("share", [0.001, 0.1, 0.9])
@pytest.mark.parametrize("shape", [(40, 57), (1, 9), (9, 1)])
def test_distances_are_those_of_scipy(shape, share):
    mask = np.random.default_rng(0).random(shape) < share
    mask[0, 0] = True
    np.testing.assert_allclose(distance(mask), distance_transform_edt(~mask), rtol=1e-6)


def test_nothing_is_infinitely_far():
    assert np.isposinf(distance(np.zeros((2, 3), bool))).all()
