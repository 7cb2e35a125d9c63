"""Attention of every place to every other: the relatives of section 2.5, carried to video, to stand in CBAM's place.

Every place of a level asks all others; at stride 4 that would be billions of pairs, so what answers is pooled to
KEYS x KEYS cells a frame. (Wang et al. pool it too, by two; theirs are features of stride 8 and more.)

Legend: B clips, C D channels, T frames, h w pixels of a level, P = T h w, Q = T KEYS KEYS.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.model.convolution import PointwiseConvolution

KEYS = 8


class NonLocal(nn.Module):
    """Wang, Girshick, Gupta and He, "Non-local neural networks" [28], the embedded Gaussian: eq. (1), (2) and (6).

    y = x + W softmax(theta(x)^T phi(x)) g(x). W begins at zero, so that at first it changes nothing.

    Args:
        reduction: theta, phi and g have so many times fewer channels: 2 in the paper, 8 (of theta and phi) in DANet.
    """

    def __init__(self, channels: int, reduction: int = 2) -> None:
        super().__init__()
        inner = max(1, channels // reduction)
        self.query, self.key, self.value = (PointwiseConvolution(channels, inner) for _ in range(3))
        self.output = PointwiseConvolution(inner, channels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.get_parameter("bias"))

    def forward(self, x: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B C T h w"]:
        few = pooled(x)
        query, key, value = self.query(x).flatten(2), self.key(few).flatten(2), self.value(few).flatten(2)
        found = F.scaled_dot_product_attention(query.mT, key.mT, value.mT, scale=1.0).mT
        return x + self.output(found.unflatten(2, x.shape[2:]))


class ChannelAffinity(nn.Module):
    """The channel attention of DANet [7], eq. (3) and (4): every channel takes from those that are like it.

    y = x + beta softmax(X X^T) X, where beta begins at zero. X X^T are means over places here, for sums grow with the
    size of the clip.
    """

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(()))

    def forward(self, x: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B C T h w"]:
        flat = x.flatten(2)
        affinity = flat @ flat.mT / flat.shape[2]
        return x + self.beta * (affinity.softmax(2) @ flat).unflatten(2, x.shape[2:])


class DualAttention(nn.Module):
    """DANet: Fu et al., "Dual attention network for scene segmentation" [7]: the sum of both, side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.places, self.channels = NonLocal(channels, 8), ChannelAffinity()

    def forward(self, x: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B C T h w"]:
        return self.places(x) + self.channels(x) - x


def pooled(x: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B C T _ _"]:
    """Means over cells, at most KEYS by KEYS of them a frame."""
    height, width = (min(KEYS, side) for side in x.shape[3:])
    return (
        F.adaptive_avg_pool2d(x.transpose(1, 2).flatten(0, 1), (height, width))
        .unflatten(0, (x.shape[0], -1))
        .transpose(1, 2)
    )
