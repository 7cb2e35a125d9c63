"""Networks on disk: one safetensors file, the configuration as json in its metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load, save
from torch import Tensor

from chronomask.config import model_from_json, model_to_json
from chronomask.errors import InputError, refusing
from chronomask.files import written_aside
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.model.network import Network

AnyNetwork = TypeVar("AnyNetwork", bound=BackboneNetwork)

_HEAD = "heat_head.weight"
"""A tensor that every network has, and whose inputs are its channels."""


def save_network(path: Path, network: BackboneNetwork, *, half: bool) -> None:
    """Writes weights and configuration; with `half`, weights as float16 (half the size).

    Vectors (biases, normalisation) stay float32: they are few, and a running variance may exceed float16's 65,504.
    """
    tensors = {
        name: (tensor.half() if half and tensor.is_floating_point() and tensor.ndim > 1 else tensor).contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    with written_aside(path) as aside:
        # Not by its own `save_file`, whose files nobody but their owner may read.
        data = save(tensors, metadata={"format": network.FORMAT, "config": model_to_json(network.config)})
        aside.write_bytes(_in_order(data))


def _in_order(data: bytes) -> bytes:
    """The same file of safetensors, whose metadata the library writes in an order of chance: equal weights shall be
    equal bytes."""
    header, begin = _header(data)
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[begin:]


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """What a file of safetensors says of itself, and where its tensors begin."""
    begin = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:begin]), begin


def load_network(path: Path) -> Network:
    """A network in eval mode, in float32, on the CPU.

    Raises:
        InputError: as `load_checkpoint`.
    """
    return load_checkpoint(path, Network, _network_for)


def load_checkpoint(
    path: Path, kind: type[AnyNetwork], network_for: Callable[[str, Mapping[str, Tensor]], AnyNetwork]
) -> AnyNetwork:
    """A network of some kind in eval mode, in float32, on the CPU.

    Args:
        path: of its file.
        kind: what it is.
        network_for: makes one of what the file says of its configuration and its tensors; InputError where they cannot
            be meant.

    Raises:
        InputError: no such file, not such a checkpoint, or tensors that do not fit its configuration or are not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint file")
    with refusing(path, "not a safetensors file"):
        data = path.read_bytes()  # the library opens no path that is no UTF-8
        tensors = {name: tensor.float() for name, tensor in load(data).items()}
        metadata = _header(data)[0].get("__metadata__", {})
    if (format := metadata.get("format")) != kind.FORMAT:
        what = "not a checkpoint of this project" if kind is Network else f"not a checkpoint of kind {kind.FORMAT}"
        raise InputError(f"{path}: {what} (metadata format is {format!r})")
    try:
        network = network_for(metadata.get("config", ""), tensors)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    expected = {name: t for name, t in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    if missing := sorted(expected.keys() - tensors.keys()):
        raise InputError(f"{path}: lacks the tensor {missing[0]} ({len(missing)} missing)")
    if extra := sorted(tensors.keys() - expected.keys()):
        raise InputError(f"{path}: holds the unknown tensor {extra[0]} ({len(extra)} unknown)")
    for name, tensor in expected.items():
        if tensors[name].shape != tensor.shape:
            raise InputError(f"{path}: {name} has shape {tuple(tensors[name].shape)}, not {tuple(tensor.shape)}")
        if broken := int((~tensors[name].isfinite()).sum()):
            raise InputError(f"{path}: {name} holds infinities or NaN ({broken} of {tensor.numel()} values)")
    network.load_state_dict(tensors, strict=False)  # only the counters of batch norm are not there
    return network.eval()


def _network_for(text: str, tensors: Mapping[str, Tensor]) -> Network:
    config = model_from_json(text)
    if _HEAD not in tensors:
        raise InputError(f"lacks the tensor {_HEAD}")
    shape = tuple(tensors[_HEAD].shape)
    if shape[1:2] != (config.channels,):  # before it is built, for a file may say anything
        raise InputError(f"{_HEAD} has shape {shape}, not that of {config.channels} channels")
    return Network(config)
