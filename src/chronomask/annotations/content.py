"""Json files opened: entries as mappings, masks left as the bytes of the file until somebody asks for them.

A data set's json is masks for the most part. msgspec steps over what it is not asked for, which takes a quarter of the
time and half of the memory of building it all. Files that it refuses go to Python's own reader, which takes NaN, says
the line of a fault, and decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from chronomask.annotations.problems import Problems, shown
from chronomask.annotations.row import Row
from chronomask.errors import InputError, refusing

_BEGIN = 4096
"""Bytes of a list in which the keys of its first entry lie, but for those behind masks."""

_SMALL, _LIST, _OBJECT = 2**23, 8, 16
"""Larger files have so many bytes or more for each list and object, which cost 80 and 230 in memory."""

_MOST_DIGITS = 400
"""Numbers with more are infinite, for Python refuses to convert them; no field takes such a number."""


class _Entry(Struct, gc=False):
    """The fields of annotations and results that anybody reads; masks and boxes by far the largest."""

    id: Any = UNSET
    video_id: Any = UNSET
    image_id: Any = UNSET
    category_id: Any = UNSET
    instance_id: Any = UNSET
    track_id: Any = UNSET
    attributes: Any = UNSET
    score: Any = UNSET
    class_score: Any = UNSET
    iscrowd: Any = UNSET
    merged: Any = UNSET
    areas: Any = UNSET
    area: Any = UNSET
    segmentations: Raw | UnsetType = UNSET
    segmentation: Raw | UnsetType = UNSET
    bboxes: Raw | UnsetType = UNSET
    bbox: Raw | UnsetType = UNSET


class _Object(Struct):
    """An annotation file: what stands beside its annotations is small."""

    info: Any = UNSET
    videos: Any = UNSET
    images: Any = UNSET
    categories: Any = UNSET
    video_np_pairs: Any = UNSET
    annotations: list[_Entry] | UnsetType | None = UNSET


@dataclass(frozen=True, eq=False)
class Content:
    """What a file holds, unchecked.

    Attributes:
        file: its name, for messages.
        head: the fields of the file but its annotations; empty for a list of results.
        entries: the annotations or results, which should be a list.
        listed: "annotations", or "results" where the file is a plain list.
    """

    file: str
    head: Mapping[str, Any]
    entries: Any
    listed: str = "annotations"

    @property
    def held_back(self) -> bool:
        """Whether it names videos and categories alone, as the public files of test sets do: no ground truth."""
        return self.listed == "annotations" and self.entries is None

    def rows(self, key: str, problems: Problems) -> Iterator[tuple[int, Row]]:
        """The entries of a list, `videos` for example, each with its place; those that are no objects are faults.
        Annotations that are held back are none."""
        if key == self.listed and self.held_back:
            return
        entries = self.entries if key == self.listed else self.head.get(key)
        if not isinstance(entries, list | tuple):
            problems.error(key, "missing" if key not in self.head else f"{shown(entries)} is no list")
            return
        for index, entry in enumerate(entries):
            fields, place = _fields(entry), f"{key}[{index}]"
            if fields is None:
                problems.error(place, f"{shown(entry)} is no object")
            else:
                yield index, Row(fields, place, problems)


Source = str | Path | Mapping[str, Any] | Sequence[Any] | Content
"""A json file, or what one holds."""


def opened(source: Source) -> Content:
    """Opens an annotation or result file.

    Raises:
        InputError: no such file, one that cannot be read, no json, or neither an object nor a list.
    """
    if isinstance(source, Content):
        return source
    file, value = name_of(source), source
    if isinstance(source, str | Path):
        value = _parsed(Path(source), _Object | list[_Entry])
    if isinstance(value, _Object):
        value = _stated(value)
    if isinstance(value, Mapping):
        return Content(file, value, value.get("annotations"))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return Content(file, {}, value, "results")
    raise InputError(f"{file}: an annotation file or a list of results is needed, this is {shown(value)}")


def no_truth(file: str | Path) -> InputError:
    """What is said where annotations are needed, and a file holds them back."""
    return InputError(f"{file}: holds no ground truth, only videos and categories, as the public files of test sets do")


def name_of(source: Source) -> str:
    """What messages call a source."""
    return source.file if isinstance(source, Content) else str(source) if isinstance(source, str | Path) else "data"


def read_json(path: Path) -> Any:
    """What a json file holds, whole.

    Raises:
        InputError: no such file, one that cannot be read, or no json.
    """
    return _parsed(path, Any)


def read_row(path: Path) -> Row:
    """As `read_json`, of a file that must hold an object; the first fault in it is raised."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: a json object is needed, this is a {type(content).__name__}")
    return Row(content, "", Problems(str(path)))


