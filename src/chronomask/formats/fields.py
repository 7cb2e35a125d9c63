"""Fields of json files, with errors that name file, entry, field and value."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from chronomask.categories import Category
from chronomask.errors import InputError


def read_json(path: Path) -> Any:
    """What a json file holds.

    Raises:
        InputError: no such file, one that cannot be read, or no json.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError among them
        raise InputError(f"{path}: no json file: {error}") from error


def entries(where: str | Path, content: dict[str, Any], key: str) -> list[Any]:
    """A field that is a list."""
    value = content.get(key)
    if not isinstance(value, list):
        raise InputError(f"{where}: needs a list '{key}', has {value!r:.80}")
    return value


def category_list(path: Path, content: dict[str, Any]) -> tuple[Category, ...]:
    """The classes of a file, in its order."""
    listed = ((f"{path}: categories[{i}]", entry) for i, entry in enumerate(entries(path, content, "categories")))
    return tuple(Category(integer(where, entry, "id"), text(where, entry, "name")) for where, entry in listed)


def field(where: str, entry: Any, key: str) -> Any:
    """A field that must be there, of an entry that must be an object."""
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be an object, not {entry!r:.80}")
    if key not in entry:
        raise InputError(f"{where}: has no field '{key}'")
    return entry[key]


def integer(where: str, entry: Any, key: str) -> int:
    """A field that is a whole number."""
    value = field(where, entry, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{where}: '{key}' must be a whole number, not {value!r:.80}")
    return value


def number(where: str, entry: Any, key: str) -> float:
    """A field that is a finite number."""
    value = field(where, entry, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{where}: '{key}' must be a number, not {value!r:.80}")
    return float(value)


def text(where: str, entry: Any, key: str) -> str:
    """A field that is text."""
    value = field(where, entry, key)
    if not isinstance(value, str):
        raise InputError(f"{where}: '{key}' must be text, not {value!r:.80}")
    return value


def side(where: str, entry: Any, key: str) -> int:
    """A field that is a number of pixels or frames: at least 1."""
    value = integer(where, entry, key)
    if value < 1:
        raise InputError(f"{where}: '{key}' must be at least 1, not {value}")
    return value
