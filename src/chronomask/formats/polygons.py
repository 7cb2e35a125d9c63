"""Masks as polygons.

Legend: H W pixels, N corners.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from chronomask import rle
from chronomask.formats.tracks import TracksFile
from chronomask.rle import Rle

TOLERANCE = 0.5
"""Pixels by which a simplified outline may leave the true one: few enough corners for people to move by hand."""


def outlines(mask: Bool[np.ndarray, "H W"]) -> list[Float64[np.ndarray, "N 2"]]:
    """Polygons, N >= 3, of the (x, y) corners of every part of a mask; holes are filled.

    Coordinates are in pixels from the upper left corner of the first pixel, whose middle is (0.5, 0.5). A part that
    would be lost in simplifying keeps its whole outline.
    """
    import cv2

    # In a mask of twice the size the outline runs through points between edge and middle of a pixel: so it lies on the
    # right side of every middle, which is what rasterisers ask.
    doubled = mask.repeat(2, 0).repeat(2, 1).astype(np.uint8)
    found, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = []
    for contour in found:
        simple = cv2.approxPolyDP(contour, 2 * TOLERANCE, closed=True)
        polygon = _corners(simple)
        if len(polygon) < 3 or rle.area(filled([polygon], *mask.shape)) == 0:
            polygon = _corners(contour)
        polygons.append(polygon)
    return polygons


def filled(polygons: list[Float64[np.ndarray, "N 2"]], height: int, width: int) -> Rle:
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
    return [
        f"exact pixels: {changed} of {len(overlaps)} masks change as polygons (holes are filled); mean IoU {mean:.3f}"
    ]


def _corners(contour: np.ndarray) -> Float64[np.ndarray, "N 2"]:
    return (contour[:, 0].astype(np.float64) + 0.5) / 2
