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
    """Foreground pixels of compressed masks that each must cover `pixels` pixels in all."""
    if not masks:
        return np.zeros(0, np.int64)
    counts, lengths = _run_lengths(masks)
    first = np.cumsum(lengths) - lengths
    total = np.add.reduceat(counts, first)
    if counts.min() < 0 or (total != pixels).any():
        raise InputError(f"run lengths that do not add up to {pixels} pixels")
    # Runs alternate, background first. With every other sign turned a mask sums to background minus foreground, or
    # to the opposite where its own first run was turned.
    counts[1::2] *= -1
    balance = np.add.reduceat(counts, first) * np.where(first & 1, -1, 1)
    return (total - balance) // 2


def _run_lengths(masks: Sequence[str]) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " M"]]:
    """`rle.run_lengths` of many masks in one sweep, which a data set's hundred thousand masks need.

    Returns:
        The run lengths of all masks one after the other, and how many each mask has.
    """
    closing = np.cumsum([len(mask) for mask in masks]) - 1
    codes = np.frombuffer("".join(masks).encode("latin-1", "replace"), np.uint8) - np.uint8(48)
    if not all(masks) or codes.max() > 63 or (codes[closing] >= 32).any():
        raise InputError("counts are no compressed run lengths")
    last = np.flatnonzero(codes < 32)
    begin = np.concatenate([[0], last[:-1] + 1])
    bits = (codes & 31).astype(np.int64)
    bits[last[(codes[last] & 16) > 0]] -= 32
    numbers = bits[begin]
    longer, group = np.flatnonzero(last > begin), 1
    while len(longer):
        if group > 7:
            raise InputError("counts hold a number of more than 40 bits")
        numbers[longer] += bits[begin[longer] + group] << (5 * group)
        longer, group = longer[last[longer] - begin[longer] > group], group + 1
    lengths = np.diff(np.searchsorted(last, closing, side="right"), prepend=0)
    start = 0
    for length in lengths.tolist():
        for chain in (numbers[start + 1 : start + length : 2], numbers[start + 2 : start + length : 2]):
            chain.cumsum(out=chain)
        start += length
    return numbers, lengths


def frame_intersections(found: Sequence[Tube], truth: Sequence[Tube]) -> Iterator[Float64[np.ndarray, "D G"]]:
    """Pixels that each prediction shares with each true object, frame by frame; all tubes are of one video.

    The mask library compares all masks of a frame in one call and skips pairs whose boxes lie apart. Its ratio and
    the two areas give the intersection, a whole number, back exactly.
    """
    for t in range(len(found[0].areas) if found and truth else 0):
        rows = [d for d, tube in enumerate(found) if tube.areas[t]]
        columns = [g for g, tube in enumerate(truth) if tube.areas[t]]
        common = np.zeros((len(found), len(truth)))
        if rows and columns:
            iou = rle.iou(_masks(found, rows, t), _masks(truth, columns, t))
            both = np.add.outer([found[d].areas[t] for d in rows], [truth[g].areas[t] for g in columns])
            common[np.ix_(rows, columns)] = np.rint(iou * both / (1 + iou))
        yield common


def _masks(tubes: Sequence[Tube], which: Sequence[int], t: int) -> list[Rle]:
    return [mask for i in which if (mask := tubes[i].masks[t]) is not None]


def tube_iou(found: Sequence[Tube], truth: Sequence[Tube]) -> Float64[np.ndarray, "D G"]:
    """Track IoU of YouTube-VIS: intersections summed over all frames, by unions summed over all frames; 0 / 0 is 0.

    All tubes are of one video. A frame without a mask counts as an empty mask, and no object as a crowd: COCO's
    evaluator would divide by the prediction there, YouTube-VIS does not.
    """
    common = np.zeros((len(found), len(truth)))
    for intersection in frame_intersections(found, truth):
        common += intersection
    sizes = [tube.areas.sum() for tube in found], [tube.areas.sum() for tube in truth]
    return common / np.maximum(np.add.outer(*sizes) - common, 1)
