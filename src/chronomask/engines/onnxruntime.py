"""The network on onnxruntime, for who has that already.

Legend: N frames, T frames of a clip, H W pixels, h w = H/4 W/4, D channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from chronomask.device import cores
from chronomask.engines.description import DECODER, ENCODER, Description
from chronomask.engines.engine import Engine, EngineInfo, FrameFeatures, features_of
from chronomask.errors import InputError


class OnnxRuntimeEngine(Engine):
    """An exported network in onnxruntime, in float32; see `Engine`.

    Args:
        folder: that `chronomask export` wrote.
        description: what `model.json` in it says.

    Raises:
        InputError: a file is missing, cannot be read, or is of another network.
    """

    together = False

    def __init__(self, folder: Path, description: Description) -> None:
        import onnxruntime

        self.description, self.threads = description, cores()
        self.info = EngineInfo("onnxruntime", onnxruntime.__version__, "cpu", "float32")
        self._encoder, self._decoder = (_session(folder / name, description) for name in (ENCODER, DECODER))

    def encode(self, frames: UInt8[np.ndarray, "N 3 H W"]) -> list[FrameFeatures]:
        outputs = [self._encoder.run(None, {"frames": frame[None]}) for frame in frames]
        return [features_of(self.description, [values[0] for values in found]) for found in outputs]

    def decode(self, frames: Sequence[FrameFeatures]) -> Float32[np.ndarray, "T D h w"]:
        levels = zip(*(frame.decoded for frame in frames), strict=True)
        inputs = {name: np.stack(level) for name, level in zip(self.description.decoded, levels, strict=True)}
        [pixels] = self._decoder.run(None, inputs)
        return pixels


def _session(path: Path, description: Description) -> Any:
    import onnxruntime

    if not path.is_file():
        raise InputError(f"{path}: no such file; was the network exported with --format torch?")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # every calling thread computes on its own core
    try:
        # By its bytes, for it opens no path that is no UTF-8.
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for every way in which a file can be broken
        raise InputError(f"{path}: onnxruntime cannot read it: {error}") from error
    ends = ([end.name for end in ends] for ends in (session.get_inputs(), session.get_outputs()))
    description.check(path, *ends)
    return session
