import numpy as np
import pytest
from skimage import data

from chronomask.config import SegmentConfig
from chronomask.segmenter.clips import network_size, shrunk


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (256, 448, (256, 448)),
        (480, 854, (252, 448)),
        (854, 480, (448, 252)),
        (100, 100, (100, 100)),  # never stretched
        (720, 720, (256, 256)),
        (101, 99, (100, 100)),
        (3, 5, (4, 4)),
        (20, 4000, (4, 448)),
    ],
)
def test_size_for_the_network(height, width, expected):
    assert network_size(height, width, SegmentConfig()) == expected


def under_triangles(image, size):
    """The image at another size: every pixel the average under a triangle, over the pixels that it stands for."""
    for axis, side in enumerate(size):
        scale = image.shape[axis] / side
        centres, places = (np.arange(side) + 0.5) * scale, np.arange(image.shape[axis]) + 0.5
        weights = np.maximum(0, 1 - np.abs(places - centres[:, None]) / scale)
        weights /= weights.sum(1, keepdims=True)
        image = np.moveaxis(np.tensordot(weights, image, (1, axis)), 0, axis)
    return image


@pytest.mark.parametrize(("short", "long"), [(256, 448), (128, 224), (100, 150), (40, 60)])
def test_frames_are_shrunk_as_an_eye_would(short, long):
    image, config = data.chelsea(), SegmentConfig(short_side=short, long_side=long)
    found = shrunk(image, config)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    expected = under_triangles(image.astype(float), network_size(*image.shape[:2], config))
    difference = np.abs(found.transpose(1, 2, 0) - expected)
    assert difference.mean() < 0.7
    assert difference.max() < (2.5 if short > 100 else 4)


def test_frames_of_the_right_size_stay_as_they_are():
    image = data.chelsea()[:256, :448]
    np.testing.assert_array_equal(shrunk(image, SegmentConfig()), image.transpose(2, 0, 1))
