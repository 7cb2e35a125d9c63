"""Convolutions and their activations in one pass over the features, for inference on CPUs.

Legend: N frames, C D channels, H W pixels.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)

_ACTIVATIONS: dict[type, tuple[str, list[float]]] = {nn.ReLU: ("relu", []), nn.ReLU6: ("hardtanh", [0.0, 6.0])}
"""What oneDNN calls them."""


class FusedConvolution(nn.Module):
    """A convolution and the activation behind it: the call that torch.compile makes of the two, without a compiler."""

    def __init__(self, convolution: nn.Conv2d, activation: nn.Module) -> None:
        super().__init__()
        assert convolution.padding_mode == "zeros", "the call knows no other"
        self.convolution = convolution
        self._activation = _ACTIVATIONS[type(activation)]

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D _ _"]:
        it = self.convolution
        return torch.ops.mkldnn._convolution_pointwise(
            x, it.weight, it.bias, it.padding, it.stride, it.dilation, it.groups, *self._activation, ""
        )


def can_fuse(device: torch.device) -> bool:
    """Whether there is such a call on the device, and float32 is what it computes fastest in.

    With matrix units it is bfloat16, by autocast, which does not know this call.
    """
    return (
        device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
        and not torch.cpu._is_amx_tile_supported()
    )


def fuse_activations(module: AnyModule) -> AnyModule:
    """Fuses every 2-D convolution with the activation behind it in an nn.Sequential, in place; returns the module.

    What folded batch norm left between the two does not matter.
    """
    for parent in [part for part in module.modules() if isinstance(part, nn.Sequential)]:
        before: tuple[int, nn.Conv2d] | None = None
        for index, layer in enumerate(parent):
            if before is not None and type(layer) in _ACTIVATIONS:
                parent[before[0]], parent[index] = FusedConvolution(before[1], layer), nn.Identity()
            if not isinstance(layer, nn.Identity):
                before = (index, layer) if type(layer) is nn.Conv2d else None
    return module
