"""Files in the order that people expect, and written so that a reader never meets half a file or folder."""

from __future__ import annotations

import glob
import os
import re
import shutil
import uuid
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from chronomask.errors import InputError


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorting key: runs of digits compare as numbers, all else as text."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]


def portable(name: str) -> str:
    """The path of a file as annotations have it, which may have been written on Windows, with `/` between folders."""
    return name.replace("\\", "/")


def prepare_place(path: Path) -> None:
    """Make the folder of a file that is to be written, and find out before the work begins whether it can be.

    Raises:
        InputError: the folder cannot be made or written to, or `path` is a folder.
    """
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"cannot write {path}: its folder may not be written to")


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
    prepare_place(path)
    # A leading dot keeps the unfinished file out of `ls`, of globs and of our own listing of frame folders.
    aside = path.with_name(f".{path.stem[:100]}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield aside
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


@contextmanager
def folder_written_aside(path: Path, suffixes: Collection[str], overwrite: bool) -> Generator[Path, None, None]:
    """Give a new folder beside `path`; rename it to `path` when the block ends well, remove it when it raises.

    Args:
        path: where the folder shall lie in the end.
        suffixes: endings of the files of this kind of folder. Only a folder that holds nothing else is replaced; none
            where none ever is.
        overwrite: whether a folder that is not empty may be replaced.

    Raises:
        InputError: `path` is a file, a folder that may not be replaced, or cannot be made.
    """
    path = path.absolute()
    _check_replaceable(path, suffixes, overwrite)
    aside, old = (path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:8]}{end}") for end in ("", ".old"))
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"cannot make a folder in {path.parent}: {error.strerror}") from error
    try:
        yield aside
        if path.exists():
            os.replace(path, old)
        os.replace(aside, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        shutil.rmtree(aside, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def remove_unfinished(path: Path) -> None:
    """Remove what processes that were killed left when they wrote `path`, a file or a folder without an ending, aside.

    For who knows that nobody writes it now: what is being written looks the same.
    """
    digits = "[0-9a-f]" * 8
    stem, suffix = glob.escape(path.stem[:100]), glob.escape(path.suffix)
    for pattern in (f".{stem}.{digits}{suffix}", f".{stem}{suffix}.{digits}.old"):
        for left in path.parent.glob(pattern):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()


def _check_replaceable(path: Path, suffixes: Collection[str], overwrite: bool) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"cannot write {path}: it is a file, a folder is to be made there")
    inside = sorted(entry for entry in path.rglob("*") if not entry.is_dir())
    if inside and not overwrite:
        hint = ", or say --overwrite" if suffixes else ""
        raise InputError(f"{path}: exists already, and is not empty; name another folder{hint}")
    for file in inside:
        if file.suffix.lower() not in suffixes:
            raise InputError(f"{path}: holds {file.relative_to(path)}, which is not replaced; name another folder")
