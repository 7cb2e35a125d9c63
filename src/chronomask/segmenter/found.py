"""What was found in a clip, and its masks at full size.

Legend: H W pixels of the source, h w pixels at which the network sees them, T frames, K tubes, b d cells of a box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, Shaped, UInt8

from chronomask import rle
from chronomask.painting import Box, around, paint, within
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

    def whole(self) -> FoundClip:
        """The clip with the levels of its tubes, and with its pictures."""
        return self

    def recorded(self, stretch: Stretch) -> list[Painted] | None:
        """The masks of frames whose last clip this is, where somebody has painted them already."""
        return None


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

    def whole(self) -> FoundClip:
        """As of `FoundClip`."""
        ...

    def recorded(self, stretch: Stretch) -> list[Painted] | None:
        """As of `FoundClip`."""
        ...


class View(NamedTuple):
    """A clip, as some of its frames are concerned.

    Attributes:
        clip: which has the frames in it.
        ids: track id of each of its tubes.
        start: number of the first of the frames in the clip.
    """

    clip: Clip
    ids: Sequence[int]
    start: int


class Stretch(NamedTuple):
    """Frames, one after the other, and all clips so far that have them in them.

    Attributes:
        frames: at least one.
        views: of the clips; the first is the one that the frames came with.
    """

    frames: Sequence[FreshFrame]
    views: list[View]

    def part(self, begin: int, end: int) -> Stretch:
        """Some of the frames."""
        return Stretch(self.frames[begin:end], [view._replace(start=view.start + begin) for view in self.views])

    def whole(self) -> Stretch:
        """With clips that can be painted."""
        return self._replace(views=[view._replace(clip=view.clip.whole()) for view in self.views])

    def slots(self) -> list[list[int]]:
        """The ids of the tubes of every clip, if tracks are numbered from 1 in the order in which they come here."""
        numbers: dict[int, int] = {}
        return [[numbers.setdefault(number, len(numbers) + 1) for number in view.ids] for view in self.views]


def levels_in(
    boxes: Int64[np.ndarray, "K 2 2"], length: int, levels: Shaped[np.ndarray, "_"]
) -> Iterator[tuple[Box, Shaped[np.ndarray, "T _ _"]]]:
    """Where tubes of T frames lie, and their levels, which stand one after the other, as far as there are boxes."""
    begin = 0
    for rows, columns in boxes.tolist():
        box = slice(*rows), slice(*columns)
        shape = (length, *(side.stop - side.start for side in box))
        end = begin + prod(shape)
        yield box, levels[begin:end].reshape(shape)
        begin = end


def painted(stretch: Stretch) -> list[Painted]:
    """The masks of every frame at full size, of clips that are whole.

    A track has the mean of the levels that the clips give it; where two tracks reach a half, the higher one has the
    cell. That is better than what the first of the clips says alone (docs/experiments/overlapping-clips.md).
    """
    clip, _, start = stretch.views[0]
    boxes, levels, ids = _means(stretch)
    corners = [(rows.start, columns.start) for rows, columns in boxes]
    pictures = clip.whole().pictures[start : start + len(stretch.frames)]
    return [rle.encode_ids(canvas) for canvas in paint(levels, corners, ids, pictures, clip.size)]


def _means(stretch: Stretch) -> tuple[list[Box], list[Float32[np.ndarray, "T _ _"]], list[int]]:
    """Of every track in a stretch of T frames: where its tubes lie, the mean of their levels there, and its id."""
    found: dict[int, list[tuple[Box, np.ndarray]]] = {}
    for clip, ids, start in stretch.views:
        for number, tube in zip(ids, clip.found.tubes, strict=True):
            level = tube.probability[start : start + len(stretch.frames)]
            found.setdefault(number, []).append((tube.box, level))
    boxes = [around([box for box, _ in parts]) for parts in found.values()]
    levels = [_mean(parts, box) for parts, box in zip(found.values(), boxes, strict=True)]
    if len(stretch.views) > 1:  # the tubes of one clip are disjoint
        rows, columns = around([(slice(0, 0), slice(0, 0)), *boxes])
        most = np.zeros((len(stretch.frames), rows.stop, columns.stop), np.float32)
        for box, level in zip(boxes, levels, strict=True):
            np.maximum(most[:, *box], level, out=most[:, *box])
        levels = [
            np.where((level > 0.5) & (level < most[:, *box]), np.float32(0), level)
            for box, level in zip(boxes, levels, strict=True)
        ]
    return boxes, levels, list(found)


def _mean(parts: Sequence[tuple[Box, Float32[np.ndarray, "T _ _"]]], box: Box) -> Float32[np.ndarray, "T b d"]:
    """Of levels in boxes that lie in a larger one; beyond its own box a level is 0."""
    if len(parts) == 1:
        return parts[0][1]
    rows, columns = box
    total = np.zeros((len(parts[0][1]), rows.stop - rows.start, columns.stop - columns.start), np.float32)
    for part, level in parts:
        total[:, *within(part, (rows.start, columns.start))] += level
    total /= np.float32(len(parts))
    return total
