"""Pictures seen through homographies, blurred along the motion while the shutter is open.

Legend: S sub-frames of one exposure, H W pixels of the source, c channels.

OpenCV does the work: on one thread it warps a still of 480x640 to a clip of 8 frames of 256x448 in 10 ms, where
kornia's batched `warp_perspective`, which converts to float32 and computes a sampling grid, takes 50 ms.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int16, UInt8

STEP = 2.0
"""Largest way in pixels between neighbouring sub-frames: beyond it, a blurred edge shows as a row of edges."""

SHARP = 0.5
"""Ways in pixels below this are no blur."""


def warp_labels(
    labels: Int16[np.ndarray, "H W"], matrix: Float[np.ndarray, "3 3"], size: tuple[int, int], outside: int
) -> Int16[np.ndarray, "h w"]:
    """The nearest label for every pixel of a frame of `size` (height, width); `outside` beyond the border."""
    return _warp(labels, matrix, size, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, outside)


def expose(
    picture: UInt8[np.ndarray, "H W c"], exposure: Float[np.ndarray, "S 3 3"], size: tuple[int, int], reflect: bool
) -> UInt8[np.ndarray, "h w c"]:
    """What a frame of `size` (height, width) shows while the shutter is open: the mean of its sub-frames.

    Warping several times follows rotation, zoom and perspective in every pixel, where the kernel of a motion blur has
    one direction and length for the whole frame.

    Args:
        picture: the source.
        exposure: homographies from source to frame pixels; as many of them are used as the motion needs.
        size: (height, width) of the frame.
        reflect: beyond its border the picture is mirrored; otherwise all channels are 0 there.
    """
    border = cv2.BORDER_REFLECT_101 if reflect else cv2.BORDER_CONSTANT
    matrices = needed_subframes(exposure, size)
    views = (_warp(picture, matrix, size, cv2.INTER_LINEAR, border, 0) for matrix in matrices)
    if len(matrices) == 1:
        return next(views)
    total = np.zeros((*size, picture.shape[2]), np.float32)
    for view in views:
        cv2.accumulate(view, total)
    return (total / len(matrices) + 0.5).astype(np.uint8)


def needed_subframes(exposure: Float[np.ndarray, "S 3 3"], size: tuple[int, int]) -> Float[np.ndarray, "s 3 3"]:
    """The middle sub-frame alone where nothing moves, else as few as keep steps short; all of them where none do.

    S is odd, and S - 1 a power of two. Steps are measured at the corners of a frame of `size` (height, width).
    """
    middle = len(exposure) // 2
    if np.array_equal(exposure[0], exposure[-1]):
        return exposure[middle : middle + 1]
    height, width = size
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], exposure.dtype)
    moved = exposure @ np.linalg.inv(exposure[middle]) @ corners
    points = moved[:, :2] / moved[:, 2:]
    way = np.linalg.norm(np.diff(points, axis=0), axis=1).sum(0).max()
    if way < SHARP:
        return exposure[middle : middle + 1]
    stride = middle
    while stride > 1 and way * stride / (len(exposure) - 1) > STEP:
        stride //= 2
    return exposure[::stride]


def shrink(
    picture: UInt8[np.ndarray, "H W c"], matrices: Float[np.ndarray, "*any 3 3"]
) -> tuple[UInt8[np.ndarray, "h w c"], Float[np.ndarray, "*any 3 3"]]:
    """Averages the picture over squares of whole pixels as far as no view of it loses detail, and adapts the matrices.

    Bilinear sampling looks at four pixels only: where a view is much smaller than the picture, edges would flicker.
    """
    # At the middle of the picture; perspective changes it little elsewhere.
    centre = np.array([picture.shape[1] / 2, picture.shape[0] / 2, 1.0])
    depth = matrices[..., 2, :] @ centre
    growth = np.sqrt(np.abs(np.linalg.det(matrices) / depth**3)).max()
    factor = int(min(1 / max(growth, 1e-6), *picture.shape[:2]))
    if factor < 2:
        return picture, matrices
    height, width = (side // factor for side in picture.shape[:2])
    # The last, incomplete squares lie beyond the border now: less than a pixel of any view.
    whole = picture[: height * factor, : width * factor]
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width, -1)
    to_large = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]], matrices.dtype)
    return small, matrices @ to_large


def _warp(
    picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int], interpolation: int, border: int, value: int
) -> Any:
    return cv2.warpPerspective(
        picture, matrix, (size[1], size[0]), flags=interpolation, borderMode=border, borderValue=[value] * 4
    )
