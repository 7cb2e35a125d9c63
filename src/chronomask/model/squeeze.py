"""Squeeze (section 4.1): a 3-D convolution that halves the time of a level.

Legend: B clips, C channels, T frames, h w pixels of a level.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from chronomask.config import NormKind
from chronomask.model.convolution import ClipConvolution


def average_pool_time(x: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B C t h w"]:
    """AvgPool3d of kernel 3x1x1, stride 2 in time, padding (1, 0, 0), padding not counted: t = ceil(T / 2).

    Counting the padding, the default, would dim the first frame to two thirds. Written with slices because PyTorch has
    no bfloat16 AvgPool3d on CPUs.
    """
    even, odd = x[:, :, 0::2], x[:, :, 1::2]
    length, odds = even.shape[2], odd.shape[2]
    total = even.clone()
    total[:, :, :odds] += odd
    total[:, :, 1:] += odd[:, :, : length - 1]
    frames = torch.ones(length, device=x.device, dtype=x.dtype)
    frames[:odds] += 1
    frames[1:] += 1
    return total / frames.view(-1, 1, 1)


def norm3d(kind: NormKind, channels: int) -> nn.Module:
    """Batch normalisation as in the paper, or group normalisation for batches of one clip."""
    return nn.BatchNorm3d(channels) if kind == "batch" else nn.GroupNorm(min(32, channels), channels)


class Squeeze(nn.Module):
    """Conv 3x3x3, BatchNorm, ReLU, AvgPool 3x1x1: halves T (an odd T is rounded up)."""

    def __init__(self, channels: int, norm: NormKind) -> None:
        super().__init__()
        self.conv = ClipConvolution(channels, channels, 3, padding=1, bias=False)
        self.norm = norm3d(norm, channels)

    def forward(self, x: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B C t h w"]:
        return average_pool_time(self.norm(self.conv(x)).relu())
