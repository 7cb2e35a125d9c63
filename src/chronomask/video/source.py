"""What every source of frames is: `VideoSource`, `Frame`, and the `Selection` of the frames to look at.

Legend: H W pixels as displayed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from chronomask.errors import InputError
from chronomask.video.upright import Upright

DEFAULT_FPS = 25.0
"""Frames a second of images, and of the rare video that does not say."""

TICK = 5e-6
"""Seconds by which the time of a frame may be off: half a tick of a clock of 90 kHz."""

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a source.

    Attributes:
        index: number among the frames that the source yields, from 0.
        time: presentation time in seconds, on the clock that all streams of a video file share.
        image: RGB pixels, 0-255, upright: the rotation noted in the file is already applied.
    """

    index: int
    time: float
    image: UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Selection:
    """Which frames of a source are looked at: of those with start <= time < end the first, and every n-th after it.

    Attributes:
        start: seconds from the beginning.
        end: seconds from the beginning; None for the end of the source.
        every: 1 for all frames, 2 for every other one, ...
    """

    start: float = 0.0
    end: float | None = None
    every: int = 1

    def __post_init__(self) -> None:
        if not (isinstance(self.start, Real) and math.isfinite(self.start) and self.start >= 0):
            raise InputError(f"start {self.start!r}: must be 0 seconds or later")
        if self.end is not None and not (isinstance(self.end, Real) and self.end > self.start):
            raise InputError(f"end {self.end!r}: must lie behind the start, {self.start} seconds")
        if not (isinstance(self.every, Integral) and self.every >= 1):
            raise InputError(f"every {self.every!r}: must be a whole number, 1 or more")

    def begun(self, time: float) -> bool:
        """Whether a frame of this time lies at the start or behind it."""
        return time >= self.start - TICK

    def over(self, time: float) -> bool:
        """Whether a frame of this time, and with it all that follow, lie behind the end."""
        return self.end is not None and time >= self.end - TICK

    def of(self, timed: Iterable[tuple[float, _T]], before: int = 0) -> Iterator[tuple[int, float, _T]]:
        """What is looked at of frames, or of what stands for them, by ascending time: their number, time and content.

        Args:
            timed: time and content of each.
            before: how many at the start or behind it came before the first of them.
        """
        number = before
        for time, content in timed:
            if self.over(time):
                return
            if self.begun(time):
                if number % self.every == 0:
                    yield number // self.every, time, content
                number += 1


class VideoSource(ABC):
    """What a user names: a video file, a folder of frames, a glob, a camera, a stream. Made by `open_source`.

    Iterating yields one `Frame` at a time in constant memory, and decodes anew each time it is started; a live source
    can be iterated once.

    Attributes:
        name: of the file without its ending, of the folder, of the camera.
        width: in pixels, upright. Pixels that are not square stay as they are stored.
        height: in pixels, upright.
        pixel_aspect: width of a pixel by its height, upright; 1 for square ones.
        hdr: whether colours are HLG with the primaries of BT.2020, as of phones.
        fps: frames a second that are yielded, the average where the rate varies.
        length: number of frames: exact for images, what the file claims for a video, None where it claims nothing.
        file_names: for images one path a frame, relative to the folder that holds them all; None for a video.
        damage: a sentence on what could not be decoded, None while nothing is known to be wrong. Set by iterating,
            and complete when the iteration has ended.
        selection: which frames of the file or stream these are.
        sound: the file whose sound belongs to the frames, None where there can be none.
        live: whether frames pass by once, at their own pace.
        again: whether they can be iterated more than once.
        files: all that is read, where it lies on this machine.
    """

    name: str
    width: int
    height: int
    pixel_aspect: Fraction = Fraction(1)
    hdr: bool = False
    fps: float
    length: int | None
    file_names: tuple[str, ...] | None = None
    damage: str | None = None
    selection: Selection = Selection()
    sound: str | None = None
    live: bool = False
    again: bool = True
    files: Sequence[Path] = ()

    def look_like(self, other: VideoSource | Upright) -> None:
        """Takes over what is known of the pictures of another."""
        self.width, self.height = other.width, other.height
        self.pixel_aspect, self.hdr = other.pixel_aspect, other.hdr

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """All frames in order, from the first."""

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """The frames behind the first `skip`; their indices still count from the first."""
        yield from islice(iter(self), skip, None)  # a generator, which can be closed

    def times(self) -> list[float] | None:
        """When all frames are shown, where the source says so without being decoded; None where it does not."""
        return None

    def frames_from(self, skip: int, time: float | None) -> Iterator[Frame]:
        """As `frames`, for who knows when the first of them is shown: what lies before need not be decoded then.

        Args:
            skip: frames passed over.
            time: of frame number `skip`, as `times` has it; None where it is not known.
        """
        return self.frames(skip)

    def fingerprint(self) -> str:
        """Text that differs where the content differs, to find out whether an interrupted run was of this source."""
        return f"{self.name} {self.width}x{self.height}"
