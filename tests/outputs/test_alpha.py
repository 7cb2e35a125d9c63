"""Soft edges that follow those of the picture."""

import numpy as np
import pytest

from chronomask.outputs.alpha import soft_alpha


def disc(height=60, width=80, radius=18):
    y, x = np.mgrid[:height, :width]
    return np.hypot(y - 30, x - 40) <= radius


def test_without_feather_alpha_is_the_mask():
    mask = disc()
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    np.testing.assert_array_equal(soft_alpha(image, mask, 0.0), 255 * mask.astype(np.uint8))
    assert not soft_alpha(image, np.zeros_like(mask), 2.0).any()


@pytest.mark.parametrize("feather", [1.0, 3.0])
def test_where_the_picture_says_nothing_the_edge_is_a_ramp(feather):
    mask = np.zeros((40, 60), bool)
    mask[:, 30:] = True
    alpha = soft_alpha(np.full((40, 60, 3), 90, np.uint8), mask, feather)
    row = alpha[20].astype(int)
    assert (np.diff(row) >= 0).all()
    np.testing.assert_allclose(row + row[::-1], 255, atol=1)
    first, last = 30 - 2 * round(feather), 30 + 2 * round(feather)
    assert not row[:first].any()
    assert (row[last:] == 255).all()
    assert ((row > 0) & (row < 255)).sum() >= 2 * round(feather)
    assert (alpha == alpha[20]).all()


def test_where_the_picture_has_an_edge_alpha_goes_with_it():
    """The mask is a pixel too large all round; what is bright is the object."""
    mask, object_ = disc(radius=19), disc(radius=18)
    image = np.where(object_, 220, 30).astype(np.uint8)[..., None].repeat(3, 2)
    rim = mask & ~object_
    flat = soft_alpha(np.full_like(image, 90), mask, 2.0)
    assert soft_alpha(image, mask, 2.0)[rim].mean() < 120 < 145 < flat[rim].mean()
    assert soft_alpha(image, mask, 2.0)[disc(radius=17)].mean() > 245
