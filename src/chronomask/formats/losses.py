"""How losses are said."""

from __future__ import annotations

from collections.abc import Iterable

from chronomask.formats.tracks import TracksFile

Step = tuple[TracksFile, list[str]]
"""What one step of fitting returns: the file that is left, and a sentence for what it lost."""


def counted(number: int, noun: str) -> str:
    """Such as "1 track", "2 tracks", "2 classes"."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{ending}"


def listed(items: Iterable[object], most: int = 5) -> str:
    """The first few items."""
    texts = [str(item) for item in items]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
