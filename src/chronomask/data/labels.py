"""Label maps: one integer a pixel, the compact form in which masks are painted and warped.

Legend: T frames, H W pixels, K instances. In a label map 0 is no instance and k + 1 is instance k.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int16
from torch import Tensor


def to_masks(labels: Int16[Tensor, "T H W"], instances: int) -> Bool[Tensor, "K T H W"]:
    """One mask an instance."""
    numbers = torch.arange(1, instances + 1, dtype=torch.int16, device=labels.device)
    return labels == numbers.view(-1, 1, 1, 1)
