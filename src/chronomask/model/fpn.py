"""Feature Pyramid Network [14], frame by frame.

Legend: N frames, C channels; levels are ordered by stride: 4, 8, 16, 32.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class FPN(nn.Module):
    """Lateral 1x1 convolutions, a top-down path of nearest upsampling, and a 3x3 convolution on every level."""

    def __init__(self, inputs: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in inputs)
        self.output = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in inputs)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Levels of stride 4 to 32, each (N, C, h, w) at the size of its input."""
        levels = [lateral(x) for lateral, x in zip(self.lateral, features, strict=True)]
        for fine in range(len(levels) - 2, -1, -1):
            levels[fine] = levels[fine] + F.interpolate(levels[fine + 1], scale_factor=2.0, mode="nearest")
        return [output(x) for output, x in zip(self.output, levels, strict=True)]
