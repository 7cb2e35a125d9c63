"""The network on OpenVINO: the fast way on processors.

Legend: N frames, T frames of a clip, H W pixels, h w = H/4 W/4, D channels.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from chronomask import __version__
from chronomask.device import cores
from chronomask.engines.description import DECODER, ENCODER, FILE, Description
from chronomask.engines.engine import Engine, EngineInfo, FrameFeatures, features_of
from chronomask.errors import InputError

SAVED = ".xml"
"""Ending of OpenVINO's own files, each of which has another of weights beside it."""

SIZES = 4
"""Frame sizes for which compiled networks are kept: one more takes a third of a second again."""


def imported() -> Any:
    """The package, imported without its telemetry, and the only way in which we import it.

    OpenVINO reports to its maker that it was imported and what was converted, and writes a folder into the user's home,
    unless `openvino_telemetry` cannot be imported; then it takes a stand-in of its own that does nothing.
    """
    if "openvino" not in sys.modules:
        before = sys.modules.pop("openvino_telemetry", None)
        modules: dict[str, Any] = sys.modules
        modules["openvino_telemetry"] = None  # which is how Python notes what cannot be imported
        try:
            import_module("openvino")
        finally:
            del modules["openvino_telemetry"]
            if before is not None:
                modules["openvino_telemetry"] = before
    openvino = import_module("openvino")
    # Each way between arrays and tensors is set up when it is first taken. Of two threads that do so at once, each may
    # wait for the other for ever (seen in 2026.4).
    _ = openvino.Tensor(np.zeros(1, np.float32)).data
    return openvino


class _Pool:
    """Requests to a network, each of which computes on one core; whoever finds none waits for one.

    Args:
        compiled: the network, compiled for so many requests at a time.
        counts: how many are made at first, and how many more as soon as these do not suffice.
    """

    def __init__(self, compiled: Callable[[int], Any], *counts: int) -> None:
        self._compiled, self._left, self._lock = compiled, list(counts), threading.Lock()
        self._free: SimpleQueue[Any] = SimpleQueue()
        self._make()

    def _make(self) -> None:
        with self._lock:
            if self._left and (count := self._left.pop(0)):
                model = self._compiled(count)
                for _ in range(count):
                    self._free.put(model.create_infer_request())

    @contextmanager
    def taken(self) -> Generator[Any, None, None]:
        """A request that is free, which nobody else gets during the block."""
        if self._free.empty():
            self._make()
        request = self._free.get()
        try:
            yield request
        finally:
            self._free.put(request)


class _Halves(NamedTuple):
    """The network, ready to compute frames of one size."""

    encoder: _Pool
    decoder: _Pool


