"""What was found in a clip, and its masks at full size.

Legend: H W pixels of the source, h w pixels at which the network sees them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, UInt8

from chronomask import rle
from chronomask.painting import paint
from chronomask.rle import Rle
from chronomask.tracking.outputs import Sight
from chronomask.tracking.tracker import Found

Painted = dict[int, Rle]
"""Masks by track id, ascending; disjoint, and none is empty."""


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """The masks of a frame, as soon as a worker has painted them.

    Attributes:
        batch: of all frames that are painted together with this one.
        number: of this frame among them.
    """

    batch: Future[list[Painted]]
    number: int

    def masks(self) -> Painted:
        """Of this frame; waits for them."""
        return self.batch.result()[self.number]


@dataclass(frozen=True, eq=False)
class FreshFrame:
    """A frame that no clip before had in it, shrunk for the network.

    Attributes:
        index, time: as in `Frame`.
        pixels: shrunk for the network.
        image: as it came, where that was asked for.
    """

    index: int
    time: float
    pixels: UInt8[np.ndarray, "3 h w"]
    image: UInt8[np.ndarray, "H W 3"] | None = None


@dataclass(frozen=True, eq=False)
class FoundClip:
    """What was found in a clip.

    Attributes:
        found: tubes, looks and label map.
        shared: how many of its frames, the first ones, are the last ones of the clip before.
        fresh: the others.
        pictures: the frames, shrunk for the network.
        size: height and width of the source.
        sight: what the network says of its pixels, where that was asked for.
    """

    found: Found
    shared: int
    fresh: list[FreshFrame]
    pictures: list[UInt8[np.ndarray, "3 _ _"]]
    size: tuple[int, int]
    sight: Sight | None = None

    @property
    def end(self) -> int:
        """Number of the frame behind the last one."""
        return self.fresh[-1].index + 1

    @property
    def begin(self) -> int:
        """Number of its first frame."""
        return self.end - len(self.pictures)

    def paintable(self, tubes: Collection[int]) -> Clip:
        """The clip, ready to paint these tubes in frames that the clip before had too."""
        return self

    def painted(self, frames: range, ids: Sequence[int], before: Sequence[PaintedFrame] = ()) -> list[Painted]:
        """Masks by track id of some frames at full size; what was painted before stays as it is.

        Args:
            frames: numbers in the clip, one after the other.
            ids: track id of every tube; 0 for one that is not painted.
            before: what clips before have painted of each, if they have.
        """
        some = slice(frames.start, frames.stop)
        levels = [tube.probability[some] for tube in self.found.tubes]
        corners = [(tube.box[0].start, tube.box[1].start) for tube in self.found.tubes]
        canvas = paint(levels, corners, ids, self.pictures[some], self.size)
        known = [frame.masks() for frame in before] or [{} for _ in frames]
        return [beside(*one) for one in zip(known, canvas, strict=True)]


def beside(known: Painted, canvas: Int[np.ndarray, "H W"]) -> Painted:
    """What was painted before, and what else is on a canvas of track ids, which changes."""
    if known:
        if not canvas.any():  # the new tracks are in other frames
            return known
        canvas[rle.decode(rle.union(list(known.values())))] = 0
    masks = known | rle.encode_ids(canvas)
    return {number: masks[number] for number in sorted(masks)}


@runtime_checkable
class Clip(Protocol):
    """What `Segmenter` needs of a clip, whoever found it; see `FoundClip`."""

    @property
    def found(self) -> Found: ...

    @property
    def shared(self) -> int: ...

    @property
    def fresh(self) -> Sequence[FreshFrame]: ...

    @property
    def size(self) -> tuple[int, int]: ...

    def paintable(self, tubes: Collection[int]) -> Clip:
        """As of `FoundClip`."""
        ...

    def painted(self, frames: range, ids: Sequence[int], before: Sequence[PaintedFrame] = ()) -> list[Painted]:
        """As of `FoundClip`."""
        ...
