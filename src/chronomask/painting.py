"""From tubes in cells of the network's output to track ids at the size of the source, along the edges of the picture.

Legend: K tubes, H W pixels of the source, a b pixels of the picture that the network saw, h w cells of s x s of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import cv2
import numpy as np
from jaxtyping import Float32, Int, Int16, UInt8
from scipy.ndimage import find_objects

REACH = 3
"""Cells around a tube that its pixels depend on: one more is painted, the filter takes means twice over windows that
reach half a cell further, and the outermost half of a cell has no neighbour to interpolate with."""

EDGE_VARIANCE = 1e-3
"""Epsilon of the guided filter, beside the variance of the brightness (0 to 1) in a window: edges whose variance is far
below it are not followed. Values ten times as small or large make no difference."""


def paint(
    probabilities: Sequence[Float32[np.ndarray, "h w"]],
    labels: Int16[np.ndarray, "h w"],
    ids: Sequence[int],
    picture: UInt8[np.ndarray, "3 a b"],
    size: tuple[int, int],
) -> Int[np.ndarray, "H W"]:
    """Track ids of one frame at full size, 0 where no tube is.

    The probabilities are brought to the size of the picture, where a guided filter (He et al. 2013) moves their edges
    to those of the picture, by a cell at most; then to the size of the source, and cut at one half. Where two tubes
    meet, the one found first keeps the pixel, as in eq. (7). Only what lies around a tube is computed, one tube at a
    time: ten tubes of a 4K frame at once would be a third of a gigabyte.

    Args:
        probabilities: of the tubes in this frame; above 0.5 inside.
        labels: 0 or k + 1 inside tube k.
        ids: track id of every tube; 0 for one that keeps its pixels from others, but is not painted.
        picture: the frame, shrunk for the network.
        size: height and width of the source.

    Returns:
        In the smallest type that holds the ids.
    """
    canvas = np.zeros(size, np.int16 if max(ids, default=0) <= np.iinfo(np.int16).max else np.int32)
    cell = picture.shape[1] // labels.shape[0]
    boxes = find_objects(labels, len(ids))
    visible = [box for box, number in zip(boxes, ids, strict=True) if box is not None and number]
    for tube, box in reversed(list(enumerate(boxes))):
        if box is None or not any(_near(box, other) for other in visible):
            continue
        painted, needed = (_grown(box, by, labels.shape) for by in (1, REACH))
        rows, columns = _times(needed, cell)
        seen = picture[:, rows, columns]
        guide = (seen[0].astype(np.float32) + seen[1] + seen[2]) / 765
        level = _guided(probabilities[tube][needed], guide)
        inner = [
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(painted, needed, strict=True)
        ]
        _stamp(canvas, level[_times(inner, cell)], _times(painted, cell), picture.shape[1:], ids[tube])
    return canvas


def _grown(box: Sequence[slice], by: int, shape: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, side.start - by), min(cells, side.stop + by)) for side, cells in zip(box, shape, strict=True)
    )


def _near(one: Sequence[slice], other: Sequence[slice]) -> bool:
    """Whether both may be painted on the same pixels."""
    return all(a.start <= b.stop + 1 and b.start <= a.stop + 1 for a, b in zip(one, other, strict=True))


def _times(box: Sequence[slice], factor: int) -> tuple[slice, ...]:
    return tuple(slice(side.start * factor, side.stop * factor) for side in box)


def _guided(level: Float32[np.ndarray, "c d"], guide: Float32[np.ndarray, "u v"]) -> Float32[np.ndarray, "u v"]:
    """The level at the size of the guide: in every window the linear function of it that is closest to the level.

    Windows are three pixels of half the size wide; there the functions are found, and the mean of those that hold for a
    pixel is applied at full size (He and Sun 2015). Where the guide has no edges that is the mean of the level, which
    small and thin tubes would not survive: there the level stays as it is.
    """
    half = (guide.shape[0] // 2, guide.shape[1] // 2)
    x, p = _resized(guide, half), _resized(level, half)
    mean_x, mean_p = _mean(x), _mean(p)
    variance = _mean(x * x) - mean_x * mean_x
    slope = (_mean(x * p) - mean_x * mean_p) / (variance + EDGE_VARIANCE)
    edges = _mean(variance / (variance + EDGE_VARIANCE))
    parts = (edges * _mean(slope), edges * _mean(mean_p - slope * mean_x), edges)
    slope, offset, edges = (_resized(part, guide.shape) for part in parts)
    return slope * guide + offset + (1 - edges) * _resized(level, guide.shape)


def _mean(values: Float32[np.ndarray, "p q"]) -> Float32[np.ndarray, "p q"]:
    """Of every window."""
    return cv2.boxFilter(values, -1, (3, 3))


def _resized(values: Float32[np.ndarray, "p q"], size: tuple[int, ...]) -> Float32[np.ndarray, "r s"]:
    return cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR)


def _stamp(
    canvas: Int[np.ndarray, "H W"],
    level: Float32[np.ndarray, "u v"],
    place: tuple[slice, ...],
    shape: tuple[int, ...],
    number: int,
) -> None:
    """Writes a number where the level, which is of this place in a picture of this shape, exceeds one half."""
    (ys, y_scale), (xs, x_scale) = (
        (slice(floor(side.start / scale), min(ours, ceil(side.stop / scale))), scale)
        for side, ours, scale in zip(place, canvas.shape, np.divide(shape, canvas.shape), strict=True)
    )
    # From pixels of the canvas to those of the level, by their centres.
    y_offset, x_offset = (
        (reach.start + 0.5) * scale - 0.5 - side.start
        for reach, scale, side in zip((ys, xs), (y_scale, x_scale), place, strict=True)
    )
    full = cv2.warpAffine(
        level,
        np.array([[x_scale, 0, x_offset], [0, y_scale, y_offset]]),
        (xs.stop - xs.start, ys.stop - ys.start),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    np.copyto(canvas[ys, xs], number, where=full > 0.5)
