"""ONNX files with weights in half the size: kernels as float16, which engines turn into float32 when they load them.

Legend: D output channels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float16, Float32
from torch import nn

EXACT = 1e-6
"""Largest relative difference of a kernel in float16, times its scale, that is no more than rounding in float32."""


def scales_of(network: nn.Module) -> list[np.ndarray]:
    """By what batch norms scale the channels that come out of the convolution before them; ones for those without."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)]
    folded = [norm.weight * torch.rsqrt(norm.running_var + norm.eps) for norm in norms if norm.running_var is not None]
    return [np.ones(1, np.float32), *(scale.detach().numpy() for scale in folded)]


def keep_as_float16(path: Path, scales: list[np.ndarray]) -> None:
    """Stores the kernels of an ONNX file as float16, each with a cast to float32 that engines do when they load it.

    Kernels of a checkpoint in float16 have lost nothing until a batch norm was folded into them, which scales their
    output channels. Where that is found out, they are stored without their scale and scaled when they are loaded:
    rounding them once more would move masks. Others are rounded.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    nodes, scalings = [], []
    for kernel in model.graph.initializer:
        values = numpy_helper.to_array(kernel)
        if values.dtype != np.float32 or values.ndim < 2 or len(values) == 1:
            continue  # biases too, of any shape
        name = kernel.name
        plain, scale = without_scale(values, scales)
        if scale is None and values.ndim == 2 and np.any(plain != values):
            continue  # few and dear, such as the thirds of an average
        kernel.CopyFrom(numpy_helper.from_array(plain, f"{name}.half"))
        if scale is None:
            nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        else:
            scalings.append(numpy_helper.from_array(scale, f"{name}.scale"))
            nodes.append(helper.make_node("Cast", [f"{name}.half"], [f"{name}.plain"], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [f"{name}.plain", f"{name}.scale"], [name]))
    model.graph.initializer.extend(scalings)
    nodes += list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)


def without_scale(
    values: Float32[np.ndarray, "D *_"], scales: list[np.ndarray]
) -> tuple[Float16[np.ndarray, "D *_"], Float32[np.ndarray, "D *_"] | None]:
    """A kernel in float16, and what its output channels are to be multiplied by; None where rounded without."""
    for scale in scales:
        if len(values) % len(scale):
            continue
        # Several convolutions may stand behind each other in one, as those for the places in time of a Squeeze.
        factor = np.tile(scale, len(values) // len(scale)).reshape(-1, *(1,) * (values.ndim - 1))
        with np.errstate(all="ignore"):  # a channel that is switched off
            plain = np.where(factor == 0, 0, values / factor).astype(np.float16)
        if np.all(np.abs(plain * factor - values) <= EXACT * np.abs(values)):
            return plain, None if len(scale) == 1 else factor
    return values.astype(np.float16), None
