"""What is drawn: frames with the masks of their tracks, whoever found them.

Legend: K tracks of a frame, H W pixels.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int64

from chronomask.annotations.runs import bitmaps
from chronomask.rle import Rle

_DECODED = 1 << 20
"""Pixels of masks that are decoded together: small ones take half the time, and large ones would take more memory."""


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """A frame and its masks as pixels.

    Attributes:
        index: number of the frame in its source.
        time: when it is shown, in seconds.
        track_ids: in the order in which they were added.
        masks: one a track.
    """

    index: int
    time: float
    track_ids: Int64[np.ndarray, " K"]
    masks: Bool[np.ndarray, "K H W"]


@dataclass(frozen=True)
class CodedFrame:
    """A frame and its masks as run lengths.

    Attributes:
        index, time: as of `DecodedFrame`.
        masks: by track, in the order in which these were added.
    """

    index: int
    time: float
    masks: dict[int, Rle]

    def decoded(self, size: tuple[int, int]) -> DecodedFrame:
        """The frame with masks of this height and width: thirty of 4K take 250 MB."""
        masks, texts = np.zeros((len(self.masks), *size), bool), [code["counts"] for code in self.masks.values()]
        together = max(1, _DECODED // (size[0] * size[1]))
        for start in range(0, len(texts), together):
            masks[start : start + together] = bitmaps(texts[start : start + together], size)
        return DecodedFrame(self.index, self.time, np.array(list(self.masks), dtype=np.int64), masks)


@runtime_checkable
class CodedFrames(Protocol):
    """The frames of a video: a spool, or a file of tracks."""

    @property
    def timed(self) -> bool:
        """Whether it knows when its frames are shown; files of tracks do not."""
        ...

    def __len__(self) -> int: ...
    def coded(self, position: int, tracks: Collection[int]) -> CodedFrame:
        """Frame number `position`, from 0, with the masks of these tracks."""
        ...
