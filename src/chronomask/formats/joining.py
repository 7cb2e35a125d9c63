"""Shapes that nobody numbered, joined from frame to frame.

Legend: A shapes of a frame, B shapes of the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chronomask import rle
from chronomask.assignment import assign
from chronomask.rle import Rle

LEAST_IOU = 0.1
"""Shapes that overlap less are different objects: what moves further between two frames needs a number."""

Shape = tuple[str, Rle]
"""Label and mask."""


def joined(frames: Sequence[Sequence[Shape]]) -> list[list[int]]:
    """The number of its track, from 0, for every shape of every frame.

    A shape goes on with the track of the frame before that has its label: an optimal assignment on the IoU of the
    masks, of at least LEAST_IOU. Whoever is out of sight for a frame starts a new track.
    """
    tracks: list[list[int]] = []
    before: Sequence[Shape] = ()
    started = 0
    for shapes in frames:
        follows = {new: tracks[-1][old] for old, new in _pairs(before, shapes)}
        numbers = []
        for place in range(len(shapes)):
            numbers.append(follows.get(place, started))
            started += place not in follows
        tracks.append(numbers)
        before = shapes
    return tracks


def _pairs(before: Sequence[Shape], after: Sequence[Shape]) -> Iterator[tuple[int, int]]:
    for label in dict.fromkeys(label for label, _ in before):
        old = [place for place, (own, _) in enumerate(before) if own == label]
        new = [place for place, (own, _) in enumerate(after) if own == label]
        iou = rle.iou([before[place][1] for place in old], [after[place][1] for place in new])
        for row, column in assign(iou):
            if iou[row, column] >= LEAST_IOU:
                yield old[row], new[column]
