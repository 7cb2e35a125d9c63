"""Clips with all that the network says of them, for who wants to know more than the tracks."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import numpy as np

from chronomask.errors import InputError
from chronomask.segmenter.clips import Reading, check_image
from chronomask.segmenter.found import FoundClip
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import Frame


def clips_of(segmenter: Segmenter, frames: Iterable[Frame]) -> Generator[FoundClip, None, None]:
    """The clips of a video, in order, each with what the network says of it: `FoundClip.sight`.

    Args:
        segmenter: computes them, some clips ahead.
        frames: of the video, from the first.
    """
    reading = Reading(keep_sight=True)
    try:
        yield from segmenter.finder.clips_ahead(reading, frames)
    finally:
        reading.abandoned = True


def look_at(
    segmenter: Segmenter, images: Sequence[np.ndarray] | np.ndarray, first: int = 0, fps: float = 25.0
) -> FoundClip:
    """One clip, on its own, with what the network says of it.

    Args:
        segmenter: computes it.
        images: uint8 RGB, H W 3, as many as a clip has at most. The more the better: motion tells objects apart.
        first: number of the first of them in their video.
        fps: frames a second.

    Raises:
        InputError: there is no image, or there are more than a clip has, or one is none.
    """
    if not 1 <= len(images) <= segmenter.config.clip_length:
        raise InputError(f"{len(images)} images: a clip has from 1 to {segmenter.config.clip_length}")
    frames = []
    for number, image in enumerate(images, first):
        check_image(image)
        frames.append(Frame(number, number / fps, image))
    [clip] = clips_of(segmenter, frames)
    return clip
