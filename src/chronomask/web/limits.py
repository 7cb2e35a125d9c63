"""How much a browser may ask of the server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from chronomask.errors import InputError


def _share_of_memory() -> int:
    """4 GiB, or half of this machine's memory where that is less. Frames of 8K take under 1 GiB to segment."""
    try:
        return min(2**32, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    except (AttributeError, ValueError):  # this system does not tell
        return 2**32


@dataclass(frozen=True)
class Limits:
    """What is refused beyond it, with a sentence.

    Attributes:
        upload_bytes: of an uploaded video.
        file_bytes: of an uploaded file of tracks.
        request_bytes: of any other request.
        pixels: of a frame of an uploaded video; those of 8K have 2**25.
        frames: of an uploaded video.
        cpu_seconds: for looking at an upload.
        memory_bytes: of its own that a process may have which works on an upload; bounded on Linux alone.
        free_bytes: that stay free on the disk.
        keep_days: sessions that nobody used for so long are removed.
    """

    upload_bytes: int = 2**30
    file_bytes: int = 2**28
    request_bytes: int = 2**22
    pixels: int = 2**25
    frames: int = 1_000_000
    cpu_seconds: int = 120
    memory_bytes: int = field(default_factory=_share_of_memory)
    free_bytes: int = 2**28
    keep_days: float = 30.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise InputError(f"{name} {value}: must be above 0")
