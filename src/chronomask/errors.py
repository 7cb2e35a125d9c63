"""What users see when their input cannot be used: one sentence that names the file, the field and the value."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Generator, Iterable
from contextlib import contextmanager

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of the system where there is no room on a disk."""


class InputError(ValueError):
    """Raised when a file, an option or a value given by the caller cannot be used. Commands exit with code 2."""


class OutOfMemory(InputError):
    """Raised where memory does not suffice, and the command line has a setting that needs less."""


class TrainingError(RuntimeError):
    """Raised when a training cannot go on though nothing is wrong with its input. Commands exit with code 1."""


def close_names(name: str, known: Iterable[str]) -> str:
    """Such as "close ones are cat, cow"; empty where no name is close. Case makes no difference."""
    names = {other.lower(): other for other in known}
    close = [names[found] for found in difflib.get_close_matches(name.lower(), list(names), n=3)]
    return f"close ones are {', '.join(close)}" if close else ""


@contextmanager
def refusing(where: object, what: str = "cannot be read") -> Generator[None, None, None]:
    """The one place that makes an InputError of what a library raises on damaged input: "WHERE: WHAT: its words".

    Libraries raise anything at all there, so the block is to hold nothing but the call of one.

    Args:
        where: the file, and the place in it.
        what: what is wrong, as in "no xml file".

    Raises:
        InputError: the block raised anything but an InputError, a package that is not installed, or a full disk.
    """
    try:
        yield
    except (InputError, ImportError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise InputError(f"{where}: {what}: {words_of(error)}") from error


def words_of(error: Exception) -> str:
    """What an exception of a library says, in a line; its kind where it says nothing."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"{error} is missing"
    lines = [line.strip() for line in str(error).splitlines()]
    # OpenVINO begins with the places in its code.
    return next((line for line in lines if line and not line.startswith("Exception from ")), type(error).__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory of the machine or of its graphics card did not suffice.

    Libraries say it in their own words: PyTorch by a plain RuntimeError, OpenCV and C++ by errors of theirs.
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY)


_NO_MEMORY = (
    *("can't alloc", "cannot alloc", "failed to alloc", "bad_alloc", "out of memory", "insufficient memory"),
    "can't start new thread",  # there is no room for its stack
)


def some_names(known: Iterable[object], most: int = 5) -> str:
    """Names or numbers joined by commas; of many the first, and how many more there are."""
    names = [str(name) for name in known]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 track", "2 tracks", "2 classes"."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{ending}"
