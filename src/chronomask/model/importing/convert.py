"""Making imported tensors compute here what they computed at home: other pixels, other norms.

Tensors go by their names inside the backbone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chronomask.model.backbone_base import Backbone
from chronomask.model.importing.layouts import PixelConvention

_DEAD = 1e-10
"""Channels of a smaller variance carry nothing; making up for their epsilon would only magnify rounding errors."""


def unfold_norms(tensors: dict[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """The statistics that change nothing, for norms that have weight and bias alone in `tensors`."""
    statistics = {}
    for name, norm in _norms(backbone):
        weight = tensors.get(f"{name}.weight")
        if weight is not None and f"{name}.running_mean" not in tensors and f"{name}.running_var" not in tensors:
            statistics[f"{name}.running_mean"] = torch.zeros_like(weight)
            statistics[f"{name}.running_var"] = torch.full_like(weight, 1 - norm.eps)
    return statistics


def convert_epsilon(tensors: dict[str, Tensor], backbone: nn.Module, epsilon: float) -> None:
    """Scales the weights of norms that were used with `epsilon`, in place, so that ours give the same output."""
    for name, norm in _norms(backbone):
        variance = tensors[f"{name}.running_var"].double()
        factor = ((variance + norm.eps) / (variance + epsilon)).sqrt().where(variance > _DEAD, 1.0)
        tensors[f"{name}.weight"] = (tensors[f"{name}.weight"] * factor).float()


def convert_pixels(tensors: dict[str, Tensor], backbone: Backbone, theirs: PixelConvention) -> None:
    """Rewrites a ResNet's first convolution, in place, for pixels as `backbone` normalises them.

    Order and scale go into the weights, a different mean into the norm behind them. The result is the same function,
    but for a border of three pixels when the means differ: there both pad with their own mean.
    """
    weight = tensors["conv1.weight"].double()
    if theirs.bgr:
        weight = weight.flip(1)
    mean, std = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (theirs.mean, theirs.std))
    ours = backbone.mean.double().cpu()
    shift = (weight * (ours - mean) / std).sum((1, 2, 3))
    tensors["conv1.weight"] = (weight * backbone.std.double().cpu() / std).float()
    tensors["bn1.running_mean"] = (tensors["bn1.running_mean"] - shift).float()


def _norms(backbone: nn.Module) -> list[tuple[str, nn.BatchNorm2d]]:
    return [(name, module) for name, module in backbone.named_modules() if isinstance(module, nn.BatchNorm2d)]
