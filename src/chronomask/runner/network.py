"""The two halves of an exported network, and what lies around them: padding, cropping, coordinates.

Legend: N frames, T frames of a clip, H W pixels, h w = H/4 W/4, E embedding dimensions, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from chronomask.errors import InputError
from chronomask.runner.description import MULTIPLE, STRIDE, Description

ENCODER = "encoder.onnx"
DECODER = "decoder.onnx"


@dataclass(frozen=True, eq=False)
class ClipOutputs:
    """What the network says of every pixel of a clip; see `model.network.PixelOutputs`."""

    embedding: Float32[np.ndarray, "E T h w"]
    log_variance: Float32[np.ndarray, "E T h w"]
    heat: Float32[np.ndarray, "T h w"]
    class_logits: Float32[np.ndarray, "L T hc wc"]
    foreground_logits: Float32[np.ndarray, "T h w"] | None

    def first(self, frames: int) -> ClipOutputs:
        """The outputs of the first frames alone."""
        return ClipOutputs(
            embedding=self.embedding[:, :frames],
            log_variance=self.log_variance[:, :frames],
            heat=self.heat[:frames],
            class_logits=self.class_logits[:, :frames],
            foreground_logits=None if self.foreground_logits is None else self.foreground_logits[:frames],
        )


class ExportedNetwork:
    """An exported network in onnxruntime.

    Args:
        folder: that `chronomask export` wrote.
        description: what `model.json` in it says.
        providers: onnxruntime's names of what shall compute, best first.

    Raises:
        InputError: onnxruntime is not installed, knows no such provider, or cannot read a file.
    """

    def __init__(self, folder: Path, description: Description, providers: Sequence[str]) -> None:
        self._description = description
        self._encoder = _session(folder / ENCODER, providers)
        self._decoder = _session(folder / DECODER, providers)

    def encode(self, frames: UInt8[np.ndarray, "N 3 H W"]) -> list[Float32[np.ndarray, "N _ _ _"]]:
        """What frames give on their own: pyramid levels of stride 4, 8, 16, 32, and class scores where they come so."""
        height, width = frames.shape[2:]
        padded = np.pad(frames, ((0, 0), (0, 0), (0, -height % MULTIPLE), (0, -width % MULTIPLE)))
        return self._encoder.run(None, {"frames": padded})

    def decode(self, features: list[Float32[np.ndarray, "T _ _ _"]], size: tuple[int, int]) -> ClipOutputs:
        """The pixel outputs of a clip of T frames.

        Args:
            features: of `encode`.
            size: height and width of the frames, which the outputs are cropped to.
        """
        names = [output.name for output in self._decoder.get_outputs()]
        inputs = zip((entry.name for entry in self._decoder.get_inputs()), features, strict=True)
        values = dict(zip(names, self._decoder.run(None, dict(inputs)), strict=True))
        crop, class_crop = (_crop(size, stride) for stride in (STRIDE, self._description.class_stride))
        foreground = values.get("foreground_logits")
        return ClipOutputs(
            embedding=_placed(values["embedding"][crop], self._description.embedding, size),
            log_variance=values["log_variance"][crop],
            heat=values["heat"][crop],
            class_logits=values["class_logits"][class_crop],
            foreground_logits=None if foreground is None else foreground[crop],
        )


def _crop(size: tuple[int, int], stride: int) -> tuple[Any, ...]:
    return (..., slice(-(-size[0] // stride)), slice(-(-size[1] // stride)))


def _placed(
    offsets: Float32[np.ndarray, "E T h w"], dimensions: Sequence[str], size: tuple[int, int]
) -> Float32[np.ndarray, "E T h w"]:
    """The embedding: offsets, as the network gives them, plus the coordinates of the pixels in the frame."""
    _, length, rows, columns = offsets.shape
    grids = {
        "y": _coordinates(rows, *size)[:, None],
        "x": _coordinates(columns, *size[::-1]),
        "t": np.linspace(-1, 1, length, dtype=np.float32)[:, None, None] * (length > 1),
    }
    return np.stack([plane + grids.get(name, np.float32(0)) for plane, name in zip(offsets, dimensions, strict=True)])


def _coordinates(cells: int, side: int, other: int) -> Float32[np.ndarray, " cells"]:
    """Of the centres of stride-4 cells along an axis: +-max(1, side / other) over the frame."""
    centres = (np.arange(cells, dtype=np.float32) + 0.5) * STRIDE
    return (centres * 2 / np.float32(side) - 1) * np.float32(max(1.0, side / other))


def _session(path: Path, providers: Sequence[str]) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError("running an exported network needs onnxruntime: pip install 'chronomask[export]'") from error
    if unknown := sorted(set(providers) - set(onnxruntime.get_available_providers())):
        known = ", ".join(onnxruntime.get_available_providers())
        raise InputError(f"provider {unknown[0]!r}: this onnxruntime has {known}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; was the network exported with --format torch?")
    try:
        return onnxruntime.InferenceSession(path, providers=list(providers))
    except Exception as error:  # onnxruntime has a class of its own for every way in which a file can be broken
        raise InputError(f"{path}: {error}") from error
