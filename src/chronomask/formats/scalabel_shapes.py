"""The outlines of Scalabel (`poly2d`): `types` has a letter a vertex; two C's bend the way from one L to the next."""

from __future__ import annotations

from collections.abc import Sequence

from chronomask.annotations.problems import shown
from chronomask.annotations.row import Row

_STEPS = 16
"""Lines that a curve is drawn with."""


def outline(part: Row) -> list[float]:
    """Its corners as x, y, x, y, ...

    Raises:
        InputError: naming file, label, field and value.
    """
    points = part.points("vertices")
    types = part.text("types") if "types" in part else "L" * len(points)
    if len(types) != len(points) or not set(types) <= {"L", "C"}:
        part.fault("types", f"{shown(types)} is not one letter, L or C, for each of the {len(points)} vertices")
    line: list[float] = []
    place = 0
    while place < len(points):
        if types[place] == "L":
            line += points[place]
            place += 1
            continue
        if not line or types[place : place + 2] != "CC" or types[(place + 2) % len(points)] != "L":
            part.fault("types", f"{shown(types)} has a C that is not one of two between two L's")
        line += _curve(line[-2:], points[place], points[place + 1], points[(place + 2) % len(points)])
        place += 2
    return line


def _curve(*corners: Sequence[float]) -> list[float]:
    """The points between the first and the last of the four corners of a cubic Bezier curve."""
    line: list[float] = []
    for step in range(1, _STEPS):
        t = step / _STEPS
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        line += [sum(w * c[axis] for w, c in zip(weights, corners, strict=True)) for axis in (0, 1)]
    return line
