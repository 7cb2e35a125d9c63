"""What options mean: lists joined by commas, and where results go that nobody named a place for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def listed(text: str) -> tuple[str, ...]:
    """The names in a list joined by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def default_out(name: str, reads: Iterable[Path], ending: str) -> Path:
    """A folder in the present one, named after a video; with an ending where what is read lies there.

    Args:
        name: of the video.
        reads: the files that are read.
        ending: such as "-tracks".
    """
    folder = Path(name)
    taken = any(folder.resolve() in (path.resolve(), *path.resolve().parents) for path in reads)
    return Path(f"{name}{ending}") if taken else folder
