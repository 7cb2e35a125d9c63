"""What all frame-by-frame feature extractors share.

Legend: N frames, H W pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Backbone(nn.Module):
    """What all backbones share: how pixels are normalised, and the channels of the four levels.

    Attributes:
        channels: features of stride 4, 8, 16, 32.
        gradient_checkpointing: whether blocks are run again in the backward pass, see `recomputed`.
    """

    channels: tuple[int, int, int, int]
    gradient_checkpointing: bool = False
    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def normalise(self, pixels: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 H W"]:
        """RGB 0-255 to what the weights were trained on."""
        # In place, and in this order, which on CPUs takes half the time.
        values = pixels.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)
        return values.contiguous(memory_format=torch.channels_last)

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        return recomputed(block, x) if self.gradient_checkpointing else block(x)


def recomputed(module: nn.Module, x: Tensor) -> Tensor:
    """The module's output; for the backward pass only `x` is kept and the module is run once more.

    Not for modules with batch norm in train mode, whose statistics would count every clip twice.
    """
    return checkpoint(module, x, use_reentrant=False)
