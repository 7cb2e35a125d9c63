"""CBAM [29] carried to video (section 4.2): channels first, then space-time.

Legend: B clips, C channels, T frames, h w pixels of a level.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from chronomask.config import AttentionKind
from chronomask.model.convolution import ClipConvolution
from chronomask.model.non_local import DualAttention, NonLocal


class ChannelAttention(nn.Module):
    """Eq. (1): sigmoid(MLP(average over T h w) + MLP(maximum over T h w)); one MLP, W1 ReLU(W0 x), for both."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, x: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B C T h w"]:
        return x * self.weights(x.mean((2, 3, 4)), x.amax((2, 3, 4)))[:, :, None, None, None].to(x.dtype)

    def weights(self, average: Float[Tensor, "*B C"], maximum: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        """In (0, 1), of every channel, from its average and its maximum."""
        return torch.sigmoid(self.mlp(average) + self.mlp(maximum))


class SpaceTimeAttention(nn.Module):
    """Eq. (2): sigmoid of a 7x7x7 convolution over [mean; maximum] along the channels, padded to keep the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ClipConvolution(2, 1, 7, padding=3)

    def forward(self, x: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B C T h w"]:
        summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.conv(summary))


class SqueezeExcitation(ChannelAttention):
    """SENet [11]: as the first half of CBAM, but from the average alone."""

    def weights(self, average: Float[Tensor, "*B C"], maximum: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        return torch.sigmoid(self.mlp(average))


def build_attention(kind: AttentionKind, channels: int, reduction: int) -> nn.Sequential:
    """What `kind` names: halves of CBAM, in the paper's order, or a relative of it; empty for "none"."""
    modules: list[nn.Module] = []
    if kind == "se":
        modules.append(SqueezeExcitation(channels, reduction))
    if kind == "non-local":
        modules.append(NonLocal(channels))
    if kind == "dual":
        modules.append(DualAttention(channels))
    if kind in ("channel", "both"):
        modules.append(ChannelAttention(channels, reduction))
    if kind in ("space-time", "both"):
        modules.append(SpaceTimeAttention())
    return nn.Sequential(*modules)
