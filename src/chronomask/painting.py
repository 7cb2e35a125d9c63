"""From tubes in cells of the network's output to track ids at the size of the source, along the edges of the picture.

Legend: K tubes, T frames, H W pixels of the source, a b pixels of the picture that the network saw, c d cells of 4 x 4
of them around a tube, p q pixels at half the size of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, Int64, UInt8

CELL = 4
"""Pixels of the picture to a side of a cell."""

REACH = 3
"""Cells around a tube that its pixels depend on: one more is painted, the filter takes means twice over windows that
reach half a cell further, and the outermost half of a cell has no neighbour to interpolate with."""

EDGE_VARIANCE = 1e-3
"""Epsilon of the guided filter, beside the variance of the brightness (0 to 1) in a window: edges whose variance is far
below it are not followed. Values ten times as small or large make no difference."""

Box = tuple[slice, slice]
"""Rows and columns; of cells, where nothing else is said."""


def paint(
    levels: Sequence[Float32[np.ndarray, "T _ _"]],
    corners: Sequence[tuple[int, int]],
    ids: Sequence[int],
    pictures: Sequence[UInt8[np.ndarray, "3 a b"]],
    size: tuple[int, int],
) -> Int[np.ndarray, "T H W"]:
    """Track ids of some frames at full size, 0 where no tube is.

    The levels are brought to the size of the picture, where a guided filter moves their edges to those of the picture,
    by a cell at most; then to the size of the source, and cut at one half. Where two tubes meet, the one found first
    keeps the pixel. Only what lies around a tube is computed, one tube at a time, in all frames at once.

    Args:
        levels: of the tubes in these frames, in cells; above 0.5 inside. Each is of shape (T, c, d), cut out of the
            frame so that it reaches REACH cells beyond the tube's pixels, or up to the frame's edge.
        corners: row and column, in the frame, of the first cell of every level.
        ids: track id of every tube, from 1.
        pictures: the frames, shrunk for the network.
        size: height and width of the source.

    Returns:
        In the smallest type that holds the ids.
    """
    canvas = np.zeros((len(pictures), *size), np.min_scalar_type(~max(ids, default=0)))
    if not levels:
        return canvas
    cells = (pictures[0].shape[1] // CELL, pictures[0].shape[2] // CELL)
    places = _places(levels, corners, cells)
    near = {tube: _box(places[tube], cells) for tube in np.flatnonzero(places.any((1, 2, 3))).tolist()}
    if not near:
        return canvas
    guide = _Guide.of(pictures, around(list(near.values())))
    # The first tube last, so that it keeps the pixels that others may have too.
    for tube, box in reversed(near.items()):
        level = guide.filtered(levels[tube][:, *within(box, corners[tube])], box)
        _write(canvas, ids[tube], level, within(box, (0, 0), CELL), CELL * places[tube], pictures[0].shape[1:])
    return canvas


def _places(
    levels: Sequence[Float32[np.ndarray, "T _ _"]],
    corners: Sequence[tuple[int, int]],
    cells: tuple[int, int],
) -> Int64[np.ndarray, "K 2 2 T"]:
    """Where tubes may be painted in frames: the first row, and the one behind the last, then the columns.

    All are 0 where nothing is inside.
    """
    inside = [level > 0.5 for level in levels]
    seen = np.array([some.any((1, 2)) for some in inside])
    bounds = np.array([[_ends(np.any(some, 2)), _ends(np.any(some, 1))] for some in inside])
    bounds += np.array(corners)[:, :, None, None]
    bounds += np.array([[-1], [1]])
    return bounds.clip(0, np.array(cells)[:, None, None]) * seen[:, None, None]


def _ends(inside: Bool[np.ndarray, "T c"]) -> tuple[Int64[np.ndarray, " T"], Int64[np.ndarray, " T"]]:
    """The first place that is inside, and the one behind the last; of no meaning where none is."""
    return inside.argmax(1), inside.shape[1] - inside[:, ::-1].argmax(1)


def _outermost(place: Int64[np.ndarray, "2 2 T"]) -> list[tuple[int, int]]:
    """Of the bounds of all frames, for rows and for columns."""
    sides = place.tolist()  # few, which NumPy would take five times as long for
    return [(min(start for start, end in zip(*side, strict=True) if end), max(side[1])) for side in sides]


def _box(place: Int64[np.ndarray, "2 2 T"], cells: tuple[int, int]) -> Box:
    """Around where a tube is painted, with all that it depends on."""
    ends = zip(_outermost(place), cells, strict=True)
    rows, columns = (slice(max(0, first + 1 - REACH), min(end, behind - 1 + REACH)) for (first, behind), end in ends)
    return rows, columns


def around(boxes: Sequence[Box]) -> Box:
    """The smallest that holds all of them."""
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides)) for sides in zip(*boxes, strict=True)
    )
    return rows, columns


def within(box: Box, corner: tuple[int, int], factor: int = 1) -> Box:
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
    full: Float32[np.ndarray, "T a b"]
    plain: Float32[np.ndarray, "T a b"]
    half: Float32[np.ndarray, "T p q"]
    mean: Float32[np.ndarray, "T p q"]
    weight: Float32[np.ndarray, "T p q"]
    edges: Float32[np.ndarray, "T p q"]

    @classmethod
    def of(cls, pictures: Sequence[UInt8[np.ndarray, "3 _ _"]], box: Box) -> _Guide:
        """Of the pictures in a box."""
        red, green, blue = np.stack([picture[:, *within(box, (0, 0), CELL)] for picture in pictures], 1)
        brightness = np.add(red, green, dtype=np.uint16)
        brightness += blue
        full = brightness * np.float32(1 / 765)
        rows = full[:, ::2] + full[:, 1::2]
        half = rows[..., ::2] + rows[..., 1::2]
        half *= np.float32(1 / 4)
        mean = _mean(half)
        variance = _mean(half * half) - mean * mean
        weight = 1 / (variance + np.float32(EDGE_VARIANCE))
        edges = _mean(variance * weight)
        return cls((box[0].start, box[1].start), full, enlarged(1 - edges, 2), half, mean, weight, edges)

    def filtered(self, level: Float32[np.ndarray, "T c d"], box: Box) -> Float32[np.ndarray, "T _ _"]:
        """The level of the cells in a box, at the size of the picture."""
        full, half = ((slice(None), *within(box, self.corner, side)) for side in (CELL, CELL // 2))
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


def _mean(values: Float32[np.ndarray, "T p q"]) -> Float32[np.ndarray, "T p q"]:
    """Of every window of 3 x 3; beyond the edges the values are mirrored in the outermost ones."""
    rows = np.empty_like(values)
    np.add(values[:, :-2], values[:, 2:], out=rows[:, 1:-1])
    rows[:, 0], rows[:, -1] = 2 * values[:, 1], 2 * values[:, -2]
    rows += values
    result = np.empty_like(rows)
    # As one line, which is three times as fast as row by row.
    line = rows.reshape(-1)
    np.add(line[:-2], line[2:], out=result.reshape(-1)[1:-1])
    result[..., 0], result[..., -1] = 2 * rows[..., 1], 2 * rows[..., -2]
    result += rows
    result *= np.float32(1 / 9)
    return result


def enlarged(values: Float32[np.ndarray, "T c d"], factor: int) -> Float32[np.ndarray, "T _ _"]:
    """Interpolated bilinearly at so many times the size, an even number; the outermost values go on to the border."""
    frames, rows, columns = values.shape
    wide = np.empty((frames, rows, factor * columns), np.float32)
    result = np.empty((frames, factor * rows, factor * columns), np.float32)
    half = factor // 2
    # The columns first, while they are few, and as one line; only at its ends a row must not go on in the next one, nor
    # a frame in the next.
    _interpolate(values.reshape(-1), wide.reshape(-1), factor)
    wide[..., :half], wide[..., -half:] = values[..., :1], values[..., -1:]
    _interpolate(wide.reshape(frames * rows, -1), result.reshape(frames * rows * factor, -1), factor)
    result[:, :half], result[:, -half:] = wide[:, :1], wide[:, -1:]
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
    canvas: Int[np.ndarray, "T H W"],
    number: int,
    level: Float32[np.ndarray, "T _ _"],
    box: Box,
    place: Int64[np.ndarray, "2 2 T"],
    shape: tuple[int, int],
) -> None:
    """Writes a number into a canvas at the size of the source where a level exceeds one half.

    Args:
        level: of the pixels of the picture in a box.
        place: of the pixels of the picture where it may be written, see `_places`.
        shape: height and width of the picture.
    """
    sizes = np.array([canvas.shape[1:], shape])
    (ours, theirs), scales = sizes[..., None], sizes[0] / sizes[1]
    bounds = np.stack([place[:, 0] * ours // theirs, -(-place[:, 1] * ours // theirs)], 1)
    (top, bottom), (left, right) = _outermost(bounds)
    # A pixel more to either side is what the outermost lie between.
    begin, end = (start - box[1].start for start in _outermost(place)[1])
    begin, end = max(0, begin - 1), end + 1
    at = (np.arange(top, bottom) + 0.5) / scales[0] - 0.5 - box[0].start
    lines = _between(_walled(level[..., begin:end]), at)
    row, turns = _turns(lines)
    turns = (turns + (box[1].start + begin + 0.5 - _WALL)) * scales[1] - 0.5
    turns[::2] = np.floor(turns[::2]) + 1
    turns[1::2] = np.ceil(turns[1::2])
    numbers, columns = np.arange(top, bottom), bounds[1, :, :, None] - left
    shown = (numbers >= bounds[0, 0, :, None]) & (numbers < bounds[0, 1, :, None])
    first, behind = (np.where(shown, column, 0).reshape(-1)[row] for column in columns)
    width = right - left
    places = np.minimum(np.maximum(turns - left, first), behind) + row * width
    edges = np.concatenate([[0], places, [shown.size * width]]).astype(np.intp)
    np.maximum.accumulate(edges, out=edges)  # rounding may let a turn come before the one before
    runs = edges[1:] - edges[:-1]
    mask = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(*shown.shape, width)
    np.copyto(canvas[:, top:bottom, left:right], number, where=mask)


_WALL = 2
"""Columns that `_walled` adds to either side."""


def _walled(level: Float32[np.ndarray, "T c d"]) -> Float32[np.ndarray, "T c _"]:
    """The outermost columns once more, and then what lies far below one half: every row begins and ends outside."""
    walled = np.full((*level.shape[:2], level.shape[2] + 2 * _WALL), -1e9, np.float32)
    walled[..., _WALL:-_WALL] = level
    walled[..., 1], walled[..., -2] = level[..., 0], level[..., -1]
    return walled


def _between(values: Float32[np.ndarray, "T c d"], at: Float64[np.ndarray, " n"]) -> Float32[np.ndarray, "T n d"]:
    """Rows interpolated at these places; the outermost ones go on."""
    last = values.shape[1] - 1
    at = np.minimum(np.maximum(at, 0), last)
    above = np.minimum(at.astype(np.intp), last - 1)
    rows, below = values.take(above, 1), values.take(above + 1, 1)
    below -= rows
    below *= (at - above).astype(np.float32)[:, None]
    rows += below
    return rows


def _turns(lines: Float32[np.ndarray, "T n d"]) -> tuple[Int64[np.ndarray, " _"], Float64[np.ndarray, " _"]]:
    """Where the level passes one half, by turns upwards and downwards: the number of the line, and the place in it.

    Along a line the level is straight from pixel to pixel: it passes one half once where these differ, else never.
    """
    flat = lines.reshape(-1)
    inside = flat > 0.5
    before = np.flatnonzero(inside[1:] != inside[:-1])
    one, other = flat[before], flat[before + 1]
    row, place = np.divmod(before, lines.shape[2])
    return row, place + (0.5 - one) / (other - one)
