from pathlib import Path

import cv2
import numpy as np
import pytest

from chronomask.painting import EDGE_VARIANCE, REACH, paint

RECORDED = Path(__file__).parent / "painted.npz"


def paint_whole(probabilities, ids, picture, size):
    """With levels of the whole frame."""
    levels = [level[None] for level in probabilities]
    [painted] = paint(levels, [(0, 0)] * len(levels), ids, [picture], size)
    return painted


def cropped(level, reach):
    """A level as far around the tube as needed, and where its first cell lies."""
    inside = level > 0.5
    rows, columns = inside.any(1).nonzero()[0], inside.any(0).nonzero()[0]
    top, left = max(0, rows[0] - reach), max(0, columns[0] - reach)
    near = level[top : rows[-1] + 1 + reach, left : columns[-1] + 1 + reach]
    return near[None].copy(), (int(top), int(left))


def smooth_noise(count, rows, columns, seed):
    generator = np.random.default_rng(seed)
    coarse = generator.random((count, 4, 5), np.float32)
    return np.stack([cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_CUBIC) for plane in coarse])


def disjoint_tubes(count, rows, columns, seed):
    """Smooth random probabilities of which at most one exceeds a half in any cell."""
    noise = smooth_noise(count, rows, columns, seed)
    best = noise.argmax(0)
    probabilities = np.where(np.arange(count)[:, None, None] == best, noise, noise.clip(max=0.45)).clip(0, 1)
    return list(probabilities.astype(np.float32))


def grey(rows, columns, value=128):
    return np.full((3, 4 * rows, 4 * columns), value, np.uint8)


def whole(probability, picture):
    """A guided filter at half the size, window by window, over the whole picture."""
    guide = picture.mean(0).astype(np.float32) / 255
    height, width = half = guide.shape[0] // 2, guide.shape[1] // 2
    padded = [np.pad(cv2.resize(values, half[::-1]), 1, mode="reflect") for values in (probability, guide)]
    slopes, offsets, edges = np.zeros((3, height, width))
    for y in range(height):
        for x in range(width):
            p, i = (values[y : y + 3, x : x + 3] for values in padded)
            slopes[y, x] = ((i * p).mean() - i.mean() * p.mean()) / (i.var() + EDGE_VARIANCE)
            offsets[y, x] = p.mean() - slopes[y, x] * i.mean()
            edges[y, x] = i.var() / (i.var() + EDGE_VARIANCE)
    slopes, offsets, edges = (cv2.boxFilter(values, -1, (3, 3)) for values in (slopes, offsets, edges))
    slopes, offsets, edges = (
        cv2.resize(values, guide.shape[::-1]) for values in (edges * slopes, edges * offsets, edges)
    )
    return slopes * guide + offsets + (1 - edges) * cv2.resize(probability, guide.shape[::-1])


@pytest.mark.parametrize(
    ("cells", "size"),
    [((12, 15), (48, 60)), ((12, 15), (20, 28)), ((12, 15), (47, 61)), ((12, 15), (121, 200))],
)
def test_boxes_give_what_the_whole_frame_gives(cells, size):
    ids, (rows, columns) = [7, 3, 40_000, 12], cells
    probabilities = disjoint_tubes(4, rows, columns, 0)
    picture = (smooth_noise(3, 4 * rows, 4 * columns, 10).clip(0, 1) * 255).astype(np.uint8)
    expected, certain = np.zeros(size, int), np.ones(size, bool)
    for tube in (3, 2, 1, 0):
        full = cv2.resize(whole(probabilities[tube], picture).astype(np.float32), size[::-1])
        expected[full > 0.5] = ids[tube]
        certain &= abs(full - 0.5) > 0.02  # OpenCV rounds positions to a thirty-second of a pixel
    painted = paint_whole(probabilities, ids, picture, size)
    assert certain.sum() > 0.7 * certain.size - 1
    np.testing.assert_array_equal(painted[certain], expected[certain])


@pytest.mark.parametrize(("cells", "size"), [((1, 1), (1, 1)), ((1, 2), (3, 9)), ((2, 1), (9, 2))])
def test_tiny_sources(cells, size):
    """At the size at which a network sees them."""
    level = np.ones(cells, np.float32)
    assert (paint_whole([level], [4], grey(*cells), size) == 4).all()
    level[-1, -1] = 0
    assert paint_whole([level], [4], grey(*cells), size)[-1, -1] == 0


@pytest.mark.parametrize("size", [(48, 60), (121, 200)])
def test_levels_around_tubes_give_what_those_of_the_whole_frame_give(size):
    probabilities = disjoint_tubes(4, 12, 15, 1)
    picture = np.random.default_rng(1).integers(0, 256, (3, 48, 60), np.uint8)
    levels, corners = zip(*(cropped(level, REACH) for level in probabilities), strict=True)
    [around] = paint(levels, corners, [1, 2, 3, 4], [picture], size)
    np.testing.assert_array_equal(around, paint_whole(probabilities, [1, 2, 3, 4], picture, size))
    assert len(np.unique(around)) == 5


