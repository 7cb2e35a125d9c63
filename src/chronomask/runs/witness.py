"""Files that change while they are read."""

from __future__ import annotations

from pathlib import Path

from chronomask.errors import InputError
from chronomask.video import VideoSource


class Witness:
    """Remembers the files of a source as they are, so that nobody takes two videos for one.

    Args:
        source: what is read, more than once or for a long time.
    """

    def __init__(self, source: VideoSource) -> None:
        self._name = source.name
        self._before = {file: _look(file) for file in source.files}

    def check(self) -> None:
        """Raises InputError if a file was replaced, written to or removed since."""
        for file, before in self._before.items():
            if _look(file) != before:
                raise InputError(f"{self._name}: {file} has changed while it was segmented; segment it again")


def _look(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns
