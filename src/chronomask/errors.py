"""What users see when their input cannot be used: one sentence that names the file, the field and the value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Raised when a file, an option or a value given by the caller cannot be used. Commands exit with code 2."""


def close_names(name: str, known: Iterable[str]) -> str:
    """Such as "close ones are cat, cow"; empty where no name is close."""
    close = difflib.get_close_matches(name, list(known), n=3)
    return f"close ones are {', '.join(close)}" if close else ""
