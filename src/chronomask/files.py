"""Files in the order that people expect, and written so that a reader never meets half a file or folder."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chronomask.errors import InputError


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorting key: runs of digits compare as numbers, all else as text."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]


def spoken(name: str) -> str:
    """A name of the file system as text: names there may be any bytes, and what is no UTF-8 becomes a �."""
    return os.fsencode(name).decode("utf-8", "replace")


def portable(name: str) -> str:
    """The path of a file as annotations have it, which may have been written on Windows, with `/` between folders."""
    return name.replace("\\", "/")


def json_text(value: Any) -> str:
    """A value as json of one line, which every program reads: NaN is none."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _aside(path: Path, end: str = "") -> Path:
    """A name beside `path`. The dot keeps it out of `ls`, of globs and of our own listing of frame folders."""
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}{end}")


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
        InputError: the folder cannot be made, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder")
    make_folder(path.parent)
    aside = _aside(path)
    try:
        yield aside
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


@contextmanager
def folder_written_aside(path: Path) -> Generator[Path, None, None]:
    """Give a new folder beside `path`; swap it for what is at `path` when the block ends well, else remove it.

    Whether a folder that is there may be replaced, `chronomask.claims` finds out.

    Raises:
        InputError: it cannot be made.
    """
    path = Path(os.path.abspath(path))
    make_folder(path.parent)
    aside, old = _aside(path), _aside(path, ".old")
    try:
        aside.mkdir()
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
    """Remove what processes that were killed left when they wrote `path`, a file or a folder, aside.

    For who knows that nobody writes it now: what is being written looks the same. Should only the folder that was to
    be replaced be left, it comes back.
    """
    name = f".{glob.escape(path.stem)}.{'[0-9a-f]' * 8}{glob.escape(path.suffix)}"
    for old in path.parent.glob(f"{name}.old"):
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(old, path)
    for left in path.parent.glob(name):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink()


def make_folder(folder: Path) -> list[Path]:
    """Makes a folder; gives all that are new, the deepest first."""
    try:
        new = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
    return new
