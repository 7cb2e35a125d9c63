"""Frames that several clips have in them: each track has the mean of the levels."""

import numpy as np

from chronomask import rle
from chronomask.segmenter.found import FoundClip, FreshFrame, Stretch, View, painted
from chronomask.tracking.cluster import Tube
from chronomask.tracking.tracker import Found

ROWS, COLUMNS = 12, 16
GREY = np.full((3, 4 * ROWS, 4 * COLUMNS), 128, np.uint8)


def tube(level, columns, length=2):
    """A tube that has this level in some columns of cells, and a margin that reaches three cells further."""
    box = slice(0, ROWS), slice(max(0, columns.start - 3), min(COLUMNS, columns.stop + 3))
    whole = np.zeros((length, ROWS, COLUMNS), np.float32)
    whole[:, 2:10, columns] = level
    return Tube(box, whole[:, *box], np.ones(1, np.float32), 1.0)


def view(ids, *tubes):
    fresh = [FreshFrame(index, index / 25, GREY) for index in range(2)]
    found = Found(list(tubes), [], np.zeros((2, ROWS, COLUMNS), np.int16))
    return View(FoundClip(found, 0, fresh, [GREY, GREY], (ROWS, COLUMNS)), ids, 0)


def masks(*views):
    """Columns of the last frame that belong to each track, in the row in the middle."""
    stretch = Stretch([FreshFrame(0, 0.0, GREY), FreshFrame(1, 0.04, GREY)], list(views))
    _, last = painted(stretch)
    return {number: np.flatnonzero(rle.decode(mask)[6]).tolist() for number, mask in last.items()}


def test_a_track_has_the_mean_of_what_its_clips_say():
    sure, unsure, no = tube(1.0, slice(4, 6)), tube(0.6, slice(4, 8)), tube(0.3, slice(4, 8))
    assert masks(view([7], sure)) == {7: [4, 5]}
    assert masks(view([7], unsure)) == {7: [4, 5, 6, 7]}
    # Of columns 6 and 7 the mean is 0.3 in one case, and of 4 and 5 0.65 in the other.
    assert masks(view([7], sure), view([7], unsure)) == {7: [4, 5]}
    assert masks(view([7], sure), view([7], no)) == {7: [4, 5]}
    assert masks(view([7], unsure), view([7], unsure), view([7], no)) == {}


def test_a_track_that_one_clip_does_not_know_keeps_what_the_other_says():
    one, other = tube(0.9, slice(1, 4)), tube(0.8, slice(9, 12))
    assert masks(view([3], one), view([3, 5], one, other)) == {3: [1, 2, 3], 5: [9, 10, 11]}
    assert masks(view([3, 5], one, other), view([])) == {3: [1, 2, 3], 5: [9, 10, 11]}


def test_a_cell_belongs_to_the_higher_mean():
    one, other = tube(0.7, slice(4, 9)), tube(0.9, slice(7, 12))
    assert masks(view([3], one), view([5], other)) == {3: [4, 5, 6], 5: [7, 8, 9, 10, 11]}
    assert masks(view([5], other), view([3], one)) == {3: [4, 5, 6], 5: [7, 8, 9, 10, 11]}


def test_slots_tell_which_tubes_are_one_track_whatever_its_number():
    stretch = Stretch([], [view([9, 4], None, None), view([4, 6, 9], None, None, None)])
    assert stretch.slots() == [[1, 2], [2, 3, 1]]
