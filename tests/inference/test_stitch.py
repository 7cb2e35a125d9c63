"""Stitching on label maps made by hand: what the network would say is given, only the ids are in question."""

import numpy as np
import pytest
import torch

from chronomask.config import StitchConfig
from chronomask.inference.memory import Look
from chronomask.inference.stitch import Stitcher, merge, overlaps

ROWS, COLUMNS = 24, 40


def alike(tubes):
    """Looks that tell nothing apart."""
    return [Look(np.ones(2, np.float32), np.ones(3, np.float32))] * tubes


def video_of(paths, length):
    """A video of rectangles. `paths`: per object (y, height, width, x of frame t or None when out of sight).

    Later objects pass before earlier ones. Objects are numbered from 1.
    """
    video = torch.zeros(length, ROWS, COLUMNS, dtype=torch.int64)
    for frame in range(length):
        for number, (y, height, width, x_of) in enumerate(paths, 1):
            if (x := x_of(frame)) is not None:
                left, right = max(0, round(x)), min(COLUMNS, round(x) + width)
                video[frame, y : y + height, left : max(left, right)] = number
    return video


def clip_of(video, start, length, generator):
    """What clustering would give for a clip: tubes numbered in an order that has nothing to do with the objects."""
    part = video[start : start + length]
    numbers = [int(number) for number in part.unique() if number]
    order = torch.randperm(len(numbers), generator=generator).tolist()
    labels = torch.zeros_like(part, dtype=torch.int16)
    for tube, place in enumerate(order):
        labels[part == numbers[place]] = tube + 1
    return labels, len(numbers)


def stitched(video, length=8, overlap=4, config=StitchConfig()):  # noqa: B008  (frozen)
    """Track ids of the whole video, cut into clips as the segmenter does."""
    generator = torch.Generator().manual_seed(0)
    stitcher = Stitcher(config)
    out = torch.zeros_like(video)
    for start in range(0, len(video) - overlap, length - overlap):
        shared = overlap if start else 0
        labels, tubes = clip_of(video, start, length, generator)
        ids, new = stitcher.add(labels, alike(tubes), shared)
        assert len(ids) == len(set(ids)) == tubes
        tracks = torch.tensor([0, *ids])[labels.long()]
        old = out[start : start + shared]
        out[start : start + len(labels)] = torch.cat([merge(old, tracks[:shared], new), tracks[shared:]])
    return out


def check_same_objects(found, video):
    """Every object has one id wherever it is seen, and no two have the same."""
    ids = {}
    for number in video.unique().tolist():
        seen = found[video == number].unique().tolist()
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
    assert found[:6].unique().tolist() == [0, 1]
    assert found[16:].unique().tolist() == [0, 2]


def row(*values):
    return torch.tensor(values).view(1, 1, -1)


def test_the_older_clip_wins_and_a_new_tube_keeps_what_is_free():
    stitcher = Stitcher(StitchConfig())
    first, second = row(1, 1, 1, 0, 0, 0).short(), row(1, 1, 0, 1, 2, 0).short()
    assert stitcher.add(torch.cat([first, first]), alike(1), 0) == ([1], {1})
    ids, new = stitcher.add(torch.cat([second, second]), alike(2), 1)
    assert (ids, new) == ([1, 2], {2})
    # The shared frame: the older outline of track 1, not the newer; the new track where nobody was.
    assert stitcher.recent[0].tolist() == [[1, 1, 1, 0, 2, 0]]
    assert stitcher.recent[1].tolist() == [[1, 1, 0, 1, 2, 0]]


def test_merge():
    merged = merge(row(1, 1, 0, 0, 0), row(2, 3, 2, 3, 0), {3})
    assert merged.flatten().tolist() == [1, 1, 0, 3, 0]
    assert merge(row(1, 0), row(2, 2), set()).flatten().tolist() == [1, 0]


def test_a_tube_below_the_minimum_iou_starts_a_track():
    first, second = row(1, 1, 1, 1, 0, 0, 0).short(), row(0, 0, 0, 1, 1, 1, 1).short()  # IoU 1/7
    for minimum, expected in ((0.1, [1]), (0.2, [2])):
        stitcher = Stitcher(StitchConfig(minimum_iou=minimum))
        stitcher.add(first, alike(1), 0)
        assert stitcher.add(second, alike(1), 1)[0] == expected


