"""From the files of a model to an engine that computes it."""

from __future__ import annotations

import ctypes
import hashlib
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from chronomask.config.checks import one_of
from chronomask.device import EngineChoice, EngineName, Precision, choose_device, chosen_precision
from chronomask.engines.description import describe, read_description
from chronomask.engines.engine import Engine
from chronomask.engines.models import ModelFiles
from chronomask.errors import InputError

if TYPE_CHECKING:
    from chronomask.model.network import Network

_DEVICES = r"auto|cpu|(cuda|mps|xpu|meta|hpu|mtia)(:\d+)?"

INSTALL = {
    "openvino": "pip install openvino",
    "onnxruntime": "pip install 'chronomask[onnxruntime]'",
    "torch": "pip install 'chronomask[torch]'",
}
"""How to get what an engine needs."""


def open_engine(
    model: ModelFiles,
    clip_length: int,
    *,
    device: str = "auto",
    engine: EngineChoice = "auto",
    precision: Precision = "auto",
) -> Engine:
    """The engine for a model.

    `auto` takes PyTorch where there is a CUDA card that it can use and a checkpoint to load, else OpenVINO.

    Args:
        model: its files.
        clip_length: frames of the clips that it shall decode.
        device: "auto", "cpu", "cuda", "cuda:1", ...; other than "cpu" for PyTorch only.
        engine: which one.
        precision: in which it computes.

    Raises:
        InputError: an engine that is not installed or cannot do what is asked for, a file that cannot be used.
    """
    one_of("engine", engine, get_args(EngineChoice))
    if not re.fullmatch(_DEVICES, device):
        raise InputError(f"device {device!r}: must be auto, cpu, cuda, cuda:1, or another device of PyTorch's")
    name: EngineName = _chosen(model, device) if engine == "auto" else engine
    if name != "torch" and device not in ("auto", "cpu"):
        remedy = "use --engine torch" if model.checkpoint else "name the checkpoint that was exported, for PyTorch"
        raise InputError(f"device {device!r}: {name} computes on the CPU here; {remedy} for cards")
    if name == "onnxruntime":
        chosen_precision(precision, name)  # what can never be is said before what is not installed
    _check_installed(name)
    if name == "torch":
        return _on_torch(model, clip_length, device, precision)
    exported = model.exported
    if exported is not None and (length := read_description(exported).clip_length) != clip_length:
        if model.checkpoint is None:
            remedy = f"use --clip-length {length}, or export with --clip-length {clip_length}"
            raise InputError(f"clip_length {clip_length}: {exported} was exported for {length} frames; {remedy}")
        exported = None
    return _opened(name, exported, model, clip_length, precision)


def torch_engine(
    network: Network, clip_length: int, sha256: str = "", device: str = "cpu", precision: str = "float32"
) -> Engine:
    """PyTorch's engine for a network in memory, which is taken apart and of no use afterwards."""
    from chronomask.engines.torch import TorchEngine
    from chronomask.model.halves import decoded_names, feature_names, halves

    config, where = network.config, choose_device(device)
    known = describe(config, sha256, clip_length, feature_names(config), decoded_names(config))
    return TorchEngine(known, halves(network, clip_length), where, precision)


def _opened(
    name: EngineName, exported: Path | None, model: ModelFiles, clip_length: int, precision: Precision
) -> Engine:
    chosen = chosen_precision(precision, name)
    if exported is None and name == "onnxruntime":
        how = f"`chronomask export MODEL FOLDER --clip-length {clip_length}`, and name FOLDER"
        raise InputError(f"onnxruntime runs exported networks, each for clips of one length: write one by {how}")
    if exported is None:
        assert model.checkpoint is not None, "a model has one of the two"
        return _converted(model.checkpoint, clip_length, chosen)
    known = read_description(exported)
    if name == "onnxruntime":
        from chronomask.engines.onnxruntime import OnnxRuntimeEngine

        return OnnxRuntimeEngine(exported, known)
    from chronomask.engines.openvino import OpenVinoEngine

    return OpenVinoEngine.read(exported, known, chosen)


def _on_torch(model: ModelFiles, clip_length: int, device: str, precision: Precision) -> Engine:
    from chronomask.model.checkpoint import load_network

    if model.checkpoint is None:
        raise InputError(
            f"{model.exported}: is an exported network, which runs on openvino or onnxruntime, not on torch"
        )
    where = str(choose_device(device))
    chosen = chosen_precision(precision, "torch", where)
    return torch_engine(load_network(model.checkpoint), clip_length, sha256_of(model.checkpoint), where, chosen)


def _converted(checkpoint: Path, clip_length: int, precision: str) -> Engine:
    """A checkpoint on OpenVINO, converted by PyTorch, now or at an earlier start."""
    if find_spec("torch") is None:
        reason = f"{checkpoint.name} for clips of {clip_length} frames must be converted for OpenVINO by PyTorch"
        raise InputError(f"{reason}: {INSTALL['torch']}, or name a folder that `chronomask export` wrote")
    from chronomask.engines import model_cache

    sha256 = sha256_of(checkpoint)
    place = model_cache.place(sha256, clip_length)
    if (engine := model_cache.kept(place, precision)) is not None:
        return engine
    from chronomask.engines.conversion import converted

    return model_cache.keep(converted(checkpoint, clip_length, sha256, precision), place)


def _chosen(model: ModelFiles, device: str) -> EngineName:
    if model.checkpoint is not None and (device not in ("auto", "cpu") or (device == "auto" and _has_card())):
        return "torch"
    return "openvino" if find_spec("openvino") or not find_spec("onnxruntime") else "onnxruntime"


def _has_card() -> bool:
    """Whether there is a CUDA card that PyTorch can use; PyTorch, which takes seconds, is imported only if likely."""
    if find_spec("torch") is None:
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return choose_device("auto").type == "cuda"


def _check_installed(name: EngineName) -> None:
    if find_spec(name) is None:
        raise InputError(f"engine {name}: is not installed; {INSTALL[name]}")


def sha256_of(path: Path) -> str:
    """Of a file, as hexadecimal digits.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
