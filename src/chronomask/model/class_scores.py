"""Class scores of an instance from the class scores of its pixels; one definition for training and inference.

Legend: L classes, T frames, h w pixels at stride 4, hc wc cells of the class scores.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

CELL = 4
"""Side of a cell at stride 16, in stride-4 pixels."""


def masked_class_logits(class_logits: Float[Tensor, "L T hc wc"], mask: Bool[Tensor, "T h w"]) -> Float[Tensor, " L"]:
    """Class scores averaged over a mask that is not empty.

    Where the scores are coarser than the mask (stride 16 against 4), each of their cells counts by the share of it that
    the mask covers: the same as averaging scores that were upsampled with equal cells.
    """
    weights = mask.to(class_logits.dtype)
    if mask.shape[1:] != class_logits.shape[2:]:
        weights = shares_of_cells(weights)
    return torch.tensordot(class_logits, weights, 3) / weights.sum()


def shares_of_cells(masks: Float[Tensor, "*K T h w"]) -> Float[Tensor, "*K T hc wc"]:
    """The share of every cell that a mask covers; of cells that reach beyond the frame only what exists counts."""
    return F.avg_pool2d(masks, CELL, ceil_mode=True, divisor_override=CELL * CELL)
