"""A guided filter (He et al. 2013) for tubes: moves the edges of their levels to those of the picture.

In every window of the picture it takes the linear function of the brightness that is closest to the level. Windows are
three pixels of half the picture's size wide; there the functions are found, and the mean of those that hold for a pixel
is applied at full size (He and Sun 2015). Where the picture has no edges that is the mean of the level, which small and
thin tubes would not survive: there the level stays as it is.

Legend: a b pixels of the picture, p q pixels of a part of it at half its size, c d cells of 4 x 4 pixels, N some of the
pixels at half the size. What is computed for each of their four pixels at full size has axes 2 2: row and column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped, UInt8

CELL = 4
"""Pixels of the picture to a side of a cell."""

MARGIN = 2
"""Cells around a part that values in it depend on: means are taken twice over windows that reach half a cell further,
one more lies around what is interpolated, and the outermost half of a cell has no neighbour to interpolate with."""

EDGE_VARIANCE = 1e-3
"""Epsilon of the guided filter, beside the variance of the brightness (0 to 1) in a window: edges whose variance is far
below it are not followed. Values ten times as small or large make no difference."""

DOUBT = np.float32(0.125)
"""How far from one half the result at half the size must be to be believed; what is missed are single pixels."""

_NINTH, _QUARTER = np.float32(1 / 9), np.float32(1 / 4)


class Box(NamedTuple):
    """Cells of a frame, from the first row and column to those behind the last."""

    top: int
    bottom: int
    left: int
    right: int

    def grown(self, by: int) -> Box:
        """On all sides."""
        return Box(self.top - by, self.bottom + by, self.left - by, self.right + by)

    def cut(self, frame: Box) -> Box:
        """What lies in the frame."""
        return Box(
            max(frame.top, self.top),
            min(frame.bottom, self.bottom),
            max(frame.left, self.left),
            min(frame.right, self.right),
        )

    def joined(self, other: Box) -> Box:
        """Around both."""
        return Box(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def near(self, other: Box) -> bool:
        """Whether less than two cells lie between them."""
        rows = self.top <= other.bottom + 1 and other.top <= self.bottom + 1
        return rows and self.left <= other.right + 1 and other.left <= self.right + 1

    def within(self, top: int, left: int, factor: int = 1) -> tuple[slice, slice]:
        """Where it lies in an array of so many values a cell whose first cell is this one."""
        return (
            slice((self.top - top) * factor, (self.bottom - top) * factor),
            slice((self.left - left) * factor, (self.right - left) * factor),
        )


@dataclass(frozen=True, eq=False)
class Guide:
    """What the filter takes from a part of a picture, whatever the level.

    Attributes:
        box: the part; where it reaches beyond the frame, the picture is mirrored.
        half: brightness, 0 to 1.
        mean: of it in every window.
        weight: 1 / (variance + epsilon) of every window.
        edges: how far the filter's functions hold, 0 to 1: mean of variance x weight; by 81.
        plain: how far the level stays as it is: the rest.
    """

    box: Box
    half: Float32[np.ndarray, "p q"]
    mean: Float32[np.ndarray, "p q"]
    weight: Float32[np.ndarray, "p q"]
    edges: Float32[np.ndarray, "p q"]
    plain: Float32[np.ndarray, "p q"]

    @classmethod
    def of(cls, picture: UInt8[np.ndarray, "3 a b"], box: Box) -> Guide:
        """The picture in some cells; its rows must be contiguous."""
        frame = Box(0, picture.shape[1] // CELL, 0, picture.shape[2] // CELL)
        seen = box.cut(frame)
        # Two pixels of a row at once, as the halves of one number.
        pairs = picture[:, *seen.within(0, 0, CELL)].view(np.uint16)
        sums = np.zeros(pairs.shape[1:], np.uint16)
        for colour in pairs:
            sums += colour & np.uint16(255)
            sums += colour >> np.uint16(8)
        inner = seen.within(box.top, box.left, 2)
        half = np.zeros((2 * (box.bottom - box.top), 2 * (box.right - box.left)), np.float32)
        np.multiply(sums[::2] + sums[1::2], np.float32(1 / (12 * 255)), out=half[inner])
        _mirror(half, inner)
        mean = _sums(half)
        mean *= _NINTH
        variance = _sums(half * half)
        variance *= _NINTH
        variance -= mean * mean
        weight = np.reciprocal(variance + np.float32(EDGE_VARIANCE))
        variance *= weight
        edges = _sums(variance)
        plain = 1 - edges * _NINTH
        edges *= _NINTH * _NINTH * _NINTH
        return cls(box, half, mean, weight, edges, plain)


@dataclass(frozen=True, eq=False)
class Filtered:
    """A level, filtered at half the size of the picture, and what it takes to do the same at its full size.

    Attributes:
        maps: slope and offset of the functions, how far the level stays as it is, and the level.
        rough: the result at half the size.
    """

    maps: Float32[np.ndarray, "4 p q"]
    rough: Float32[np.ndarray, "p q"]

    @classmethod
    def of(cls, level: Float32[np.ndarray, "c d"], seen: Box, guide: Guide, box: Box) -> Filtered:
        """The level in some cells.

        Args:
            level: of the cells `seen`, which are those of the box that lie in the frame.
            guide: of the box at least.
            box: MARGIN cells larger all round than what is asked for.
        """
        here = box.within(guide.box.top, guide.box.left, 2)
        x, mean, edges = guide.half[here].copy(), guide.mean[here].copy(), guide.edges[here].copy()
        maps = np.empty((4, *x.shape), np.float32)
        slopes, offsets, plain, p = maps
        plain[:] = guide.plain[here]
        inner = seen.within(box.top, box.left, 2)
        _interpolate(level, inner, out=p)
        _mirror(p, inner)
        # Means without the division by nine, which `edges` has in it twice.
        mean_p = _sums(p)
        slope = _sums(x * p)
        slope -= mean * mean_p
        slope *= guide.weight[here]
        mean *= slope
        mean_p -= mean
        np.multiply(_sums(slope), edges, out=slopes)
        np.multiply(_sums(mean_p), edges, out=offsets)
        rough = x
        rough *= slopes
        rough += offsets
        rough += plain * p
        _repeat(maps, inner)
        return cls(maps, rough)

    def near_edges(self) -> Bool[np.ndarray, "p q"]:
        """Where the result at full size may lie on the other side of one half than the rough one."""
        inside = (self.rough > 0.5).view(np.uint8)
        near = (_sums(inside) - np.uint8(1)) < 8
        near |= abs(self.rough - np.float32(0.5)) < DOUBT
        return near

    def fine(
        self, row: Int64[np.ndarray, " N"], column: Int64[np.ndarray, " N"], brightness: Float32[np.ndarray, "2 2 N"]
    ) -> Float32[np.ndarray, "2 2 N"]:
        """The result at full size.

        Args:
            row, column: not of the outermost pixels.
            brightness: of the picture, 0 to 1.
        """
        width = self.rough.shape[1]
        place = row * width + column
        steps = np.array([[[-width]], [[0]], [[width]]]) + np.array([[-1], [0], [1]])
        around = self.maps[:3].reshape(3, -1).take(steps + place, 1)
        slope, offset, plain = (_doubled(values) for values in around)
        slope *= brightness
        slope += offset
        plain *= _quartered(self.maps[3], row, column)
        slope += plain
        slope *= np.float32(1 / 16)
        return slope


def _quartered(
    p: Float32[np.ndarray, "p q"], row: Int64[np.ndarray, " N"], column: Int64[np.ndarray, " N"]
) -> Float32[np.ndarray, "2 2 N"]:
    """The level interpolated at four times its size, from that at twice its size.

    Between the middles of two cells it is linear, so that it goes on as it came from the pixel before or behind.
    """
    line, place = p.reshape(-1), row * p.shape[1] + column
    # To where the same two cells lie: to the pixel before for the first of a cell, to the one behind for the second.
    down, across = (2 * (side & 1) - 1 for side in (row, column))
    there = place + down * p.shape[1]
    start, side = (line.take(at) for at in (place, place + across))
    rows = np.empty((2, 2, len(row)), np.float32)
    share = down.astype(np.float32)
    share *= _QUARTER
    for values, at, out in ((start, there, rows[0]), (side, there + across, rows[1])):
        step = line.take(at)
        step -= values
        step *= share
        np.subtract(values, step, out=out[0])
        np.add(values, step, out=out[1])
    start, step = rows
    step -= start
    share = across.astype(np.float32)
    share *= _QUARTER
    step *= share
    result = np.empty((2, 2, len(row)), np.float32)
    np.subtract(start, step, out=result[:, 0])
    np.add(start, step, out=result[:, 1])
    return result


def _doubled(around: Float32[np.ndarray, "3 3 N"]) -> Float32[np.ndarray, "2 2 N"]:
    """16 times the map interpolated at twice its size."""
    thrice = around[1] * np.float32(3)
    rows = np.empty((2, *thrice.shape), np.float32)
    np.add(around[0], thrice, out=rows[0])
    np.add(around[2], thrice, out=rows[1])
    thrice = rows[:, 1] * np.float32(3)
    result = np.empty((2, 2, thrice.shape[1]), np.float32)
    np.add(rows[:, 0], thrice, out=result[:, 0])
    np.add(rows[:, 2], thrice, out=result[:, 1])
    return result


def _sums(values: Shaped[np.ndarray, "p q"]) -> Shaped[np.ndarray, "p q"]:
    """Over windows of 3 x 3; in the outermost rows and columns they mean nothing."""
    width = values.shape[1]
    # As one line, which is three times as fast as row by row.
    line = values.reshape(-1)
    rows = np.empty_like(line)
    rows[:width], rows[-width:] = 0, 0
    np.add(line[: -2 * width], line[2 * width :], out=rows[width:-width])
    rows[width:-width] += line[width:-width]
    result = np.empty_like(line)
    result[0], result[-1] = 0, 0
    np.add(rows[:-2], rows[2:], out=result[1:-1])
    result[1:-1] += rows[1:-1]
    return result.reshape(values.shape)


def _mirror(values: Float32[np.ndarray, "p q"], inner: tuple[slice, slice]) -> None:
    """Fills what lies beyond a part of the values with those inside, mirrored in the middle of the outermost ones."""
    for lines, part in zip((values, values.T), inner, strict=True):
        most = min(2 * MARGIN, part.stop - part.start - 1)
        if count := min(most, part.start):
            lines[part.start - count : part.start] = lines[part.start + count : part.start : -1]
        if count := min(most, len(lines) - part.stop):
            lines[part.stop : part.stop + count] = lines[part.stop - 2 : part.stop - 2 - count : -1]


def _repeat(maps: Float32[np.ndarray, "M p q"], inner: tuple[slice, slice]) -> None:
    """Fills the row or column beyond a part of the maps with the outermost one inside."""
    for lines, part in zip((maps.swapaxes(0, 1), maps.T), inner, strict=True):
        if part.start:
            lines[part.start - 1] = lines[part.start]
        if part.stop < len(lines):
            lines[part.stop] = lines[part.stop - 1]


def _interpolate(
    level: Float32[np.ndarray, "c d"], inner: tuple[slice, slice], out: Float32[np.ndarray, "p q"]
) -> None:
    """The level at half the size of the picture, which is twice its own; in a part of the output."""
    # Every value twice, and then the means of neighbours with weights 1, 2, 1.
    rows, columns = (
        np.minimum(np.maximum(np.arange(-part.start, length - part.start) >> 1, 0), cells - 1)
        for part, length, cells in zip(inner, out.shape, level.shape, strict=True)
    )
    twice, width = level.take(rows, 0).take(columns, 1).reshape(-1), out.shape[1]
    line = np.zeros_like(twice)
    middle = line[width:-width]
    np.add(twice[: -2 * width], twice[2 * width :], out=middle)
    middle += twice[width:-width]
    middle += twice[width:-width]
    middle = out.reshape(-1)[1:-1]
    np.add(line[:-2], line[2:], out=middle)
    middle += line[1:-1]
    middle += line[1:-1]
    middle *= np.float32(1 / 16)
    out[0, 0] = out[-1, -1] = 0
