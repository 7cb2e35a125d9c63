"""Where the threads of the program take their memory from."""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8
"""A parameter of glibc's mallopt."""


def share_heap() -> None:
    """Lets the threads that are started from now on take memory from one place, for as long as the process lives.

    By default glibc gives every thread a place of its own. What one thread allocates and another gives back leaves
    holes there, so that a long video needs some per cent more memory than a short one. Does nothing without glibc.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_ARENA_MAX, 1)