class JsonKeys(NamedTuple):
    """What tells one kind of json from another.

    Attributes:
        listed: whether the file is a list.
        keys: of the object, or of the first object in the list.
        begin: how its list of annotations begins, for the keys inside.
    """

    listed: bool
    keys: frozenset[str]
    begin: bytes = b""


def json_keys(path: Path) -> JsonKeys:
    """The keys at the top of a json file; the rest is stepped over.

    Raises:
        InputError: as `read_json`.
    """
    value = _parsed(path, dict[str, Raw] | list[Raw])
    listed = isinstance(value, list)
    first = whole_value(value[0]) if listed and value else value
    keys = frozenset(first) if isinstance(first, dict) else frozenset()
    entries = value.get("annotations") if isinstance(value, dict) else None
    return JsonKeys(listed, keys, bytes(memoryview(entries)[:_BEGIN]) if isinstance(entries, Raw) else b"")


def whole_value(value: Any) -> Any:
    """A field that may have been left as the bytes of the file, as what it means."""
    if not isinstance(value, Raw):
        return value
    try:
        return msgspec.json.decode(value)
    except (ValueError, RecursionError):
        try:
            return _loaded(bytes(value))
        except (ValueError, RecursionError):
            return str(bytes(value)[:80])  # a text is no mask and no box, so this is refused and shown


def coded(value: Any) -> Any:
    """The masks of a list, each whole: all `Coded` or None if possible, which is the fast way."""
    try:
        return _CODED.decode(value) if isinstance(value, Raw) else value
    except (ValueError, RecursionError):
        return whole_value(value)


def items(value: Any) -> list[Any] | None:
    """The items of a field that is a list, each left as it stands in the file, null apart; None for anything else."""
    if not isinstance(value, Raw):
        return list(value) if isinstance(value, list | tuple) else None
    try:
        return [None if bytes(item) == b"null" else item for item in _ITEMS.decode(value)]
    except msgspec.ValidationError:
        return None


class Coded(Struct, gc=False):
    """Compressed run lengths of the only kind that is common in results."""

    size: tuple[int, int]
    counts: str


_ITEMS = msgspec.json.Decoder(list[Raw])
_CODED = msgspec.json.Decoder(list[Coded | None])


def _parsed(path: Path, form: Any) -> Any:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > _SMALL and len(data) < _LIST * data.count(b"[") + _OBJECT * data.count(b"{"):
        raise InputError(f"{path}: not json that can be read: next to nothing but lists and objects in one another")
    try:
        return msgspec.json.decode(data, type=form)
    except (ValueError, RecursionError):
        with refusing(path, "not json"):
            return _loaded(data)


def _loaded(data: bytes) -> Any:
    return json.loads(data, parse_int=lambda digits: int(digits) if len(digits) <= _MOST_DIGITS else float(digits))


def _fields(entry: Any) -> Mapping[str, Any] | None:
    return _stated(entry) if isinstance(entry, Struct) else entry if isinstance(entry, Mapping) else None


def _stated(entry: Struct) -> dict[str, Any]:
    return {name: value for name in entry.__struct_fields__ if (value := getattr(entry, name)) is not UNSET}
