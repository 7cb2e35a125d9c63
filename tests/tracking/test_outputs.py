import numpy as np
import pytest

from chronomask.embedding import coordinates
from chronomask.tracking.outputs import place

KINDS = ("y", "x", "t", "free")


def pixels_of(channels, frames=3, rows=8, columns=16, seed=0):
    return np.random.default_rng(seed).normal(size=(frames, channels, rows, columns)).astype(np.float32)


@pytest.mark.parametrize("foreground", [True, False])
def test_channels_have_their_names(foreground):
    pixels = pixels_of(2 * 4 + 1 + foreground + 5)
    found = place(pixels, [], KINDS, foreground, (32, 64))
    channels = pixels.swapaxes(0, 1)
    np.testing.assert_array_equal(found.embedding, channels[:4] + coordinates(KINDS, 3, 8, 16, (32, 64)))
    np.testing.assert_array_equal(found.log_variance, channels[4:8])
    np.testing.assert_array_equal(found.heat, channels[8])
    if foreground:
        np.testing.assert_array_equal(found.foreground, channels[9])
    else:
        assert found.foreground is None
    np.testing.assert_array_equal(found.class_logits, channels[9 + foreground :])


@pytest.mark.parametrize(("size", "rows", "columns"), [((31, 50), 8, 13), ((20, 64), 5, 16), ((4, 4), 1, 1)])
def test_padding_is_cut_off(size, rows, columns):
    """Coordinates are those of the frame without it."""
    pixels = pixels_of(7)
    found = place(pixels, [], ("y", "x"), False, size)
    offsets = pixels.swapaxes(0, 1)[:2, :, :rows, :columns]
    assert found.heat.shape == (3, rows, columns)
    assert found.class_logits.shape == (2, 3, rows, columns)
    np.testing.assert_array_equal(found.embedding, offsets + coordinates(("y", "x"), 3, rows, columns, size))


def test_class_scores_of_the_backbone_are_those_of_the_frames():
    frames = [np.full((5, 2, 4), number, np.float32) for number in range(3)]
    for scores in frames:
        scores[:, 1:] = scores[:, :, 3:] = np.nan  # of padding
    found = place(pixels_of(6), frames, ("y", "x"), True, (16, 36))
    np.testing.assert_array_equal(found.class_logits, np.arange(3)[None, :, None, None] * np.ones((5, 3, 1, 3)))
    assert found.foreground is not None
