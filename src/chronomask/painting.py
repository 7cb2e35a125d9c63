"""From tubes in cells of the network's output to track ids at the size of the source, along the edges of the picture.

Legend: H W pixels of the source, a b pixels of the picture that the network saw, c d cells of 4 x 4 of them around a
tube, p q pixels at half the size of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, UInt8

CELL = 4
"""Pixels of the picture to a side of a cell."""

REACH = 3
"""Cells around a tube that its pixels depend on: one more is painted, the filter takes means twice over windows that
reach half a cell further, and the outermost half of a cell has no neighbour to interpolate with."""

EDGE_VARIANCE = 1e-3
"""Epsilon of the guided filter, beside the variance of the brightness (0 to 1) in a window: edges whose variance is far
below it are not followed. Values ten times as small or large make no difference."""

_Box = tuple[slice, slice]
"""Rows and columns; of cells, where nothing else is said."""


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
    keeps the pixel. Only what lies around a tube is computed, one tube at a time.

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
    canvas = np.zeros(size, np.min_scalar_type(~max(ids, default=0)))
    cells = (picture.shape[1] // CELL, picture.shape[2] // CELL)
    boxes = [_box(level, corner) for level, corner in zip(levels, corners, strict=True)]
    visible = [box for box, number in zip(boxes, ids, strict=True) if box is not None and number]
    near = {
        tube: _grown(box, REACH, cells)
        for tube, box in enumerate(boxes)
        if box is not None and any(_near(box, other) for other in visible)
    }
    if not near:
        return canvas
    guide = _Guide.of(picture, _around(list(near.values())))
    # The first tube last, so that it keeps the pixels that others may have too.
    for tube, box in reversed(near.items()):
        inside = boxes[tube]
        assert inside is not None, "only those are near"
        level = guide.filtered(levels[tube][_within(box, corners[tube])], box)
        painted = _within(_grown(inside, 1, cells), (0, 0), CELL)
        _write(canvas, ids[tube], level, _within(box, (0, 0), CELL), painted, picture.shape[1:])
    return canvas


def _box(level: Float32[np.ndarray, "c d"], corner: tuple[int, int]) -> _Box | None:
    """Around what is inside; None where nothing is."""
    inside = level > 0.5
    sides = [np.flatnonzero(inside.any(axis)) for axis in (1, 0)]
    if not len(sides[0]):
        return None
    rows, columns = (slice(int(s[0]) + at, int(s[-1]) + 1 + at) for s, at in zip(sides, corner, strict=True))
    return rows, columns


def _near(one: _Box, other: _Box) -> bool:
    """Whether both may be painted on the same pixels."""
    return all(a.start <= b.stop + 1 and b.start <= a.stop + 1 for a, b in zip(one, other, strict=True))


def _grown(box: _Box, by: int, shape: tuple[int, int]) -> _Box:
    """By some cells on all sides, within the frame."""
    rows, columns = (slice(max(0, s.start - by), min(end, s.stop + by)) for s, end in zip(box, shape, strict=True))
    return rows, columns


def _around(boxes: Sequence[_Box]) -> _Box:
    """The smallest that holds all of them."""
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides)) for sides in zip(*boxes, strict=True)
    )
    return rows, columns


def _within(box: _Box, corner: tuple[int, int], factor: int = 1) -> _Box:
    """Where it lies in an array of so many values to a side of a cell, whose first cell is this one."""
    rows, columns = (
        slice((side.start - at) * factor, (side.stop - at) * factor) for side, at in zip(box, corner, strict=True)
    )
    return rows, columns


@dataclass(frozen=True, eq=False)
class _Guide:
    """What a guided filter (He et al. 2013) takes from a part of the picture, whatever the level.

    In every window it takes the linear function of the brightness that is closest to the level. Windows are three
    pixels of half the picture's size wide; there the functions are found, and the mean of those that hold for a pixel
    is applied at full size (He and Sun 2015). Where the picture has no edges that is the mean of the level, which small
    and thin tubes would not survive: there the level stays as it is.

    Attributes:
        corner: row and column, in the frame, of the first cell.
        full: brightness, 0 to 1.
        plain: how far the level stays as it is, 0 to 1.
        half: brightness at half the size.
        mean: of it in every window.
        weight: 1 / (variance + epsilon) of every window.
        edges: how far the filter's functions hold, 0 to 1: mean of variance x weight.
    """

    corner: tuple[int, int]
    full: Float32[np.ndarray, "a b"]
    plain: Float32[np.ndarray, "a b"]
    half: Float32[np.ndarray, "p q"]
    mean: Float32[np.ndarray, "p q"]
    weight: Float32[np.ndarray, "p q"]
    edges: Float32[np.ndarray, "p q"]

    @classmethod
    def of(cls, picture: UInt8[np.ndarray, "3 _ _"], box: _Box) -> _Guide:
        """Of the picture in a box."""
        red, green, blue = picture[:, *_within(box, (0, 0), CELL)]
        brightness = np.add(red, green, dtype=np.uint16)
        brightness += blue
        full = brightness * np.float32(1 / 765)
        rows = full[::2] + full[1::2]
        half = rows[:, ::2] + rows[:, 1::2]
        half *= np.float32(1 / 4)
        mean = _mean(half)
        variance = _mean(half * half) - mean * mean
        weight = 1 / (variance + np.float32(EDGE_VARIANCE))
        edges = _mean(variance * weight)
        return cls((box[0].start, box[1].start), full, enlarged(1 - edges, 2), half, mean, weight, edges)

    def filtered(self, level: Float32[np.ndarray, "c d"], box: _Box) -> Float32[np.ndarray, "_ _"]:
        """The level of the cells in a box, at the size of the picture."""
        full, half = _within(box, self.corner, CELL), _within(box, self.corner, CELL // 2)
        p, mean, edges = enlarged(level, CELL // 2), self.mean[half], self.edges[half]
        mean_p = _mean(p)
        p *= self.half[half]
        slope = _mean(p)
        slope -= mean * mean_p
        slope *= self.weight[half]
        mean_p -= slope * mean
        result = enlarged(edges * _mean(slope), 2)
        result *= self.full[full]
        result += enlarged(edges * _mean(mean_p), 2)
        same = enlarged(level, CELL)
        same *= self.plain[full]
        result += same
        return result


def _mean(values: Float32[np.ndarray, "p q"]) -> Float32[np.ndarray, "p q"]:
    """Of every window of 3 x 3; beyond the edges the values are mirrored in the outermost ones."""
    rows = np.empty_like(values)
    np.add(values[:-2], values[2:], out=rows[1:-1])
    rows[0], rows[-1] = 2 * values[1], 2 * values[-2]
    rows += values
    result = np.empty_like(rows)
    # As one line, which is three times as fast as row by row.
    line = rows.reshape(-1)
    np.add(line[:-2], line[2:], out=result.reshape(-1)[1:-1])
    result[:, 0], result[:, -1] = 2 * rows[:, 1], 2 * rows[:, -2]
    result += rows
    result *= np.float32(1 / 9)
    return result


def enlarged(values: Float32[np.ndarray, "c d"], factor: int) -> Float32[np.ndarray, "_ _"]:
    """Interpolated bilinearly at so many times the size, an even number; the outermost values go on to the border."""
    rows, columns = values.shape
    wide = np.empty((rows, factor * columns), np.float32)
    result = np.empty((factor * rows, factor * columns), np.float32)
    half = factor // 2
    # The columns first, while they are few, and as one line; only at its ends a row must not go on in the next one.
    _interpolate(values.reshape(-1), wide.reshape(-1), factor)
    wide[:, :half], wide[:, -half:] = values[:, :1], values[:, -1:]
    _interpolate(wide, result, factor)
    result[:half], result[-half:] = wide[0], wide[-1]
    return result


def _interpolate(values: Float32[np.ndarray, "c *rest"], out: Float32[np.ndarray, "_ *rest"], factor: int) -> None:
    """Writes what lies between the values; half of the factor is left out at either end."""
    before, after, half = values[:-1], values[1:], factor // 2
    step = after - before
    for place in range(half):
        part = step * np.float32((place + 0.5) / factor)
        np.add(before, part, out=out[half + place : len(out) - half : factor])
        np.subtract(after, part, out=out[factor + half - 1 - place : len(out) - half : factor])


def _write(
    canvas: Int[np.ndarray, "H W"],
    number: int,
    level: Float32[np.ndarray, "_ _"],
    box: _Box,
    painted: _Box,
    shape: tuple[int, int],
) -> None:
    """Writes a number into a canvas at the size of the source where a level exceeds one half.

    Args:
        level: of the pixels of the picture in a box.
        painted: those of them where it may be written.
        shape: height and width of the picture.
    """
    scales = [ours / theirs for ours, theirs in zip(canvas.shape, shape, strict=True)]
    rows, columns = (
        slice(side.start * ours // theirs, -(-side.stop * ours // theirs))
        for side, ours, theirs in zip(painted, canvas.shape, shape, strict=True)
    )
    place = (np.arange(rows.start, rows.stop) + 0.5) / scales[0] - 0.5 - box[0].start
    # A pixel more to either side is what the outermost lie between.
    left, right = max(0, painted[1].start - 1 - box[1].start), painted[1].stop + 1 - box[1].start
    level = level[:, left:right]
    place = place.clip(0, len(level) - 1)
    above = place.astype(np.intp).clip(max=len(level) - 2)
    lines, below = level.take(above, 0), level.take(above + 1, 0)
    below -= lines
    below *= (place - above).astype(np.float32)[:, None]
    lines += below
    # Along a line the level is straight from pixel to pixel: it passes one half once where these differ, else never.
    inside = lines > 0.5
    row, before = np.divmod(np.flatnonzero(inside[:, 1:] != inside[:, :-1]), inside.shape[1] - 1)
    one, other = lines[row, before], lines[row, before + 1]
    turns = (before + (0.5 - one) / (other - one) + (box[1].start + left + 0.5)) * scales[1] - 0.5
    turns = np.where(other > 0.5, np.floor(turns) + 1, np.ceil(turns)).astype(np.intp)
    width = columns.stop - columns.start
    turns = (turns - columns.start).clip(0, width) + row * width
    # From the end of a line to the beginning of the next.
    breaks = np.flatnonzero(inside[1:, 0] != inside[:-1, -1]) + 1
    runs = np.diff(np.sort(np.concatenate([[0, len(lines) * width], turns, breaks * width])))
    mask = np.repeat(np.arange(len(runs)) % 2 != inside[0, 0], runs).reshape(-1, width)
    np.copyto(canvas[rows, columns], number, where=mask)
