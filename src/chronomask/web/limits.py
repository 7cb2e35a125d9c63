"""How much a browser may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass

from chronomask.errors import InputError


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
        memory_bytes: of address space for looking at an upload.
        free_bytes: that stay free on the disk.
        keep_days: sessions that nobody used for so long are removed.
    """

    upload_bytes: int = 2**30
    file_bytes: int = 2**28
    request_bytes: int = 2**22
    pixels: int = 2**25
    frames: int = 1_000_000
    cpu_seconds: int = 120
    memory_bytes: int = 2**32
    free_bytes: int = 2**28
    keep_days: float = 30.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise InputError(f"{name} {value}: must be above 0")
