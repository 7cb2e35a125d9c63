"""From clips to a video: tubes of overlapping clips become tracks.

Legend: T frames of a clip, O frames shared with earlier clips, h w pixels at stride 4, K tubes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, Int16, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from chronomask.config import StitchConfig
from chronomask.inference.memory import Look, TrackMemory, visits


def overlaps(
    old: Int64[Tensor, "O h w"], new: Int16[Tensor, "O h w"], ids: list[int], tubes: int
) -> Float[Tensor, "A K"]:
    """IoU on the shared frames of every track of `ids` (rows) with every new tube (columns)."""
    position = torch.zeros(max(ids, default=0) + 1, dtype=torch.int64)
    position[torch.tensor(ids, dtype=torch.int64)] = torch.arange(1, len(ids) + 1)
    rows, columns = len(ids) + 1, tubes + 1
    pairs = position[old.flatten()] * columns + new.flatten().long()
    counts = torch.bincount(pairs, minlength=rows * columns).view(rows, columns).double()
    shared = counts[1:, 1:]
    union = counts.sum(1)[1:, None] + counts.sum(0)[None, 1:] - shared
    return (shared / union.clamp(min=1)).float()


class Stitcher:
    """Gives every tube its track id, clip after clip.

    Tubes join the tracks of the frames shared with the clips before by an optimal assignment on IoU. One that joins
    none, and covers none, may continue a track that was lost from sight (see `TrackMemory`), or else starts one. On
    shared frames the older clip wins; a tube that continues no track of those frames keeps there what the older clip
    left free.
    """

    def __init__(self, config: StitchConfig) -> None:
        self.config = config
        self.memory = TrackMemory(config)
        self.next_id = 1
        self.seen = 0
        self.recent: Int64[Tensor, "T h w"] | None = None

    def add(self, labels: Int16[Tensor, "T h w"], looks: Sequence[Look], shared: int) -> tuple[list[int], set[int]]:
        """Joins one clip.

        Args:
            labels: 0 or k + 1 inside tube k.
            looks: of the K tubes.
            shared: O, how many of its first frames are the last ones of the frames seen so far.

        Returns:
            The track id of every tube, and which of these ids were in none of the shared frames.
        """
        old = None if self.recent is None or not shared else self.recent[-shared:]
        joined, covering = ({}, set()) if old is None else self._joined(old, labels[:shared], looks)
        continued = set(joined.values())
        places = visits(labels.numpy(), len(looks), self.seen - shared)
        joined |= self.memory.recall(looks, places, set(range(len(looks))) - set(joined) - covering, continued)
        for tube in range(len(looks)):
            if tube not in joined:
                joined[tube] = self.next_id
                self.next_id += 1
        ids = [joined[tube] for tube in range(len(looks))]
        for number, look, place in zip(ids, looks, places, strict=True):
            self.memory.note(number, look, place)
        self.seen += len(labels) - shared
        self.memory.forget(self.seen, ids)
        new = set(ids) - continued
        tracks = torch.tensor([0, *ids])[labels.long()]
        if old is not None:
            tracks[:shared] = merge(old, tracks[:shared], new)
        self.recent = tracks
        return ids, new

    def _joined(
        self, old: Int64[Tensor, "O h w"], labels: Int16[Tensor, "O h w"], looks: Sequence[Look]
    ) -> tuple[dict[int, int], set[int]]:
        """Track ids by tube where a tube joins a track of the shared frames; and the tubes that might join one."""
        known = [int(number) for number in old.unique() if number > 0]
        iou = overlaps(old, labels, known, len(looks)).numpy()
        for row, tube in zip(*(iou > self.config.minimum_iou).nonzero(), strict=True):
            # Where an object is hidden, what hides it must not inherit the track.
            if self.memory.likeness(known[row], looks[tube]) < self.config.minimum_likeness:
                iou[row, tube] = 0
        good = iou > self.config.minimum_iou
        pairs = zip(*linear_sum_assignment(iou, maximize=True), strict=True)
        return {int(k): known[row] for row, k in pairs if good[row, k]}, set(good.any(0).nonzero()[0].tolist())


def merge(older: Int[Tensor, "*shape"], newer: Int[Tensor, "*shape"], new: set[int]) -> Int[Tensor, "*shape"]:
    """Track ids on shared frames: the older clip's, and new tracks on the pixels that it left free."""
    is_new = torch.isin(newer, torch.tensor(sorted(new), dtype=newer.dtype))
    return torch.where((older == 0) & is_new, newer, older)
