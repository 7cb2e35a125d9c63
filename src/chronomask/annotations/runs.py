"""Compressed run lengths of many masks, decoded in one sweep: for a data set of a hundred thousand masks.

Legend: M masks, E edges, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Integer

from chronomask import rle
from chronomask.errors import InputError


class Swept(NamedTuple):
    """What the run lengths of the masks of a track say.

    Attributes:
        areas: foreground pixels of each mask.
        edges: where foreground begins and ends, in turn, if the pixels of all frames are counted on from 0. Where one
            mask ends, so does its foreground.
        canonical: whether no run but the first of a mask is of no length.
    """

    areas: Int64[np.ndarray, " M"]
    edges: Integer[np.ndarray, " E"]
    canonical: bool


def sweep(masks: Sequence[str], frames: Int64[np.ndarray, " M"], length: int, pixels: int) -> Swept:
    """Decodes compressed masks, each of which must cover the `pixels` pixels of its frame; a video has `length` frames.

    In the numbers of all masks, one after the other, every other one belongs to the same chain of differences: a
    running sum over each of the two chains that starts anew with every mask gives all run lengths.

    Raises:
        InputError: a text is no such code, or its run lengths are negative or do not add up.
    """
    # The edges of a data set are its largest part in memory.
    kind = np.int32 if length * pixels < 2**31 else np.int64
    if not masks:
        return Swept(np.zeros(0, np.int64), np.zeros(0, kind), canonical=True)
    if not all(masks) or any(mask[-1] > "O" for mask in masks):  # what ends so goes on in the next mask
        raise InputError("counts are no compressed run lengths")
    numbers, before = rle.numbers("".join(masks))
    closing = np.array([len(mask) for mask in masks]).cumsum() - 1
    lengths = _steps(closing + 1 - np.searchsorted(before, closing), 0)
    begin = np.cumsum(lengths) - lengths
    if lengths.min() < 2:  # one run is background, and has no second chain
        short = lengths < 2
        if (numbers[begin[short]] != pixels).any():
            raise InputError(f"run lengths that do not add up to {pixels} pixels")
        others = [mask for mask, one in zip(masks, short, strict=True) if not one]
        areas, swept = np.zeros(len(masks), np.int64), sweep(others, frames[~short], length, pixels)
        areas[~short] = swept.areas
        return swept._replace(areas=areas)
    third = begin[lengths > 2]
    numbers[third + 2] -= numbers[third]  # COCO starts that chain at the third number; now it starts at the first
    sums = []
    for first, start in ((0, (begin + 1) // 2), (1, begin // 2)):
        chain = numbers[first::2].copy()  # in place, over every other number, the sum would take three times as long
        chain[start[1:]] -= np.add.reduceat(chain, start)[:-1]
        chain.cumsum(out=chain)
        sums.append(np.add.reduceat(chain, start))
        numbers[first::2] = chain
    if numbers.min() < 0 or (sums[0] + sums[1] != pixels).any():
        raise InputError(f"run lengths that do not add up to {pixels} pixels")
    areas = np.where(begin & 1, sums[0], sums[1])  # the second number of a mask is foreground
    canonical = len(numbers) - np.count_nonzero(numbers) == len(begin) - np.count_nonzero(numbers[begin])
    numbers[begin] += (_steps(frames, -1) - 1) * pixels  # frames without a mask
    edges = numbers.astype(kind)
    edges.cumsum(out=edges)
    odd = (begin + lengths - 1)[lengths & 1 == 1]
    if len(odd):  # such a mask ends in background, and its end is no edge
        within = np.ones(len(edges), bool)
        within[odd] = False
        edges = edges[within]
    return Swept(areas, edges, canonical)


def bitmaps(masks: Sequence[str], size: tuple[int, int]) -> Bool[np.ndarray, "M H W"]:
    """The pixels of compressed masks of this height and width, of which there is one at least.

    Raises:
        InputError: as `sweep`.
    """
    height, width = size
    edges = sweep(masks, np.arange(len(masks)), len(masks), height * width).edges
    bounds = np.concatenate([[0], edges, [len(masks) * height * width]])
    inside = np.repeat(np.arange(len(edges) + 1) % 2 == 1, bounds[1:] - bounds[:-1])
    return inside.reshape(-1, width, height).swapaxes(1, 2)


def _steps(values: Int64[np.ndarray, " M"], before: int) -> Int64[np.ndarray, " M"]:
    """Differences to the value before; numpy's own takes four times as long for a few values."""
    steps = values.copy()
    steps[1:] -= values[:-1]
    steps[0] -= before
    return steps
