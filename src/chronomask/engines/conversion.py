"""A checkpoint for OpenVINO, converted by PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chronomask.config import ModelConfig
from chronomask.engines.description import describe
from chronomask.engines.openvino import OpenVinoEngine, imported
from chronomask.errors import InputError
from chronomask.model.checkpoint import load_network
from chronomask.model.halves import decoded_names, feature_names, halves

_TRACED = (64, 96)
"""Height and width of the frames by which the network is traced; any other size may come later."""


def converted(checkpoint: Path, clip_length: int, sha256: str, precision: str) -> OpenVinoEngine:
    """OpenVINO's engine for a checkpoint, for clips of some length.

    Raises:
        InputError: the checkpoint cannot be used.
    """
    network = load_network(checkpoint)
    config = network.config
    check_portable(checkpoint, config)
    known = describe(config, sha256, clip_length, feature_names(config), decoded_names(config))
    encoder, decoder = halves(network, clip_length)
    frames = torch.zeros((2, 3, *_TRACED), dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what tracing says of sizes that it takes for constants: they are
        by_name = dict(zip(known.features, encoder(frames), strict=True))
        clip = tuple(by_name[name][:1].expand(clip_length, -1, -1, -1).contiguous() for name in known.decoded)
        models = (
            _model(encoder, (frames,), ("frames",), known.features),
            _model(decoder, clip, known.decoded, ("pixels",)),
        )
    return OpenVinoEngine(known, *models, precision)


def check_portable(checkpoint: Path, config: ModelConfig) -> None:
    """Raises InputError where a part of a network is more than a graph of tensors."""
    if config.aggregation == "flow":
        raise InputError(f"{checkpoint}: needs optical flow, which PyTorch and OpenCV compute; use --engine torch")


def _model(half: nn.Module, example: tuple[Tensor, ...], inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
    """A half of the network as OpenVINO has it; heights, widths and the number of frames of the encoder stay free.

    Args:
        example: what it may be given.
        inputs, outputs: names of what it takes and gives.
    """
    # Traced here, because OpenVINO would have the trace checked, in more time than all the rest.
    traced = torch.jit.trace(half, example, check_trace=False)
    model = imported().convert_model(traced, example_input=example)
    frames = example[0].shape[0] if len(example) > 1 else -1
    model.reshape({port: [frames, x.shape[1], -1, -1] for port, x in zip(model.inputs, example, strict=True)})
    for port, name in zip((*model.inputs, *model.outputs), (*inputs, *outputs), strict=True):
        port.get_tensor().set_names({name})
    return model