class OpenVinoEngine(Engine):
    """Compiles the network for every size of frames that it meets; see `Engine`.

    Every request runs on one core: clips and frames are independent, so the cores need not share one. Hence results do
    not depend on the number of cores.

    Args:
        description: of the network.
        encoder: model of OpenVINO, of `model.halves.FrameEncoder`.
        decoder: of `model.halves.ClipDecoder`.
        precision: "float32" or "bfloat16".
    """

    together = False

    def __init__(self, description: Description, encoder: Any, decoder: Any, precision: str) -> None:
        openvino = imported()
        self.description, self.threads = description, cores()
        self.info = EngineInfo("openvino", openvino.__version__.split("-")[0], "cpu", precision)
        self._core, self._models = openvino.Core(), (encoder, decoder)
        self._known: OrderedDict[tuple[int, ...], _Halves] = OrderedDict()
        self._attentive: tuple[tuple[int, ...], Any] | None = None
        self._lock = threading.Lock()

    @classmethod
    def read(cls, folder: Path, description: Description, precision: str) -> OpenVinoEngine:
        """From a folder that `chronomask export` wrote, or `save`.

        Raises:
            InputError: a file is missing, OpenVINO cannot read it, or it is of another network.
        """
        core = imported().Core()
        models = []
        for name in (ENCODER, DECODER):
            saved = (folder / name).with_suffix(SAVED)
            path = saved if saved.is_file() else folder / name
            if not path.is_file():
                raise InputError(f"{path}: no such file; was the network exported with --format torch?")
            try:
                model = core.read_model(path)
            except (RuntimeError, ValueError) as error:  # it also makes texts of what it quotes from the file
                raise InputError(f"{path}: OpenVINO cannot read it: {_first_line(error)}") from error
            description.check(path, *([port.any_name for port in ports] for ports in (model.inputs, model.outputs)))
            models.append(model)
        return cls(description, *models, precision)

    def save(self, folder: Path) -> None:
        """Writes the network into an empty folder, in OpenVINO's own files; for `read`."""
        for model, name in zip(self._models, (ENCODER, DECODER), strict=True):
            imported().save_model(model, (folder / name).with_suffix(SAVED), compress_to_fp16=False)
        (folder / FILE).write_text(self.description.to_json(__version__))

    def encode(self, frames: UInt8[np.ndarray, "N 3 H W"]) -> list[FrameFeatures]:
        with self._halves(frames.shape[2:]).encoder.taken() as encoder:
            return [self._features(encoder.infer([frame[None]])) for frame in frames]

    def decode(self, frames: Sequence[FrameFeatures]) -> Float32[np.ndarray, "T D h w"]:
        with self._halves(self._size_of(frames)).decoder.taken() as decoder:
            # Straight into its own memory: arrays of all frames would be copied there once more.
            for place, level in enumerate(zip(*(frame.decoded for frame in frames), strict=True)):
                np.stack(level, out=decoder.get_input_tensor(place).data)
            [pixels] = decoder.infer().values()
        return pixels

    def attention(self, frames: Sequence[FrameFeatures]) -> list[Float32[np.ndarray, "t h w"]]:
        """See `engine.Attentive`. Compiles the decoder once more for a size, with these weights as outputs."""
        size = self._size_of(frames)
        inputs = [np.stack(level) for level in zip(*(frame.decoded for frame in frames), strict=True)]
        with self._lock:
            if self._attentive is None or self._attentive[0] != size:
                decoder = self._decoder(size)
                # The only logistic functions in it: those of the heads are written as tanh, see `model.halves`.
                weights = [op.output(0) for op in decoder.get_ordered_ops() if op.get_type_name() == "Sigmoid"]
                decoder.add_outputs([output for output in weights if output.partial_shape.rank.get_length() == 4])
                self._attentive = (size, _compiled(self._core, decoder, self.info.precision, 1))
            outputs = list(self._attentive[1].create_infer_request().infer(inputs).values())
        return sorted((weights[0].copy() for weights in outputs[1:]), key=lambda level: -level.shape[1])

    def _size_of(self, frames: Sequence[FrameFeatures]) -> tuple[int, ...]:
        """Height and width of the frames of a clip."""
        stride = int(self.description.decoded[0].split("_")[1])
        return tuple(stride * side for side in frames[0].decoded[0].shape[1:])

    def _features(self, outputs: Any) -> FrameFeatures:
        return features_of(self.description, [values[0] for values in outputs.values()])

    def _halves(self, size: tuple[int, ...]) -> _Halves:
        with self._lock:
            if size not in self._known:
                self._known[size] = self._compile(size)
                if len(self._known) > SIZES:
                    self._known.popitem(last=False)
            self._known.move_to_end(size)
            return self._known[size]

    def _compile(self, size: tuple[int, ...]) -> _Halves:
        """Compiles for one size. That takes as long as for free sizes, and computes faster."""
        # Pools that refer to the engine would be taken apart in any order, as all cycles, and OpenVINO would crash.
        encoder, decoder = (
            partial(_compiled, self._core, model, self.info.precision)
            for model in (self._encoder(size), self._decoder(size))
        )
        # Each request for a clip takes 70 MB: not more than are needed at a time (see `ClipFinder`).
        few = -(-self.threads // 2)
        return _Halves(_Pool(encoder, self.threads), _Pool(decoder, few, self.threads - few))

    def _encoder(self, size: tuple[int, ...]) -> Any:
        """The encoder for frames of a size."""
        encoder = self._models[0].clone()
        encoder.reshape([1, 3, *size])
        return encoder

    def _decoder(self, size: tuple[int, ...]) -> Any:
        """The decoder for clips of frames of a size."""
        decoder = self._models[1].clone()
        shapes = {
            port: _at_size(port.partial_shape, name, size)
            for port, name in zip(decoder.inputs, self.description.decoded, strict=True)
        }
        decoder.reshape(shapes)
        return decoder


def _compiled(core: Any, model: Any, precision: str, count: int) -> Any:
    """A model, compiled for so many requests at a time."""
    options = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "NUM_STREAMS": count,
        "INFERENCE_NUM_THREADS": count,
        "ENABLE_CPU_PINNING": False,  # they share the cores with the threads that decode, paint and encode
    }
    return core.compile_model(model, "CPU", options)


def _at_size(shape: Any, name: str, size: tuple[int, ...]) -> list[int]:
    """The shape of the decoder's input of this name, for frames of a size."""
    stride = int(name.split("_")[1])
    return [shape[0].get_length(), shape[1].get_length(), *(side // stride for side in size)]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
