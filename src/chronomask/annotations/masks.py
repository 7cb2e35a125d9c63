"""The masks of a track: as they stand in a file, and checked.

Legend: T frames, H W pixels, E edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from jaxtyping import Int64, Integer

from chronomask import rle
from chronomask.annotations.content import Coded, whole_value
from chronomask.annotations.problems import Problems
from chronomask.annotations.runs import sweep
from chronomask.errors import InputError
from chronomask.rle import Rle, TrackMasks


class EncodedMasks(Sequence[Rle | None]):
    """The masks of a track as they stand in a file: each is checked when it is asked for, and not kept.

    Training asks for a few frames of a video at a time, and opens files of millions of masks.

    Args:
        encoded: one a frame: None, run lengths (compressed or plain), polygons, or bytes of json that hold one of them.
        height, width: of the video, in pixels.
        file, place: for messages, as `annotations[3].segmentations[{}]`, where {} is the frame.
    """

    __slots__ = ("encoded", "file", "height", "place", "width")

    def __init__(self, encoded: Sequence[Any], height: int, width: int, file: str, place: str) -> None:
        self.encoded, self.height, self.width, self.file, self.place = encoded, height, width, file, place

    def __len__(self) -> int:
        return len(self.encoded)

    @overload
    def __getitem__(self, frame: int) -> Rle | None: ...
    @overload
    def __getitem__(self, frame: slice) -> EncodedMasks: ...
    def __getitem__(self, frame: int | slice) -> Rle | EncodedMasks | None:
        """The mask of a frame.

        Raises:
            InputError: it is corrupt, of another size or not full, or a polygon that lies wholly outside the frame.
        """
        if isinstance(frame, slice):
            return EncodedMasks(self.encoded[frame], self.height, self.width, self.file, self.place)
        if self.encoded[frame] is None:
            return None
        try:
            return self._mask(whole_value(self.encoded[frame]))
        except InputError as error:
            raise InputError(f"{self.file}: {self.place.format(frame)}: {error}") from error

    @property
    def seen(self) -> int:
        """Number of frames with a mask, which are not looked at."""
        return sum(mask is not None for mask in self.encoded)

    def checked(self, problems: Problems, edges: bool = False) -> Masks | None:
        """All masks at once; None, and the problems noted, if any of them is wrong. `edges` as `Masks` has it."""
        size = (self.height, self.width)
        try:
            counts = [
                mask if mask is None else _text(mask, size) or self._mask(whole_value(mask))["counts"]
                for mask in self.encoded
            ]
            return Masks(counts, *size, edges)
        except InputError:  # one frame at a time is many times slower, and says where the fault lies
            for frame, mask in enumerate(self.encoded):
                try:
                    if mask is not None:
                        self._mask(whole_value(mask))
                except InputError as error:
                    problems.error(self.place.format(frame), str(error))
            return None

    def _mask(self, mask: Any) -> Rle:
        if isinstance(mask, Coded):
            mask = {"size": list(mask.size), "counts": mask.counts}
        if not self.height:
            raise InputError("run lengths with a size [height, width] are needed where nothing else tells the size")
        found = rle.from_annotation(mask, self.height, self.width)
        for polygon in mask if isinstance(mask, list) else ():
            x, y = polygon[0::2], polygon[1::2]
            if max(x) < 0 or min(x) > self.width or max(y) < 0 or min(y) > self.height:
                raise InputError(
                    f"a polygon lies outside the frame of {self.width}x{self.height} pixels:"
                    f" x {min(x)} to {max(x)}, y {min(y)} to {max(y)}"
                )
        return found


class Masks(TrackMasks):
    """The checked masks of a track; None where it is out of sight. No run is of no length: there COCO's code ends.

    Attributes:
        areas: pixels in every frame.
    """

    __slots__ = ("_edges", "areas")

    def __init__(self, counts: Sequence[str | None], height: int, width: int, edges: bool = False) -> None:
        """Takes compressed run lengths, one a frame or None; `edges` are kept if wanted, for they are the larger part.

        Raises:
            InputError: they are corrupt or do not fill the frame; the message does not say in which.
        """
        super().__init__(counts, height, width)
        self.areas: Int64[np.ndarray, " T"] = np.zeros(len(counts), np.int64)
        found = self._swept()
        self._edges = found if edges else None

    @classmethod
    def of(cls, masks: Sequence[Rle | None], height: int, width: int) -> Masks:
        """As the constructor, of run lengths as files have them."""
        return cls([None if mask is None else mask["counts"] for mask in masks], height, width)

    @property
    def edges(self) -> Integer[np.ndarray, " E"]:
        """Where the track's pixels begin and end, in turn, if those of all frames are counted on, column by column.

        These are its masks as one mask of a film strip; from them comes the overlap of tracks (`differing_pixels`).
        """
        return self._swept() if self._edges is None else self._edges

    def _swept(self) -> Integer[np.ndarray, " E"]:
        """The edges; areas are set on the way."""
        seen = np.array([t for t, text in enumerate(self.counts) if text is not None], np.int64)
        texts = [text for text in self.counts if text is not None]
        self.areas[seen], edges, canonical = sweep(texts, seen, len(self.counts), self.height * self.width)
        if not canonical:
            self.counts = [text and rle.canonical(text, self.height, self.width) for text in self.counts]
        return edges

    @property
    def area(self) -> float:
        """Mean over the frames with a non-zero area, by which YouTube-VIS sorts objects by size; 0 if there is none."""
        seen = np.count_nonzero(self.areas)
        return int(self.areas.sum()) / seen if seen else 0.0


def differing_pixels(first: Masks, second: Masks) -> int:
    """Pixels that lie in just one of two tracks of one video, summed over the frames.

    Where either track begins or ends, such pixels begin or end: between the edges of both, sorted, every other stretch
    is of these.
    """
    edges = np.concatenate([first.edges, second.edges])
    edges.sort(kind="stable")  # which merges what is sorted already, in a tenth of the time
    return int(edges[1::2].sum(dtype=np.int64) - edges[0::2].sum(dtype=np.int64))


def _text(mask: Any, size: tuple[int, int]) -> str | None:
    """The run lengths of a mask where they are compressed and of the right size; nothing else is checked here."""
    if isinstance(mask, Coded):
        return mask.counts if mask.size == size else None
    if not isinstance(mask, dict) or not isinstance(mask.get("counts"), str) or mask.get("size") != [*size]:
        return None
    return mask["counts"] if all(type(side) is int for side in mask["size"]) else None  # 720.0 equals 720
