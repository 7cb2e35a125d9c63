"""Frames that somebody has in memory, or makes one after the other.

Legend: T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from chronomask.errors import InputError
from chronomask.video.pictures import pixels_of
from chronomask.video.source import DEFAULT_FPS, Frame, Selection, VideoSource


class Images(VideoSource):
    """Pictures as frames: an array T H W 3 of uint8 RGB, a list of arrays H W 3 or of Pillow's images, or a generator.

    Image i is shown at i / fps seconds. What a generator gives is copied, so that it may use its buffer again.

    Raises:
        InputError: there is no picture, or the first is none.
    """

    def __init__(
        self,
        images: Iterable[Any],
        fps: float = DEFAULT_FPS,
        selection: Selection = Selection(),  # noqa: B008  (frozen)
    ) -> None:
        self.name, self.selection, self._rate = "frames", selection, fps
        self.fps, self.again, self._used = fps / selection.every, not isinstance(images, Iterator), False
        if isinstance(images, Sized):
            self.length = sum(1 for _ in selection.of((i / fps, None) for i in range(len(images))))
        else:
            self.length = None
        iterator = iter(images)
        first = next(iterator, None)
        if first is None or self.length == 0:
            raise InputError(f"no frame{f' at {selection.start} seconds or later' if first is not None else ''}")
        self._images = images if self.again else chain([first], iterator)
        self.height, self.width = _pixels(first, 0).shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """See `VideoSource`.

        Raises:
            InputError: an entry is no picture; or a generator is asked for its frames once more.
        """
        if self._used and not self.again:
            raise InputError("frames of a generator pass by once; hand over a list to use them again")
        self._used = True
        timed = ((place / self._rate, (place, image)) for place, image in enumerate(self._images))
        for index, time, (place, image) in self.selection.of(timed):
            if index >= skip:
                pixels = _pixels(image, place)
                yield Frame(index, time, pixels if self.again else pixels.copy())


def _pixels(image: Any, number: int) -> UInt8[np.ndarray, "H W 3"]:
    if isinstance(image, Image.Image):
        return pixels_of(image, f"frame {number}")
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise InputError(f"frame {number}: is {pixels.dtype} of shape {pixels.shape}; wanted is uint8 RGB, (H, W, 3)")
    return pixels
