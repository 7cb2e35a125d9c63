"""Masks of tubes as COCO run lengths: check them, size them, overlap them, without a bitmap on the way.

Legend: T frames, H W pixels, D predictions, G true objects, N run lengths, M masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from chronomask import rle
from chronomask.errors import InputError
from chronomask.rle import Rle


@dataclass(frozen=True, eq=False)
class Tube:
    """The masks of one object in one video, checked.

    Attributes:
        masks: one a frame; None where the object is not in sight.
        areas: pixels in every frame.
    """

    masks: Sequence[Rle | None]
    areas: Int64[np.ndarray, " T"]

    @property
    def mean_area(self) -> float:
        """Mean over the frames with a non-zero area, by which YouTube-VIS sorts objects by size; 0 if there is none."""
        seen = self.areas[self.areas > 0]
        return float(seen.mean()) if seen.size else 0.0


def read_tube(segmentations: Sequence[Any], height: int, width: int) -> Tube:
    """Check the masks of all frames and take their areas.

    Args:
        segmentations: one entry a frame: None, run lengths (compressed or plain) or polygons.
        height: of the video, in pixels.
        width: of the video, in pixels.

    Raises:
        InputError: naming the first frame whose mask is corrupt, of another size, or not full.
    """
    masks = [
        mask if mask is None or _is_compressed(mask, height, width) else _read_mask(t, mask, height, width)
        for t, mask in enumerate(segmentations)
    ]
    areas = np.zeros(len(masks), np.int64)
    seen = [t for t, mask in enumerate(masks) if mask is not None]
    try:
        areas[seen] = _areas([masks[t]["counts"] for t in seen], height * width)
    except InputError:
        for t in seen:  # one frame at a time is many times slower, and says where the fault lies
            _read_mask(t, masks[t], height, width)
        raise
    return Tube(masks, areas)


def mask_problems(segmentations: Sequence[Any], height: int, width: int) -> list[tuple[int, str]]:
    """Frame and description of every mask that `read_tube` would refuse."""
    problems = []
    for t, mask in enumerate(segmentations):
        try:
            if mask is not None:
                rle.from_annotation(mask, height, width)
        except InputError as error:
            problems.append((t, str(error)))
    return problems


def _is_compressed(mask: Any, height: int, width: int) -> bool:
    return isinstance(mask, dict) and isinstance(mask.get("counts"), str) and mask.get("size") == [height, width]


def _read_mask(t: int, mask: Any, height: int, width: int) -> Rle:
    try:
        return rle.from_annotation(mask, height, width)
    except InputError as error:
        raise InputError(f"segmentations[{t}]: {error}") from None


def _areas(masks: Sequence[str], pixels: int) -> Int64[np.ndarray, " M"]:
    """Foreground pixels of compressed masks that each must cover `pixels` pixels in all.

    `rle.run_lengths` for many masks in one sweep, as a data set of a hundred thousand masks needs it. In the numbers
    of all masks, one after the other, every other one belongs to the same chain of differences: a running sum over
    each of the two chains that starts anew with every mask gives all run lengths.
    """
    if not masks:
        return np.zeros(0, np.int64)
    numbers, lengths = _numbers(masks)
    begin = np.cumsum(lengths) - lengths
    if lengths.min() < 2:  # one run is background, and has no second chain
        short = lengths < 2
        _check_runs(numbers[begin[short]], numbers[begin[short]], pixels)
        areas = np.zeros(len(masks), np.int64)
        areas[~short] = _areas([mask for mask, one in zip(masks, short, strict=True) if not one], pixels)
        return areas
    third = begin[lengths > 2]
    numbers[third + 2] -= numbers[third]  # COCO starts that chain at the third number; now it starts at the first
    sums = []
    for chain, start in ((numbers[0::2], (begin + 1) // 2), (numbers[1::2], begin // 2)):
        chain[start[1:]] -= np.add.reduceat(chain, start)[:-1]
        np.cumsum(chain, out=chain)
        sums.append(np.add.reduceat(chain, start))
    _check_runs(numbers, sums[0] + sums[1], pixels)
    return np.where(begin & 1, sums[0], sums[1])  # the second number of a mask is foreground


def _check_runs(runs: Int64[np.ndarray, " N"], totals: Int64[np.ndarray, " M"], pixels: int) -> None:
    if runs.min() < 0 or (totals != pixels).any():
        raise InputError(f"run lengths that do not add up to {pixels} pixels")


def _numbers(masks: Sequence[str]) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " M"]]:
    """The numbers that COCO's compressed text writes, differences as such, and how many each mask has."""
    text = "".join(masks)
    if not all(masks) or not text.isascii():
        raise InputError("counts are no compressed run lengths")
    codes = np.frombuffer(text.encode("ascii"), np.uint8) - np.uint8(48)
    closing = np.cumsum([len(mask) for mask in masks]) - 1
    if codes.max() > 63 or (codes[closing] >= 32).any():
        raise InputError("counts are no compressed run lengths")
    final = codes < 32
    last = np.flatnonzero(final)
    begin = np.concatenate([[0], last[:-1] + 1])
    bits = (codes & 31).view(np.int8)
    bits -= ((codes & 16) * final).view(np.int8) << 1
    numbers = bits[begin].astype(np.int64)
    longer, group = np.flatnonzero(last > begin), 1
    while len(longer):
        if group > 7:
            raise InputError("counts hold a number of more than 40 bits")
        numbers[longer] += bits[begin[longer] + group].astype(np.int64) << (5 * group)
        longer, group = longer[last[longer] - begin[longer] > group], group + 1
    return numbers, np.diff(np.searchsorted(last, closing, side="right"), prepend=0)


