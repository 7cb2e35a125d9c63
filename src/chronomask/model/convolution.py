"""The 3-D convolutions of the network.

Legend: B clips, C channels, T frames, h w pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class ClipConvolution(nn.Conv3d):
    """As nn.Conv3d, but in float32 where a clip is shorter than the kernel and bfloat16 would be used on a CPU.

    PyTorch's weight gradient of bfloat16 is wrong there, by any amount (seen with 2.13: T = 2 for a kernel of 3, T = 2
    to 6 for one of 7; a test would notice a change).
    """

    def forward(self, input: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B D T h w"]:
        if input.device.type == "cpu" and input.shape[2] < self.kernel_size[0] and torch.is_grad_enabled():
            with torch.autocast("cpu", enabled=False):
                return super().forward(input.float())
        return super().forward(input)


class PointwiseConvolution(nn.Conv3d):
    """A 1x1x1 convolution, computed as the matrix product that it is.

    With channels side by side in memory nothing is copied, and on one core it takes, gradient included, about a third
    of the time of PyTorch's own.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, input: Float[Tensor, "B C T h w"]) -> Float[Tensor, "B D T h w"]:
        return F.linear(input.permute(0, 2, 3, 4, 1), self.weight.flatten(1), self.bias).permute(0, 4, 1, 2, 3)