def test_masks_are_those_of_opencv():
    """Tubes of the sample clip, and what the same filter made of them at full size with OpenCV's functions."""
    with np.load(RECORDED) as recorded:
        levels = [recorded[key].astype(np.float32) for key in sorted(recorded) if key.startswith("level")]
        picture, expected = recorded["picture"], recorded["ids"]
    levels, corners = zip(*(cropped(level, REACH) for level in levels), strict=True)
    [painted] = paint(levels, corners, range(1, 1 + len(levels)), [picture], expected.shape)
    for number in range(1, 1 + len(levels)):
        assert iou(painted == number, expected == number) >= 0.999


def test_an_edge_moves_to_that_of_the_picture():
    rows, columns = 16, 24
    picture = grey(rows, columns, 60)
    picture[:, 21:45, 21:69] = 180
    # The network's tube lies a pixel further to the top and to the left.
    labels = np.zeros((rows, columns), np.int16)
    labels[5:11, 5:17] = 1
    probabilities = [np.where(labels, 0.9, 0.1).astype(np.float32)]
    painted = paint_whole(probabilities, [1], picture, (64, 96)) > 0
    truth = picture[0] == 180
    before = cv2.resize(probabilities[0], (96, 64)) > 0.5
    assert iou(before, truth) < 0.9
    assert iou(painted, truth) > 0.98


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("extent", [(6, 12), (2, 2), (1, 8), (8, 1)])
@pytest.mark.parametrize("contrast", [0, 10, 60])
def test_small_and_thin_tubes_survive(extent, contrast):
    labels, picture = np.zeros((16, 24), np.int16), grey(16, 24, 100)
    labels[5 : 5 + extent[0], 5 : 5 + extent[1]] = 1
    inside = np.kron(labels, np.ones((4, 4))) == 1
    picture[:, inside] += contrast
    probability = np.where(labels, 0.9, 0.1).astype(np.float32)
    plain = cv2.resize(probability, (96, 64)) > 0.5
    painted = paint_whole([probability], [5], picture, (64, 96)) == 5
    assert iou(painted, inside) > iou(plain, inside) - 0.01


def test_edges_move_by_a_cell_at_most():
    """Also inside the box of the tube, and where all around nearly belongs to it."""
    labels = np.zeros((16, 24), np.int16)
    labels[3:13, 3:5] = labels[11:13, 3:20] = 1
    near = cv2.dilate(np.kron(labels, np.ones((4, 4))), np.ones((9, 9))) > 0
    for seed in range(5):
        picture = np.random.default_rng(seed).integers(0, 256, (3, 64, 96), np.uint8)
        painted = paint_whole([np.where(labels, 0.95, 0.1).astype(np.float32)], [1], picture, (64, 96)) > 0
        assert not (painted & ~near).any()


def test_where_tubes_meet_the_first_keeps_the_pixel():
    left, right = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    left[:, :4], right[:, 4:] = 1, 1
    both = paint_whole([left, right], [1, 2], grey(8, 8), (32, 32))
    assert (both[:, :16] == 1).all()
    assert (both[:, 16:] == 2).all()


def test_ids_take_the_smallest_type():
    probabilities = disjoint_tubes(2, 6, 8, 0)
    assert paint_whole(probabilities, [1, 127], grey(6, 8), (9, 9)).dtype == np.int8
    assert paint_whole(probabilities, [1, 128], grey(6, 8), (9, 9)).dtype == np.int16
    assert paint_whole(probabilities, [1, 32_767], grey(6, 8), (9, 9)).dtype == np.int16
    assert paint_whole(probabilities, [1, 32_768], grey(6, 8), (9, 9)).dtype == np.int32
    assert paint([], [], [], [grey(6, 8)], (9, 9)).dtype == np.int8


def test_frames_painted_together_are_what_each_is_alone():
    """Of tubes that move, or are hidden in a frame."""
    frames = [disjoint_tubes(4, 12, 15, seed) for seed in range(5)]
    levels = list(np.stack(frames, 1))
    levels[0][2] = levels[1][3:] = 0
    pictures = list(np.random.default_rng(2).integers(0, 256, (5, 3, 48, 60), np.uint8))
    ids = [1, 2, 3, 4]
    together = paint(levels, [(0, 0)] * 4, ids, pictures, (47, 85))
    alone = [paint_whole([level[t] for level in levels], ids, picture, (47, 85)) for t, picture in enumerate(pictures)]
    np.testing.assert_array_equal(together, alone)
    assert set(np.unique(together)) == {0, *ids}
