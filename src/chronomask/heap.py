"""Where the program takes its memory from, and what becomes of it: settings of glibc, which hold for the process."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameters of glibc's mallopt."""

LARGE = 8 << 20
"""Bytes: no array that one frame of high definition or the network needs, but each that a frame of 4K does."""


def share_heap() -> None:
    """Lets the threads that are started from now on take memory from one place, for as long as the process lives.

    By default glibc gives every thread a place of its own. What one thread allocates and another gives back leaves
    holes there, so that a long video needs some per cent more memory than a short one. Does nothing without glibc.
    """
    _set(M_ARENA_MAX, 1)


def return_large_blocks() -> None:
    """Lets large blocks of memory go back to the system as soon as they are free, for as long as the process lives.

    By default glibc learns from what is given back: after a frame of 4K it cuts all that is smaller from the heaps of
    the threads, which keep it, and are left with holes of that size. Does nothing without glibc.
    """
    _set(M_MMAP_THRESHOLD, LARGE)
    # Who sets the one has to set the other: every temporary array would go back, and come anew page by page.
    _set(M_TRIM_THRESHOLD, 2 * LARGE)


def close_holes() -> None:
    """Gives back to the system what is free between what is in use: of a long run some ten megabytes, every time.

    Takes half a millisecond. Does nothing without glibc.
    """
    _call("malloc_trim", 0)


def without_holes(items: Iterable[_Item], seconds: float = 5.0) -> Iterator[_Item]:
    """The items of a long work. Holes are closed before and after it, and meanwhile every so many seconds.

    Then those that Python keeps too: of every small size up to two thousand tuples, until it collects garbage, which a
    program that leaves none does not do of itself. That takes some twenty milliseconds, more where much else is loaded.
    """
    close_holes()
    closed = time.monotonic()
    for item in items:
        yield item
        if time.monotonic() - closed >= seconds:
            gc.collect()
            close_holes()
            closed = time.monotonic()
    close_holes()


def _set(parameter: int, value: int) -> None:
    _call("mallopt", parameter, value)


def _call(name: str, *arguments: int) -> None:
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), name):
        getattr(libc, name)(*arguments)
