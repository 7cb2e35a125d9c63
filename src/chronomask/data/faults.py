"""Rows of annotation files, checked field by field: a fault is raised, or noted and its row left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from chronomask.errors import InputError

Row = Mapping[str, Any]
T = TypeVar("T")

_SINGULAR = {"categories": "category", "images": "image", "videos": "video", "annotations": "annotation"}


class Faults:
    """What becomes of the faults of one file.

    Args:
        file: for messages.
        noted: takes the message of every fault; None to raise the first.
    """

    def __init__(self, file: Path, noted: list[str] | None) -> None:
        self.file, self.noted = file, noted

    def parsed(self, content: Row, key: str, parse: Callable[[Row, str], T]) -> tuple[dict[int, T], list[Any]]:
        """Every row of a list, as `parse(row, place)` makes it, by id; and the rows that were left out.

        Raises:
            InputError: there is no such list, or a row is broken and faults are not noted.
        """
        rows = content.get(key)
        if not isinstance(rows, list):
            raise InputError(f"{self.file}: has no list `{key}`")
        sound: dict[int, T] = {}
        broken: list[Any] = []
        for position, row in enumerate(rows):
            try:
                number = self._id(row, f"{self.file}: {key}[{position}]", sound)
                sound[number] = parse(row, f"{self.file}: {_SINGULAR[key]} {number}")
            except InputError as error:
                if self.noted is None:
                    raise
                self.noted.append(str(error))
                broken.append(row)
        return sound, broken

    def _id(self, row: Any, place: str, taken: Mapping[int, Any]) -> int:
        if not isinstance(row, dict):
            raise InputError(f"{place}: {shown(row)} is no object")
        number = whole(row, "id", place)
        if number in taken:
            raise InputError(f"{place}: id {number} is the id of an earlier entry too")
        return number


def ids(rows: Iterable[Any], key: str) -> set[int]:
    """The whole numbers that rows, which may be broken, have in this field."""
    return {row[key] for row in rows if isinstance(row, dict) and _is_whole(row.get(key))}


def whole(row: Row, key: str, place: str, least: int | None = None) -> int:
    """A field that is a whole number, of at least `least`."""
    value = _field(row, key, place)
    if not _is_whole(value) or (least is not None and value < least):
        raise InputError(f"{place}: {key} {shown(value)} is no whole number" + (f" from {least}" if least else ""))
    return value


def text(row: Row, key: str, place: str) -> str:
    """A field that is a text, and not empty."""
    value = _field(row, key, place)
    if not isinstance(value, str) or not value:
        raise InputError(f"{place}: {key} {shown(value)} is no name")
    return value


def texts(row: Row, key: str, place: str) -> tuple[str, ...]:
    """A field that is a list of texts."""
    value = _field(row, key, place)
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise InputError(f"{place}: {key} {shown(value)} is no list of names")
    return tuple(value)


def flag(row: Row, key: str, place: str) -> bool:
    """A field that is 0 or 1, false or true; false where it is missing."""
    value = row.get(key, 0)
    if value not in (0, 1):
        raise InputError(f"{place}: {key} {shown(value)} is neither 0 nor 1")
    return bool(value)


def area(value: Any, key: str, place: str) -> float | None:
    """A number of pixels, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise InputError(f"{place}: {key} {shown(value)} is no number of pixels")
    return float(value)


def shown(value: Any) -> str:
    """A value as messages show it: cut, for annotations run to megabytes."""
    shortened = repr(value)
    return shortened if len(shortened) <= 60 else shortened[:57] + "..."


def _field(row: Row, key: str, place: str) -> Any:
    if key not in row:
        raise InputError(f"{place}: lacks the field {key!r}")
    return row[key]


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