def test_what_hides_an_object_does_not_inherit_its_track():
    """Same place, other look; when the first look is back in the same place, so is its track."""
    square, (red, green) = row(1, 1, 0).short(), np.eye(2, dtype=np.float32)
    for minimum, expected in ((0.8, [1, 2, 2, 1]), (-1.0, [1, 1, 1, 1])):
        stitcher = Stitcher(StitchConfig(minimum_likeness=minimum))
        ids = []
        for feature in (red, green, green, red):
            look = Look(feature, np.ones(3, np.float32))
            ids += stitcher.add(torch.cat([square] * 2), [look], 1 if ids else 0)[0]
        assert ids == expected


def test_tubes_that_do_not_touch_never_join():
    stitcher = Stitcher(StitchConfig(minimum_iou=0.0, memory_frames=0))
    stitcher.add(row(1, 1, 0, 0).short(), alike(1), 0)
    assert stitcher.add(row(0, 0, 1, 1).short(), alike(1), 1) == ([2], {2})


def test_without_overlap_only_the_memory_joins_clips():
    labels = row(1, 1, 2).short()
    stitcher = Stitcher(StitchConfig())
    assert stitcher.add(labels, alike(2), 0) == ([1, 2], {1, 2})
    assert stitcher.add(labels, alike(2), 0) == ([1, 2], {1, 2})
    stitcher = Stitcher(StitchConfig(memory_frames=0))
    assert stitcher.add(labels, alike(2), 0) == ([1, 2], {1, 2})
    assert stitcher.add(labels, alike(2), 0) == ([3, 4], {3, 4})


def test_the_assignment_is_optimal_and_not_greedy():
    # Old tracks A (10 pixels) and B (4), new tubes a (11) and b (3). A-a is the best pair of all with 7/14, but leaves
    # B and b with nothing in common; A-b (3/10) and B-a (4/11) together explain more.
    old = row(*[1] * 10, *[2] * 4)
    new = row(*[2] * 3, *[1] * 11)
    iou = overlaps(old, new.short(), [1, 2], 2)
    torch.testing.assert_close(iou, torch.tensor([[7 / 14, 3 / 10], [4 / 11, 0.0]]))
    stitcher = Stitcher(StitchConfig())
    stitcher.add(old.short(), alike(2), 0)
    assert stitcher.add(new.short(), alike(2), 1) == ([2, 1], set())


def test_overlaps_are_intersection_over_union():
    generator = torch.Generator().manual_seed(0)
    old = torch.tensor([0, 3, 7, 12])[torch.randint(4, (2, 6, 7), generator=generator)]
    new = torch.randint(5, (2, 6, 7), generator=generator).short()
    iou = overlaps(old, new, [3, 7, 12], 6)
    for line, number in enumerate((3, 7, 12)):
        for tube in range(6):
            first, second = old == number, new == tube + 1
            expected = (first & second).sum() / (first | second).sum()
            assert iou[line, tube] == pytest.approx(expected.item())


def test_clips_without_tubes():
    stitcher = Stitcher(StitchConfig())
    nothing, something = row(0, 0, 0).short(), row(0, 1, 1).short()
    assert stitcher.add(nothing, alike(0), 0) == ([], set())
    assert stitcher.add(something, alike(1), 1) == ([1], {1})
    assert stitcher.add(nothing, alike(0), 1) == ([], set())
    assert stitcher.recent.tolist() == [[[0, 1, 1]]]  # the older clip's pixels stand
    assert stitcher.add(something, alike(1), 1) == ([1], set())


def test_many_tubes():
    count = 300
    video = torch.arange(1, count + 1).view(1, 1, count).repeat(12, 2, 1)
    for frame in range(12):
        video[frame] = video[frame].roll(3 * (frame // 3), -1)
    video = video.repeat_interleave(12, 2)
    ids = check_same_objects_without_background(stitched(video), video)
    assert sorted(ids) == list(range(1, count + 1))


def check_same_objects_without_background(found, video):
    pairs = torch.stack([video.flatten(), found.flatten()]).unique(dim=1)
    assert len(pairs[0].unique()) == pairs.shape[1]
    return pairs[1].tolist()
