"""One entry of a file, its fields checked one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard

from chronomask import rle
from chronomask.annotations.problems import Problems, shown
from chronomask.bounds import MAX_PIXELS, MAX_SIDE
from chronomask.errors import InputError
from chronomask.rle import MAX_COORDINATE, Rle

LARGEST = 2**53
"""Whole numbers beyond this are rounded by programs that read json as JavaScript does."""

_HUGE = 1e300
"""Whole numbers of json may be larger than any float."""


class Row:
    """The fields of an entry. A fault goes to `problems`, and something harmless is returned in place of the value.

    Attributes:
        fields: as the file has them.
        place: of the entry in the file, as `videos[3]`.
        problems: takes the faults.
        sound: whether there was no fault yet.
    """

    __slots__ = ("fields", "place", "problems", "sound")

    def __init__(self, fields: Mapping[str, Any], place: str, problems: Problems) -> None:
        self.fields, self.place, self.problems, self.sound = fields, place, problems, True

    def __contains__(self, key: str) -> bool:
        """Whether the entry states this: null is as good as missing."""
        return self.fields.get(key) is not None

    def fault(self, key: str, message: str) -> None:
        """Notes that a field is wrong."""
        self.sound = False
        self.problems.error(f"{self.place}.{key}" if self.place else key, message)

    def whole(self, key: str, least: int = -LARGEST, most: int = LARGEST) -> int:
        """A whole number between two bounds."""
        value = self.fields.get(key)
        if is_whole(value) and least <= value <= most:
            return value
        bounds = "" if least == -LARGEST else f" from {least}"
        self._wrong(key, value, f"is no whole number{bounds}" if not is_whole(value) or value < least else f"> {most}")
        return max(least, 0)

    def known(self, key: str, known: Collection[int]) -> int:
        """A whole number that is the id of something: `known` are those that there are."""
        value = self.fields.get(key)
        if is_whole(value) and value not in known:
            self.fault(key, f"{value} is no known {key.removesuffix('_id')}")
        return self.whole(key)

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.fields.get(key)
        if is_number(value):
            return float(value)
        self._wrong(key, value, "is no finite number")
        return 0.0

    def flag(self, key: str) -> bool:
        """0 or 1, false or true; false where it is missing or null."""
        value = self.fields.get(key)
        if value is None or (isinstance(value, int | float) and value in (0, 1)):
            return bool(value)
        self._wrong(key, value, "is neither 0 nor 1")
        return False

    def text(self, key: str) -> str:
        """A text, and not empty."""
        value = self.fields.get(key)
        if isinstance(value, str) and value:
            return value
        self._wrong(key, value, "is no text")
        return "?"

    def identity(self, key: str) -> str:
        """An id that may be a text or a whole number, as text."""
        return self.text(key) if isinstance(self.fields.get(key), str) else str(self.whole(key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, none empty."""
        values = self.listed(key)
        if wrong := [value for value in values if not (isinstance(value, str) and value)]:
            self.fault(key, f"{shown(wrong[0])} is no text")
            return ()
        return tuple(values)

    def listed(self, key: str) -> list[Any]:
        """A list."""
        value = self.fields.get(key)
        if isinstance(value, list | tuple):
            return list(value)
        self._wrong(key, value, "is no list")
        return []

    def size(self, width: str = "width", height: str = "height") -> tuple[int, int]:
        """Width and height of frames, under these keys."""
        size = self.whole(width, 1, MAX_SIDE), self.whole(height, 1, MAX_SIDE)
        if size[0] * size[1] > MAX_PIXELS:
            self.fault(width, f"{size[0]}x{size[1]} pixels are more than the {MAX_PIXELS:,} that a frame may have")
        return size

    def sides(self, key: str) -> tuple[int, int]:
        """Width and height of frames that stand in a list [height, width]."""
        sides = self.listed(key)
        if len(sides) != 2:
            self.fault(key, f"{shown(sides)} is no [height, width]")
        height, width = (f"{key}[{place}]" for place in range(2))
        return Row(dict(zip((height, width), sides, strict=False)), self.place, self.problems).size(width, height)

    def points(self, key: str) -> list[list[float]]:
        """Corners [x, y]."""
        points = self.listed(key)
        for point in points:
            pair = isinstance(point, list | tuple) and len(point) == 2 and all(map(is_number, point))
            if not pair or max(map(abs, point)) > MAX_COORDINATE:
                self.fault(key, f"{shown(point)} is no pair [x, y] of numbers up to {MAX_COORDINATE:,.0f}")
                return []
        return [[float(value) for value in point] for point in points]

    def mask(self, key: str, shape: Any, width: int, height: int) -> Rle:
        """The pixels of what stands under a key, made into run lengths or polygons of a frame of that size."""
        try:
            return rle.from_annotation(shape, height, width)
        except InputError as error:
            self.fault(key, str(error))
            return rle.from_run_lengths([width * height], height, width)

    def inner(self, key: str) -> Row:
        """The object that a field is; an empty one where it is missing or null."""
        value = self.fields.get(key)
        return self._row(key, {} if value is None else value)

    def rows(self, key: str, needed: bool = True) -> Iterator[Row]:
        """The objects in a list, which may be missing or null unless it is needed."""
        entries = self.listed(key) if needed or key in self else ()
        return (self._row(f"{key}[{index}]", entry) for index, entry in enumerate(entries))

    def members(self, key: str) -> Iterator[tuple[str, Row]]:
        """The objects in an object, each with its name."""
        if key not in self:
            self.fault(key, "missing")
        inner = self.inner(key)
        return ((name, inner._row(name, entry)) for name, entry in inner.fields.items())

    def _row(self, key: str, value: Any) -> Row:
        if not isinstance(value, Mapping):
            self.fault(key, f"{shown(value)} is no object")
            value = {}
        return Row(value, f"{self.place}.{key}".lstrip("."), self.problems)

    def _wrong(self, key: str, value: Any, message: str) -> None:
        self.fault(key, "missing" if key not in self.fields else f"{shown(value)} {message}")


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a json value is a whole number; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a json value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _HUGE
