"""The shapes of LabelMe as masks: what its program draws, and what its relatives add."""

from __future__ import annotations

import numpy as np

from chronomask import rle
from chronomask.annotations.problems import shown
from chronomask.annotations.row import Row
from chronomask.formats.label_maps import pixels_in
from chronomask.rle import Rle

WITHOUT_AREA = ("point", "points", "line", "linestrip")
"""Shapes that cover no pixel."""

_LEAST_POINTS = {"polygon": 3, "oriented_rectangle": 3, "rotation": 3, "rectangle": 2, "circle": 2, "mask": 2}


def kind_of(shape: Row) -> str:
    """The `shape_type`, a polygon where there is none.

    Raises:
        InputError: the program draws nothing of that name.
    """
    kind = shape.text("shape_type") if "shape_type" in shape else "polygon"
    if kind not in _LEAST_POINTS and kind not in WITHOUT_AREA:
        shape.fault("shape_type", f"{shown(kind)} is not known; known are {', '.join(_LEAST_POINTS)}")
    return kind


def mask_of(shape: Row, width: int, height: int) -> Rle:
    """The pixels of a shape that has an area.

    Raises:
        InputError: naming shape, field and value.
    """
    kind, points = kind_of(shape), shape.points("points")
    if len(points) < _LEAST_POINTS[kind]:
        shape.fault("points", f"a {kind} of {len(points)} points; it needs {_LEAST_POINTS[kind]}")
    if kind == "mask":
        return _of_png(shape, points[0], width, height)
    if kind == "circle":
        return _of_circle(points[0], points[1], width, height)
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        points = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return shape.mask("points", [[value for point in points for value in point]], width, height)


def _of_circle(middle: list[float], edge: list[float], width: int, height: int) -> Rle:
    """A circle is its middle and a point of its edge; a pixel belongs to it by its own middle."""
    rows, columns = np.ogrid[:height, :width]
    distance = np.hypot(columns + 0.5 - middle[0], rows + 0.5 - middle[1])
    return rle.encode(distance <= np.hypot(edge[0] - middle[0], edge[1] - middle[1]))


def _of_png(shape: Row, corner: list[float], width: int, height: int) -> Rle:
    """A mask is a PNG as text, whose upper left pixel the first point names."""
    part = pixels_in(shape, "mask", "L") > 0
    left, top = map(int, corner)
    if min(left, top) < 0 or left + part.shape[1] > width or top + part.shape[0] > height:
        shape.fault("points", f"a mask of {part.shape[1]}x{part.shape[0]} at ({left}, {top}) leaves the frame")
    mask = np.zeros((height, width), bool)
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    return rle.encode(mask)
