"""Writing so that a reader never meets half a file."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from chronomask.errors import InputError


@contextmanager
def written_aside(path: str | Path) -> Generator[Path, None, None]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well, remove it when it raises.

    The folder of `path` is created where it is missing. A file that stood at `path` stays untouched until the rename,
    and stays for good when the block raises (an interruption by the keyboard included).

    Args:
        path: where the file shall lie in the end.

    Yields:
        A path in the same folder (a rename works inside one file system only) with the same suffix (encoders choose
        the format by it). Nothing lies there yet: the block creates the file, so that it gets ordinary permissions.

    Raises:
        InputError: the folder cannot be made or written to, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"cannot write {path}: its folder may not be written to")
    # A leading dot keeps the unfinished file out of `ls`, of globs and of our own listing of frame folders.
    aside = path.with_name(f".{path.stem[:100]}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield aside
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
