"""The decoder (section 4.3): Expand and Combine from the coarsest level to stride 4.

Legend: B clips, C channels, T frames, h w = H/4 W/4; levels are ordered by stride: 4, 8, 16, 32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.config import NormKind
from chronomask.model.convolution import PointwiseConvolution
from chronomask.model.squeeze import norm3d


def _pointwise(inputs: int, outputs: int, norm: NormKind, activation: bool) -> nn.Module:
    if not activation:
        return PointwiseConvolution(inputs, outputs)
    return nn.Sequential(PointwiseConvolution(inputs, outputs, bias=False), norm3d(norm, outputs), nn.ReLU())


def expand(x: Float[Tensor, "B C t h w"], size: Sequence[int]) -> Float[Tensor, "B C T H W"]:
    """Trilinear upsampling to (T, H, W), first in time, then in space frame by frame.

    The same as PyTorch's own in one go, whose gradient takes many times as long on CPUs.
    """
    clips, length = x.shape[0], x.shape[2]
    if length != size[0]:
        before, behind, share = neighbours(length, size[0], x)
        x = x[:, :, before].lerp(x[:, :, behind], share.view(-1, 1, 1))
    frames = x.transpose(1, 2).flatten(0, 1)
    frames = F.interpolate(frames, size=tuple(size[1:]), mode="bilinear", align_corners=False)
    return frames.unflatten(0, (clips, -1)).transpose(1, 2)


def neighbours(
    length: int, size: int, like: Tensor
) -> tuple[Int64[Tensor, " size"], Int64[Tensor, " size"], Float[Tensor, " size"]]:
    """Linear upsampling of `length` frames to `size`: between which two each lies, and the share of the second."""
    place = ((torch.arange(size, device=like.device) + 0.5) * length / size - 0.5).clamp(min=0)
    before = place.long()
    return before, (before + 1).clamp(max=length - 1), (place - before).to(like.dtype)


class Decoder(nn.Module):
    """Fuses the spatio-temporal pyramid into one feature of size T x h x w.

    Expand is trilinear upsampling: height and width always double, the time only where the next level is longer (the
    text's "doubles time, height and width" would give more frames than the clip has). Combine concatenates along the
    channels and mixes with a 1x1x1 convolution. A last 1x1x1 convolution follows, as in the paper.
    """

    def __init__(self, levels: int, channels: int, norm: NormKind, activation: bool) -> None:
        super().__init__()
        self.combine = nn.ModuleList(_pointwise(2 * channels, channels, norm, activation) for _ in range(levels - 1))
        self.last = _pointwise(channels, channels, norm, activation)

    def forward(self, levels: list[Tensor]) -> Float[Tensor, "B C T h w"]:
        x = levels[-1]
        for combine, finer in zip(self.combine, reversed(levels[:-1]), strict=True):
            x = combine(torch.cat([expand(x, finer.shape[2:]), finer], 1))
        return self.last(x)
