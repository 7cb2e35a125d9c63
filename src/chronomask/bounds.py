"""What is supported. Whatever states more is refused in a sentence, before anything is made of it."""

from __future__ import annotations

from chronomask.errors import InputError

MAX_SIDE = 2**15
"""Pixels of a frame's longest side. COCO's code counts the pixels of a mask with 32 bits."""

MAX_PIXELS = 2**27
"""Pixels of a frame or picture: four times a frame of 8K video, 0.4 GB as RGB."""

MAX_LENGTH = 10**7
"""Frames of a video: two days at 60 a second."""

RATES = (1e-6, 1e6)
"""Frames a second, at least and at most: from one in eleven days. Times beyond fit into no clock of a video."""

MAX_H264_SIDE = 16_384
"""Pixels of the longest side of a frame of H.264, whose encoder refuses more."""


def check_rate(fps: float, name: str = "fps") -> None:
    """Raises InputError unless so many frames a second are supported; NaN is not."""
    low, high = RATES
    if not low <= fps <= high:
        raise InputError(f"{name} {fps}: must be above 0, from {low} to {high} frames a second")