def frame_intersections(found: Sequence[Tube], truth: Sequence[Tube]) -> Float64[np.ndarray, "T D G"]:
    """Pixels that each prediction shares with each true object in each frame; all tubes are of one video.

    The mask library compares all masks of a frame in one call and skips pairs whose boxes lie apart. Its ratio and
    the two areas give the intersection, a whole number, back exactly.
    """
    if not found or not truth:
        return np.zeros((len(found[0].areas) if found else 0, len(found), len(truth)))
    size = next((mask["size"] for tube in (*found, *truth) for mask in tube.masks if mask is not None), [1, 1])
    nothing = rle.from_run_lengths([size[0] * size[1]], *size)
    frames = zip(_by_frame(found, nothing), _by_frame(truth, nothing), strict=True)
    flags = [0] * len(truth)  # no crowds: COCO's evaluator would divide by the prediction there
    iou = np.array([rle.coco_mask.iou(d, g, flags) for d, g in frames])
    both = areas_of(found).T[:, :, None] + areas_of(truth).T[:, None, :]
    return np.rint(iou * both / (1 + iou))


def _by_frame(tubes: Sequence[Tube], nothing: Rle) -> Iterator[list[Rle]]:
    for masks in zip(*(tube.masks for tube in tubes), strict=True):
        yield [nothing if mask is None else mask for mask in masks]


def areas_of(tubes: Sequence[Tube]) -> Int64[np.ndarray, "D T"]:
    """Areas of some tubes of one video, in pixels."""
    return np.stack([tube.areas for tube in tubes])


def tube_iou(found: Sequence[Tube], truth: Sequence[Tube]) -> Float64[np.ndarray, "D G"]:
    """Track IoU of YouTube-VIS: intersections summed over all frames, by unions summed over all frames; 0 / 0 is 0.

    All tubes are of one video. A frame without a mask counts as an empty mask, and no object as a crowd: COCO's
    evaluator would divide by the prediction there, YouTube-VIS does not.
    """
    if not found or not truth:
        return np.zeros((len(found), len(truth)))
    common = frame_intersections(found, truth).sum(0)
    both = np.add.outer(areas_of(found).sum(1), areas_of(truth).sum(1))
    return common / np.maximum(both - common, 1)
