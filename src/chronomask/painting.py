"""From tubes in cells of the network's output to track ids at the size of the source, along the edges of the picture.

Legend: H W pixels of the source, a b pixels of the picture that the network saw, c d cells of 4 x 4 of them around a
tube, p q blocks of 2 x 2 pixels of the picture, N some of them, M pixels of the source in a row or column of a block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64, UInt8

from chronomask.guided_filter import CELL, MARGIN, Box, Filtered, Guide

REACH = 1 + MARGIN
"""Cells around a tube that its pixels depend on: one more is painted, and that in turn depends on those around it."""

_MOST = 1 << 18
"""Pixels of the source that are looked at at a time; so many that it does not matter how many tubes there are."""


def paint(
    levels: Sequence[Float32[np.ndarray, "_ _"]],
    corners: Sequence[tuple[int, int]],
    ids: Sequence[int],
    picture: UInt8[np.ndarray, "3 a b"],
    size: tuple[int, int],
) -> Int[np.ndarray, "H W"]:
    """Track ids of one frame at full size, 0 where no tube is.

    The levels are brought to the size of the picture, where a guided filter moves their edges to those of the picture,
    by a cell at most; then to the size of the source, and cut at one half. Where two tubes meet, the one found first
    keeps the pixel, as in eq. (7). Only what lies around a tube is computed, and only along its edge at full size.

    Args:
        levels: of the tubes in this frame, in cells; above 0.5 inside. Each is of shape (c, d), cut out of the frame so
            that it reaches REACH cells beyond the tube's pixels, or up to the frame's edge.
        corners: row and column, in the frame, of the first cell of every level.
        ids: track id of every tube; 0 for one that keeps its pixels from others, but is not painted.
        picture: the frame, shrunk for the network.
        size: height and width of the source.

    Returns:
        In the smallest type that holds the ids.
    """
    canvas = np.zeros(size, np.int16 if max(ids, default=0) <= np.iinfo(np.int16).max else np.int32)
    picture = np.ascontiguousarray(picture)
    frame = Box(0, picture.shape[1] // CELL, 0, picture.shape[2] // CELL)
    boxes = [_box(level, corner) for level, corner in zip(levels, corners, strict=True)]
    visible = [box for box, number in zip(boxes, ids, strict=True) if box is not None and number]
    painted = {}
    for tube, (box, number) in enumerate(zip(boxes, ids, strict=True)):
        if box is not None and (rivals := [other for other in visible if box.near(other)]):
            box = box.grown(1).cut(frame)
            painted[tube] = box if number else box.cut(reduce(Box.joined, rivals).grown(1))
    for place, tubes in _groups(painted):
        guide = Guide.of(picture, place.grown(MARGIN))
        mosaic = _Mosaic(picture, place, len(tubes))
        for tube in tubes:
            box = painted[tube].grown(MARGIN)
            seen = box.cut(frame)
            level = levels[tube][seen.within(*corners[tube])]
            mosaic.lay(ids[tube], painted[tube], Filtered.of(level, seen, guide, box))
        mosaic.write(canvas)
    return canvas


def _box(level: Float32[np.ndarray, "c d"], corner: tuple[int, int]) -> Box | None:
    """Around what is inside; None where nothing is."""
    inside = level > 0.5
    rows = np.flatnonzero(inside.any(1))
    if not len(rows):
        return None
    columns = np.flatnonzero(inside.any(0))
    top, left = corner
    return Box(top + int(rows[0]), top + int(rows[-1]) + 1, left + int(columns[0]), left + int(columns[-1]) + 1)


def _groups(boxes: Mapping[int, Box]) -> list[tuple[Box, list[int]]]:
    """Boxes that are not near each other, each with the tubes in it in their order."""
    groups: list[tuple[Box, list[int]]] = []
    for tube, box in boxes.items():
        tubes = [tube]
        while touching := [group for group in groups if group[0].near(box)]:
            groups = [group for group in groups if group not in touching]
            for other, others in touching:
                box, tubes = box.joined(other), tubes + others
        groups.append((box, sorted(tubes)))
    return groups


class _Rim(NamedTuple):
    """The blocks in which a tube ends.

    Attributes:
        number: id of the tube.
        row, column: of the blocks, in the mosaic.
        level: at their pixels, and at those to the right and below.
    """

    number: int
    row: Int64[np.ndarray, " N"]
    column: Int64[np.ndarray, " N"]
    level: Float32[np.ndarray, "3 3 N"]


class _Mosaic:
    """Whose the blocks of a part of the picture are, and where tubes end.

    What lies between the middles of a block's first pixel and the next block's belongs to one tube as a whole, with all
    pixels of the source in it, unless a tube ends there: only there levels are interpolated at those pixels.

    Args:
        picture: the whole of it.
        place: the cells that tubes are painted in.
        tubes: how many will be laid.
    """

    def __init__(self, picture: UInt8[np.ndarray, "3 a b"], place: Box, tubes: int) -> None:
        self._picture, self._left = picture, tubes
        self._top_left = (2 * place.top, 2 * place.left)
        shape = (2 * (place.bottom - place.top), 2 * (place.right - place.left))
        # The earlier the tube, the higher its number here.
        self._owner = np.zeros(shape, np.uint8 if tubes < 256 else np.uint32)
        self._rims: list[_Rim] = []

    def lay(self, number: int, painted: Box, filtered: Filtered) -> None:
        """Adds the next tube, which gets what those before have left.

        Args:
            painted: the cells in which it may lie; the filter's result reaches MARGIN cells further.
        """
        margin, (height, width) = 2 * MARGIN, filtered.rough.shape
        inner = np.s_[margin : height - margin, margin : width - margin]
        near = np.zeros((height, width), bool)
        near[inner] = filtered.near_edges()[inner]
        level = np.empty((2, 2, height, width), np.float32)
        level[:] = filtered.rough
        top, left = 2 * painted.top - margin, 2 * painted.left - margin
        place = near.reshape(-1).nonzero()[0]
        row, column = np.divmod(place, width)
        brightness = _brightness(self._picture, row + top, column + left)
        level.reshape(2, 2, -1)[..., place] = filtered.fine(row, column, brightness)
        # A block looks at the pixels of the next ones too.
        ends, line = near.copy().reshape(-1), near.reshape(-1)
        ends[:-1] |= line[1:]
        ends[:-width] |= ends[width:]
        ends = ends.reshape(near.shape)[inner]
        whole = filtered.rough[inner] > 0.5
        whole &= ~ends
        top, left = top + margin - self._top_left[0], left + margin - self._top_left[1]
        owner = self._owner[top : top + len(whole), left : left + whole.shape[1]]
        np.maximum(owner, whole * owner.dtype.type(self._left), out=owner)
        row, column = np.divmod(ends.reshape(-1).nonzero()[0], whole.shape[1])
        corners = _corners(level, (row + margin) * width + (column + margin))
        row += top
        column += left
        self._rims.append(self._rim(number, row, column, corners))
        self._left -= 1

    def _rim(
        self,
        number: int,
        row: Int64[np.ndarray, " N"],
        column: Int64[np.ndarray, " N"],
        level: Float32[np.ndarray, "3 3 N"],
    ) -> _Rim:
        """Of the blocks in which a tube may end, those in which it does; it gets those that are its own as a whole."""
        inside = (level > 0.5).reshape(9, -1)
        owner, place = self._owner.reshape(-1), row * self._owner.shape[1] + column
        free = owner.take(place) < self._left
        whole = np.logical_and.reduce(inside)
        whole &= free
        owner[place[whole]] = self._left
        free &= np.logical_or.reduce(inside)
        free &= ~whole
        ends = free.nonzero()[0]
        return _Rim(number, row.take(ends), column.take(ends), level.take(ends, 2))

    def write(self, canvas: Int[np.ndarray, "H W"]) -> None:
        """Writes all to the source's pixels."""
        axes = [_Axis.of(*sizes) for sizes in zip(self._picture.shape[1:], canvas.shape, strict=True)]
        rows, columns = (
            slice(axis.first[start], axis.first[start + count])
            for axis, start, count in zip(axes, self._top_left, self._owner.shape, strict=True)
        )
        numbers = np.array([0, *(rim.number for rim in reversed(self._rims))], canvas.dtype)
        wide = numbers.take(self._owner).take(axes[1].block[columns] - self._top_left[1], 1)
        canvas[rows, columns] = wide.take(axes[0].block[rows] - self._top_left[0], 0)
        count = max(1, _MOST // (axes[0].most * axes[1].most))
        # The first tube last, so that it keeps the pixels that others may have too.
        for number, row, column, level in reversed(self._rims):
            for start in range(0, len(row), count):
                part = np.s_[..., start : start + count]
                places = _inside(axes, row[part] + self._top_left[0], column[part] + self._top_left[1], level[part])
                canvas.reshape(-1)[places] = number


def _brightness(
    picture: UInt8[np.ndarray, "3 a b"], row: Int64[np.ndarray, " N"], column: Int64[np.ndarray, " N"]
) -> Float32[np.ndarray, "2 2 N"]:
    """Of the pixels of some blocks, 0 to 1."""
    width = picture.shape[2]
    place = np.array([[[0], [1]], [[width], [width + 1]]]) + 2 * (row * width + column)
    red, green, blue = picture.reshape(3, -1)
    total = red.take(place).astype(np.float32)
    total += green.take(place)
    total += blue.take(place)
    total *= np.float32(1 / 765)
    return total


def _corners(level: Float32[np.ndarray, "2 2 p q"], place: Int64[np.ndarray, " N"]) -> Float32[np.ndarray, "3 3 N"]:
    """The level at the pixels of some blocks, and at those to the right and below."""
    result = np.empty((3, 3, len(place)), np.float32)
    planes, width = level.reshape(2, 2, -1), level.shape[3]
    for row, column in np.ndindex(3, 3):
        step = row // 2 * width + column // 2
        planes[row % 2, column % 2, step:].take(place, out=result[row, column], mode="clip")
    return result


def _inside(
    axes: Sequence[_Axis],
    row: Int64[np.ndarray, " N"],
    column: Int64[np.ndarray, " N"],
    level: Float32[np.ndarray, "3 3 N"],
) -> Int64[np.ndarray, " _"]:
    """Numbers of the source's pixels in some blocks where the interpolated level exceeds one half."""
    y, down, y_there = axes[0].pixels(row)
    x, across, x_there = axes[1].pixels(column)
    lines = (down[:, :, None] * level[:, None]).sum(0)
    values = (across[:, None] * lines.swapaxes(0, 1)[:, :, None]).sum(0)
    chosen = values > 0.5
    chosen &= y_there[:, None]
    chosen &= x_there
    y *= len(axes[1].block)
    return (y[:, None] + x)[chosen]


@dataclass(frozen=True, eq=False)
class _Axis:
    """How the pixels of the source lie among those of the picture, along one side.

    Attributes:
        block: of every pixel of the source: block k lies between the middles of the pixels 2 k and 2 k + 2.
        weights: of these two, and of the one between, in interpolating.
        first: number of the first pixel in every block, and behind the last.
        most: pixels in a block, at most.
    """

    block: Int64[np.ndarray, " _"]
    weights: Float32[np.ndarray, "3 _"]
    first: Int64[np.ndarray, " _"]
    most: int

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, picture: int, source: int) -> _Axis:
        """For these lengths of the side, in pixels."""
        places = np.clip((np.arange(source) + 0.5) * (picture / source) - 0.5, 0, picture - 1)
        block = np.minimum(places.astype(np.int64) // 2, picture // 2 - 1)
        weights = np.maximum(0, 1 - abs(places - 2 * block - np.arange(3)[:, None])).astype(np.float32)
        first = np.searchsorted(block, np.arange(picture // 2 + 1))
        return cls(block, weights, first, int(np.diff(first).max()))

    def pixels(
        self, block: Int64[np.ndarray, " N"]
    ) -> tuple[Int64[np.ndarray, "M N"], Float32[np.ndarray, "3 M N"], Bool[np.ndarray, "M N"]]:
        """Numbers and weights of the pixels in some blocks; where a block has less than M, the others are not there."""
        number = self.first.take(block) + np.arange(self.most)[:, None]
        return number, self.weights.take(number, 1, mode="clip"), number < self.first.take(block + 1)
