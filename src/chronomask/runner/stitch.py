"""Joining the tubes of overlapping clips to tracks, as `inference.stitch` does it; that one says why.

Legend: T frames of a clip, O frames shared with earlier clips, h w pixels at stride 4, A tracks, K tubes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Int16, Int64
from scipy.optimize import linear_sum_assignment

from chronomask.config import StitchConfig
from chronomask.runner.memory import Sight, TrackMemory


class Stitcher:
    """Gives every tube its track id, clip after clip."""

    def __init__(self, config: StitchConfig) -> None:
        self.config = config
        self.memory = TrackMemory(config)
        self.next_id = 1
        self.seen = 0
        self.recent: Int64[np.ndarray, "T h w"] | None = None

    def add(self, labels: Int16[np.ndarray, "T h w"], seen: Sequence[Sight], shared: int) -> tuple[list[int], set[int]]:
        """Joins one clip.

        Args:
            labels: 0 or k + 1 inside tube k.
            seen: of the K tubes.
            shared: O, how many of its first frames are the last ones of the frames seen so far.

        Returns:
            The track id of every tube, and which of these ids were in none of the shared frames.
        """
        old = None if self.recent is None or not shared else self.recent[-shared:]
        joined, covering = ({}, set()) if old is None else self._joined(old, labels[:shared], seen)
        continued = set(joined.values())
        joined |= self.memory.recall(seen, set(range(len(seen))) - set(joined) - covering, continued)
        for tube in range(len(seen)):
            if tube not in joined:
                joined[tube] = self.next_id
                self.next_id += 1
        ids = [joined[tube] for tube in range(len(seen))]
        for number, sight in zip(ids, seen, strict=True):
            self.memory.note(number, sight)
        self.seen += len(labels) - shared
        self.memory.forget(self.seen, ids)
        new = set(ids) - continued
        self.recent = np.array([0, *ids])[labels]
        if old is not None:
            self.recent[:shared] = merge(old, self.recent[:shared], new)
        return ids, new

    def _joined(
        self, old: Int64[np.ndarray, "O h w"], labels: Int16[np.ndarray, "O h w"], seen: Sequence[Sight]
    ) -> tuple[dict[int, int], set[int]]:
        """Track ids by tube where a tube joins a track of the shared frames; and the tubes that might join one."""
        known = [int(number) for number in np.unique(old) if number > 0]
        iou = overlaps(old, labels, known, len(seen))
        for row, tube in np.argwhere(iou > self.config.minimum_iou):
            if self.memory.likeness(known[row], seen[tube]) < self.config.minimum_likeness:
                iou[row, tube] = 0
        good = iou > self.config.minimum_iou
        pairs = zip(*linear_sum_assignment(iou, maximize=True), strict=True)
        return {int(k): known[row] for row, k in pairs if good[row, k]}, set(np.flatnonzero(good.any(0)).tolist())


def overlaps(
    old: Int64[np.ndarray, "O h w"], new: Int16[np.ndarray, "O h w"], ids: list[int], tubes: int
) -> Float[np.ndarray, "A K"]:
    """IoU on the shared frames of every track of `ids`, which are ascending (rows), with every new tube (columns)."""
    pairs = np.searchsorted([0, *ids], old) * (tubes + 1) + new
    counts = np.bincount(pairs.ravel(), minlength=(len(ids) + 1) * (tubes + 1)).reshape(len(ids) + 1, tubes + 1)
    shared = counts[1:, 1:]
    union = counts.sum(1)[1:, None] + counts.sum(0)[None, 1:] - shared
    return shared / np.maximum(union, 1)


def merge(
    older: Int[np.ndarray, "*shape"], newer: Int[np.ndarray, "*shape"], new: set[int]
) -> Int[np.ndarray, "*shape"]:
    """Track ids on shared frames: the older clip's, and new tracks on the pixels that it left free."""
    return np.where((older == 0) & np.isin(newer, sorted(new)), newer, older)
