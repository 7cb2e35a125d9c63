"""Stitching on label maps made by hand: what the network would say is given, only the ids are in question."""

import numpy as np
import pytest

from chronomask.config import StitchConfig
from chronomask.tracking.memory import Look, Visit
from chronomask.tracking.stitch import Stitcher, merge, overlaps

ROWS, COLUMNS = 24, 40


ALIKE = Look(np.ones(2, np.float32), np.ones(3, np.float32))
"""A look that tells nothing apart."""


def add(stitcher, labels, shared, looks=None):
    """Joins a clip of a label map, whose tubes look alike unless it is said how."""
    labels, begin = labels.astype(np.int16), stitcher.seen - shared
    numbers = range(1, labels.max(initial=0) + 1)
    return stitcher.add(
        labels, looks or [ALIKE] * len(numbers), [visit_of(labels == n, begin) for n in numbers], shared
    )


def visit_of(mask, begin):
    """By hand; a test of its own is among those of the memory."""
    seen, diagonal = np.flatnonzero(mask.any((1, 2))), np.hypot(*mask.shape[1:])
    start, end = (tuple(float(axis.mean()) / diagonal for axis in np.nonzero(mask[t])) for t in (seen[0], seen[-1]))
    return Visit(begin + int(seen[0]), begin + int(seen[-1]), start, end, float(mask.sum((1, 2)).max()))


def video_of(paths, length):
    """A video of rectangles. `paths`: per object (y, height, width, x of frame t or None when out of sight).

    Later objects pass before earlier ones. Objects are numbered from 1.
    """
    video = np.zeros((length, ROWS, COLUMNS), np.int64)
    for frame in range(length):
        for number, (y, height, width, x_of) in enumerate(paths, 1):
            if (x := x_of(frame)) is not None:
                left, right = max(0, round(x)), min(COLUMNS, round(x) + width)
                video[frame, y : y + height, left : max(left, right)] = number
    return video


def clip_of(video, start, length, random):
    """What clustering would give for a clip: tubes numbered in an order that has nothing to do with the objects."""
    part = video[start : start + length]
    numbers = np.unique(part[part > 0])
    new = np.zeros(video.max() + 1, np.int64)
    new[random.permutation(numbers)] = np.arange(1, len(numbers) + 1)
    return new[part]


def stitched(video, length=8, overlap=4, config=StitchConfig()):  # noqa: B008  (frozen)
    """Track ids of the whole video, cut into clips as the segmenter does."""
    random, stitcher, out = np.random.default_rng(0), Stitcher(config), np.zeros_like(video)
    for start in range(0, len(video) - overlap, length - overlap):
        shared = overlap if start else 0
        labels = clip_of(video, start, length, random)
        ids, new = add(stitcher, labels, shared)
        assert len(ids) == len(set(ids)) == labels.max()
        tracks = np.array([0, *ids])[labels]
        old = out[start : start + shared]
        out[start : start + len(labels)] = np.concatenate([merge(old, tracks[:shared], new), tracks[shared:]])
    return out


def check_same_objects(found, video):
    """Every object has one id wherever it is seen, and no two have the same."""
    ids = {}
    for number in np.unique(video).tolist():
        seen = np.unique(found[video == number]).tolist()
        assert len(seen) == 1, (number, seen)
        ids[number] = seen[0]
    assert ids[0] == 0
    assert len(set(ids.values())) == len(ids)
    return ids


CROSSING = [
    (6, 8, 8, lambda t: 1 + 1.5 * t),  # goes right
    (10, 8, 8, lambda t: 31 - 1.5 * t),  # goes left, and passes before the other, whose upper half stays visible
]


def test_ids_survive_a_crossing():
    video = video_of(CROSSING, 20)
    assert ((video == 1).sum((1, 2)) > 0).all()
    assert (video == 1).sum((1, 2)).min() == 8 * 4
    check_same_objects(stitched(video), video)


def test_ids_survive_objects_that_leave_and_enter():
    paths = [
        (0, 5, 6, lambda t: 10 - 2 * t),  # leaves at the left
        (6, 5, 6, lambda t: -8 + 2 * t),  # enters at the left
        (12, 5, 6, lambda t: 38 - 1.5 * t if t >= 9 else None),  # appears in the middle of a clip
        (18, 5, 6, lambda t: 10 + 0.5 * t),  # stays
        (12, 5, 6, lambda t: 4 if t < 6 else None),  # vanishes
    ]
    video = video_of(paths, 28)
    check_same_objects(stitched(video), video)


@pytest.mark.parametrize(("length", "overlap"), [(8, 1), (8, 4), (8, 7), (4, 2), (2, 1)])
def test_ids_survive_for_any_length_and_overlap(length, overlap):
    cuts = (length - overlap) * 6 + overlap
    video = video_of([(0, 8, 10, lambda t: t % 20), (9, 8, 10, lambda t: 20 - t % 20), (18, 5, 9, lambda t: 9)], cuts)
    check_same_objects(stitched(video, length, overlap), video)


def test_ids_are_new_after_a_gap_longer_than_the_overlap():
    video = video_of([(0, 8, 10, lambda t: 5 if t < 6 or t >= 16 else None)], 24)
    found = stitched(video, config=StitchConfig(memory_frames=0))
    assert np.unique(found[:6]).tolist() == [0, 1]
    assert np.unique(found[16:]).tolist() == [0, 2]


def row(*values):
    return np.array(values, np.int64)[None, None]


