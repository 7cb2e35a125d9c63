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
        ids: track id of every tube.
        picture: the frame, shrunk for the network.
        size: height and width of the source.

    Returns:
        In the smallest type that holds the ids.
    """
    canvas = np.zeros(size, np.int16 if max(ids, default=0) <= np.iinfo(np.int16).max else np.int32)
    cell = picture.shape[1] // labels.shape[0]
    for tube, box in reversed(list(enumerate(find_objects(labels, len(ids))))):
        if box is None:
            continue
        painted, needed = (_grown(box, by, labels.shape) for by in (1, REACH))
        rows, columns = _times(needed, cell)
        seen = picture[:, rows, columns]
        level = cv2.resize(probabilities[tube][needed], seen.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
        level = _guided(level, seen.mean(0, dtype=np.float32) / 255, cell // 2)
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


def _times(box: Sequence[slice], factor: int) -> tuple[slice, ...]:
    return tuple(slice(side.start * factor, side.stop * factor) for side in box)


def _guided(
    level: Float32[np.ndarray, "u v"], guide: Float32[np.ndarray, "u v"], radius: int
) -> Float32[np.ndarray, "u v"]:
    """In every window the linear function of the guide that is closest to the level; of all windows the mean.

    Where the guide has no edges that is the mean of the level, which small and thin tubes would not survive: there the
    level stays as it is.
    """

    def mean(values: Float32[np.ndarray, "u v"]) -> Float32[np.ndarray, "u v"]:
        return cv2.boxFilter(values, -1, (2 * radius + 1, 2 * radius + 1))

    mean_guide, mean_level = mean(guide), mean(level)
    variance = mean(guide**2) - mean_guide**2
    slope = (mean(guide * level) - mean_guide * mean_level) / (variance + EDGE_VARIANCE)
    followed = mean(slope) * guide + mean(mean_level - slope * mean_guide)
    return level + mean(variance / (variance + EDGE_VARIANCE)) * (followed - level)


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
    canvas[ys, xs][full > 0.5] = number
