"""Masks as polygons.

Legend: H W pixels, N M corners.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from chronomask import rle
from chronomask.annotations.records import TracksFile
from chronomask.errors import InputError
from chronomask.rle import Rle

TOLERANCE = 0.5
"""Pixels by which a simplified outline may leave the true one: few enough corners for people to move by hand."""


def outlines(mask: Bool[np.ndarray, "H W"]) -> list[Float64[np.ndarray, "_ 2"]]:
    """Polygons, N >= 3, of the (x, y) corners of every part of a mask; a hole is cut in, by a way there and back.

    Coordinates are in pixels from the upper left corner of the first pixel, whose middle is (0.5, 0.5). A part that
    or hole that would be lost in simplifying keeps its whole outline.

    Raises:
        InputError: OpenCV is not installed.
    """
    cv2 = _opencv()
    # In a mask of twice the size the outline runs through points between edge and middle of a pixel: so it lies on the
    # right side of every middle, which is what rasterisers ask.
    doubled = mask.repeat(2, 0).repeat(2, 1).astype(np.uint8)
    found, nesting = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [_ring(contour, mask.shape) for contour in found]
    parents = [] if nesting is None else nesting[0, :, 3].tolist()
    return [
        _with_holes(ring, [hole for hole, parent in zip(rings, parents, strict=True) if parent == place])
        for place, ring in enumerate(rings)
        if parents[place] < 0
    ]


def _ring(contour: np.ndarray, shape: tuple[int, ...]) -> Float64[np.ndarray, "N 2"]:
    import cv2

    ring = _corners(cv2.approxPolyDP(contour, 2 * TOLERANCE, closed=True))
    lost = len(ring) < 3 or rle.area(filled([ring], shape[0], shape[1])) == 0
    return _corners(contour) if lost else ring


def _with_holes(
    ring: Float64[np.ndarray, "N 2"], holes: list[Float64[np.ndarray, "_ 2"]]
) -> Float64[np.ndarray, "M 2"]:
    """One polygon that goes round a part, and from its nearest corner into every hole, round it and back."""
    for hole in holes:
        distances = ((ring[:, None] - hole[None]) ** 2).sum(2)
        outer, inner = np.unravel_index(int(distances.argmin()), distances.shape)
        turned = np.roll(hole, -int(inner), 0)
        ring = np.vstack([ring[: outer + 1], turned, turned[:1], ring[outer:]])
    return ring


def filled(polygons: list[Float64[np.ndarray, "_ 2"]], height: int, width: int) -> Rle:
    """The mask inside any of the polygons."""
    return rle.from_annotation([polygon.ravel().tolist() for polygon in polygons], height, width)


def polygon_losses(file: TracksFile) -> list[str]:
    """What the masks of a file lose as outlines, in one sentence if they do."""
    overlaps = []
    for track in file.tracks:
        for mask in track.segmentations:
            if mask is not None:
                drawn = filled(outlines(rle.decode(mask)), *mask["size"])
                overlaps.append(float(rle.iou([drawn], [mask])[0, 0]))
    changed = sum(value < 1 for value in overlaps)
    if not changed:
        return []
    mean = sum(overlaps) / len(overlaps)
    return [f"exact pixels: {changed} of {len(overlaps)} masks change as polygons; mean IoU {mean:.3f}"]


def _opencv() -> Any:
    try:
        return import_module("cv2")
    except ImportError as error:
        raise InputError("polygons need OpenCV: pip install opencv-python-headless") from error


def _corners(contour: np.ndarray) -> Float64[np.ndarray, "N 2"]:
    return (contour[:, 0].astype(np.float64) + 0.5) / 2