def test_the_older_clip_wins_and_a_new_tube_keeps_what_is_free():
    stitcher = Stitcher(StitchConfig())
    first, second = row(1, 1, 1, 0, 0, 0), row(1, 1, 0, 1, 2, 0)
    assert add(stitcher, np.concatenate([first, first]), 0) == ([1], {1})
    ids, new = add(stitcher, np.concatenate([second, second]), 1)
    assert (ids, new) == ([1, 2], {2})
    # The shared frame: the older outline of track 1, not the newer; the new track where nobody was.
    assert stitcher.recent[0].tolist() == [[1, 1, 1, 0, 2, 0]]
    assert stitcher.recent[1].tolist() == [[1, 1, 0, 1, 2, 0]]


def test_merge():
    merged = merge(row(1, 1, 0, 0, 0), row(2, 3, 2, 3, 0), {3})
    assert merged.ravel().tolist() == [1, 1, 0, 3, 0]
    assert merge(row(1, 0), row(2, 2), set()).ravel().tolist() == [1, 0]


def test_a_tube_below_the_minimum_iou_starts_a_track():
    first, second = row(1, 1, 1, 1, 0, 0, 0), row(0, 0, 0, 1, 1, 1, 1)  # IoU 1/7
    for minimum, expected in ((0.1, [1]), (0.2, [2])):
        stitcher = Stitcher(StitchConfig(minimum_iou=minimum))
        add(stitcher, first, 0)
        assert add(stitcher, second, 1)[0] == expected


def test_what_hides_an_object_does_not_inherit_its_track():
    """Same place, other look; when the first look is back in the same place, so is its track."""
    square, (red, green) = np.concatenate([row(1, 1, 0)] * 2), np.eye(2, dtype=np.float32)
    for minimum, expected in ((0.8, [1, 2, 2, 1]), (-1.0, [1, 1, 1, 1])):
        stitcher = Stitcher(StitchConfig(minimum_likeness=minimum))
        ids = []
        for feature in (red, green, green, red):
            ids += add(stitcher, square, 1 if ids else 0, [Look(feature, np.ones(3, np.float32))])[0]
        assert ids == expected


def test_tubes_that_do_not_touch_never_join():
    stitcher = Stitcher(StitchConfig(minimum_iou=0.0, memory_frames=0))
    add(stitcher, row(1, 1, 0, 0), 0)
    assert add(stitcher, row(0, 0, 1, 1), 1) == ([2], {2})


def test_without_overlap_only_the_memory_joins_clips():
    labels = row(1, 1, 2)
    stitcher = Stitcher(StitchConfig())
    assert add(stitcher, labels, 0) == ([1, 2], {1, 2})
    assert add(stitcher, labels, 0) == ([1, 2], {1, 2})
    stitcher = Stitcher(StitchConfig(memory_frames=0))
    assert add(stitcher, labels, 0) == ([1, 2], {1, 2})
    assert add(stitcher, labels, 0) == ([3, 4], {3, 4})


def test_the_assignment_is_optimal_and_not_greedy():
    # Old tracks A (10 pixels) and B (4), new tubes a (11) and b (3). A-a is the best pair of all with 7/14, but leaves
    # B and b with nothing in common; A-b (3/10) and B-a (4/11) together explain more.
    old = row(*[1] * 10, *[2] * 4)
    new = row(*[2] * 3, *[1] * 11)
    iou = overlaps(old, new.astype(np.int16), [1, 2], 2)
    np.testing.assert_allclose(iou, [[7 / 14, 3 / 10], [4 / 11, 0.0]])
    stitcher = Stitcher(StitchConfig())
    add(stitcher, old, 0)
    assert add(stitcher, new, 1) == ([2, 1], set())


def test_overlaps_are_intersection_over_union():
    random = np.random.default_rng(0)
    old = np.array([0, 3, 7, 12])[random.integers(4, size=(2, 6, 7))]
    new = random.integers(5, size=(2, 6, 7), dtype=np.int16)
    iou = overlaps(old, new, [3, 7, 12], 6)
    for line, number in enumerate((3, 7, 12)):
        for tube in range(6):
            first, second = old == number, new == tube + 1
            assert iou[line, tube] == pytest.approx((first & second).sum() / (first | second).sum())


def test_clips_without_tubes():
    stitcher = Stitcher(StitchConfig())
    nothing, something = row(0, 0, 0), row(0, 1, 1)
    assert add(stitcher, nothing, 0) == ([], set())
    assert add(stitcher, something, 1) == ([1], {1})
    assert add(stitcher, nothing, 1) == ([], set())
    assert stitcher.recent.tolist() == [[[0, 1, 1]]]  # the older clip's pixels stand
    assert add(stitcher, something, 1) == ([1], set())


def test_many_tubes():
    count = 300
    numbers = np.arange(1, count + 1)
    video = np.stack([np.broadcast_to(np.roll(numbers, 3 * (frame // 3)), (2, count)) for frame in range(12)])
    video = video.repeat(12, 2)
    found = stitched(video)
    pairs = np.unique(np.stack([video.ravel(), found.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]
    assert sorted(pairs[1].tolist()) == list(range(1, count + 1))


def test_a_restored_stitcher_goes_on_as_the_other():
    video = video_of(CROSSING, 20)
    stitcher = Stitcher(StitchConfig())
    add(stitcher, video[:8], 0)
    add(stitcher, video[4:12], 4)
    other = Stitcher(StitchConfig())
    other.restore(stitcher.state())
    assert (other.next_id, other.seen) == (stitcher.next_id, stitcher.seen) == (3, 12)
    for start in (8, 12):
        assert add(other, video[start : start + 8], 4) == add(stitcher, video[start : start + 8], 4)
        assert np.array_equal(other.recent, stitcher.recent)
    fresh = Stitcher(StitchConfig())
    fresh.restore(Stitcher(StitchConfig()).state())
    assert add(fresh, video[:8], 0) == ([1, 2], {1, 2})
