"""The shapes of LabelMe as masks: what its program draws, and what its relatives add.

Legend: H W pixels.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from chronomask import rle
from chronomask.annotations.problems import shown
from chronomask.annotations.row import Row
from chronomask.errors import InputError, refusing
from chronomask.rle import MAX_COORDINATE, Rle
from chronomask.video.pictures import opened

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


def mask_of(shape: Row, height: int, width: int) -> Rle:
    """The pixels of a shape that has an area.

    Raises:
        InputError: naming shape, field and value.
    """
    kind, points = kind_of(shape), _points(shape)
    if len(points) < _LEAST_POINTS[kind]:
        shape.fault("points", f"a {kind} of {len(points)} points; it needs {_LEAST_POINTS[kind]}")
    where = f"{shape.problems.file}: {shape.place}"
    if kind == "mask":
        return _of_png(where, shape.text("mask"), points, height, width)
    if kind == "circle":
        return _of_circle(where, points, height, width)
    if kind == "rectangle" and len(points) == 2:
        (left, top), (right, bottom) = points
        points = [[left, top], [right, top], [right, bottom], [left, bottom]]
    try:
        return rle.from_annotation([[value for point in points for value in point]], height, width)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _points(shape: Row) -> list[list[Any]]:
    points = shape.listed("points")
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            shape.fault("points", f"must hold pairs [x, y], not {shown(point)}")
    return points


def _of_circle(where: str, points: list[list[Any]], height: int, width: int) -> Rle:
    """A circle is its middle and a point of its edge; a pixel belongs to it by its own middle."""
    values = [value for point in points[:2] for value in point]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_COORDINATE:
            raise InputError(f"{where}: a circle has the coordinate {value!r:.80}")
    x, y, edge_x, edge_y = values
    rows, columns = np.ogrid[:height, :width]
    distance = np.hypot(columns + 0.5 - x, rows + 0.5 - y)
    return rle.encode(distance <= np.hypot(edge_x - x, edge_y - y))


def _of_png(where: str, picture: str, points: list[list[Any]], height: int, width: int) -> Rle:
    """A mask is a PNG as text, whose upper left and lower right pixel the two points name."""
    with refusing(where, "'mask' is no PNG in base64"):
        content = base64.b64decode(picture, validate=True)
    with opened(io.BytesIO(content), f"{where}: 'mask'") as image:
        part = np.asarray(image.convert("L")) > 0
    try:
        left, top = (int(value) for value in points[0])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: 'points' hold {points[0]!r:.80}, no pixel") from error
    if min(left, top) < 0 or left + part.shape[1] > width or top + part.shape[0] > height:
        raise InputError(f"{where}: a mask of {part.shape[1]}x{part.shape[0]} at ({left}, {top}) leaves the frame")
    mask = np.zeros((height, width), bool)
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    return rle.encode(mask)
