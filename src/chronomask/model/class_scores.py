"""Class scores of an instance from the class scores of its pixels; one definition for training and inference.

Legend: L classes, T frames, h w pixels at stride 4, hc wc cells of the class scores.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def masked_class_logits(
    class_logits: Float[Tensor, "L T hc wc"], mask: Bool[Tensor, "T h w"]
) -> Float[Tensor, " L"]:
    """Class scores averaged over a mask that is not empty.

    Where the scores are coarser than the mask, each of their cells counts by the share of it that the mask covers:
    the same as averaging scores that were upsampled with equal cells.
    """
    weights = mask.to(class_logits.dtype)
    if mask.shape[1:] != class_logits.shape[2:]:
        weights = F.adaptive_avg_pool2d(weights, class_logits.shape[2:])
    return (class_logits * weights).sum((1, 2, 3)) / weights.sum()
