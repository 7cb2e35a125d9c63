"""The named tensors in a file of another program, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load
from torch import Tensor

from chronomask.errors import InputError, refusing, words_of
from chronomask.model.importing.graphdef import read_graph
from chronomask.model.importing.unpickle import PickledArray, unpickle_arrays

_STATE_KEYS = ("model", "state_dict", "model_state_dict")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every named tensor of a checkpoint, on the CPU, in the order of the file.

    Nothing that lies in the file is run: `.pth` and `.pt` go through PyTorch's restricted reader, `.pkl` (the model zoo
    of detectron2) through `unpickle_arrays`, `.pb` (frozen graphs of TensorFlow) through `read_graph`; `.safetensors`
    cannot hold code. The state dict may be the whole file or lie under "model" or "state_dict" beside an optimiser's;
    entries that are no tensors are left out.

    Raises:
        InputError: no such file, another suffix, a damaged file, a pickle that asks for more than arrays, or no tensor.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights")
    readers = {
        ".pth": _load_torch,
        ".pt": _load_torch,
        ".pkl": unpickle_arrays,
        ".pb": read_graph,
        ".safetensors": _load_safetensors,
    }
    if path.suffix not in readers:
        raise InputError(f"{path}: weights are read from {', '.join(readers)} files")
    content = readers[path.suffix](path)
    state = content
    if isinstance(content, Mapping):
        state = next((content[key] for key in _STATE_KEYS if isinstance(content.get(key), Mapping)), content)
    entries = state.items() if isinstance(state, Mapping) else ()
    tensors = {str(name): _to_tensor(value) for name, value in entries if isinstance(value, Tensor | PickledArray)}
    if not tensors:
        raise InputError(f"{path}: not a state dict: it holds no named tensors, but a {type(content).__name__}")
    return tensors


def _to_tensor(value: Tensor | PickledArray) -> Tensor:
    if isinstance(value, Tensor):
        return value
    array = value.value
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def _load_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes raise nearly anything
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused:
            raise InputError(
                f"{path}: refused, because it asks for {refused[1]}; only a state dict is read, and nothing is run"
            ) from error
        raise InputError(f"{path}: not a PyTorch checkpoint: {words_of(error)}") from error


def _load_safetensors(path: Path) -> Any:
    with refusing(path, "not a safetensors file"):
        return load(path.read_bytes())  # the library opens no path that is no UTF-8
