"""From clips to a video: tubes of overlapping clips become tracks.

Legend: T frames of a clip, O frames shared with earlier clips, h w pixels at stride 4, K tubes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Int16, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from chronomask.config import StitchConfig


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

    Tubes join the tracks of the frames shared with the clips before by an optimal assignment on IoU; a tube that joins
    none starts a track. On shared frames the older clip wins; the tube of a new track keeps there what the older clip
    left free.
    """

    def __init__(self, config: StitchConfig) -> None:
        self.config = config
        self.next_id = 1
        self.recent: Int64[Tensor, "T h w"] | None = None

    def add(self, labels: Int16[Tensor, "T h w"], tubes: int, shared: int) -> tuple[list[int], set[int]]:
        """Joins one clip.

        Args:
            labels: 0 or k + 1 inside tube k.
            tubes: K.
            shared: O, how many of its first frames are the last ones of the frames seen so far.

        Returns:
            The track id of every tube, and which of these ids are new.
        """
        ids: list[int | None] = [None] * tubes
        if self.recent is not None and shared:
            old = self.recent[-shared:]
            known = [int(number) for number in old.unique() if number > 0]
            iou = overlaps(old, labels[:shared], known, tubes)
            for row, column in zip(*linear_sum_assignment(iou.numpy(), maximize=True), strict=True):
                if iou[row, column] > self.config.minimum_iou:
                    ids[column] = known[row]
        joined: list[int] = []
        for known_id in ids:
            joined.append(self.next_id if known_id is None else known_id)
            self.next_id += known_id is None
        new = {number for number, known_id in zip(joined, ids, strict=True) if known_id is None}
        tracks = torch.tensor([0, *joined])[labels.long()]
        if self.recent is not None and shared:
            tracks[:shared] = merge(self.recent[-shared:], tracks[:shared], new)
        self.recent = tracks
        return joined, new


def merge(older: Int[Tensor, "*shape"], newer: Int[Tensor, "*shape"], new: set[int]) -> Int[Tensor, "*shape"]:
    """Track ids on shared frames: the older clip's, and new tracks on the pixels that it left free."""
    is_new = torch.isin(newer, torch.tensor(sorted(new), dtype=newer.dtype))
    return torch.where((older == 0) & is_new, newer, older)
