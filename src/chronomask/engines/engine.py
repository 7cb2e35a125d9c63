"""What every engine offers.

Legend: N frames, T frames of a clip, H W pixels, C D channels, h w pixels of a level, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from chronomask.device import EngineName
from chronomask.engines.description import Description

MULTIPLE = 32
"""Height and width of the frames that an encoder takes are multiples of it."""


class FrameFeatures(NamedTuple):
    """What a frame gives on its own, so that overlapping clips need not compute it twice.

    Attributes:
        decoded: what the decoder reads, of the engine's own kind.
        look: level of stride 16, by which objects are told from each other after they were hidden.
        class_logits: class scores at stride 16, where they come from the backbone; else None.
    """

    decoded: tuple[Any, ...]
    look: Float32[np.ndarray, "C h w"]
    class_logits: Float32[np.ndarray, "L h w"] | None


@dataclass(frozen=True)
class EngineInfo:
    """What computed a result, for the `info` of what was made.

    Attributes:
        name: of the engine.
        version: of its package.
        device: "cpu", "cuda:0", ...
        precision: "float32" or "bfloat16".
    """

    name: EngineName
    version: str
    device: str
    precision: str


@runtime_checkable
class Engine(Protocol):
    """A network, ready to compute. Several threads may call it at a time.

    Attributes:
        description: of the network.
        info: what computes it.
        threads: how many threads should call it at a time.
        together: whether frames are better encoded in batches, as on a graphics card, than one by one.
    """

    description: Description
    info: EngineInfo
    threads: int
    together: bool

    def prepare_thread(self) -> None:
        """Called once in every thread that is going to call the engine. Most have nothing to do there."""
        return

    def threads_ready(self) -> None:
        """Called once, by who started these threads, when all of them are prepared."""
        return

    def encode(self, frames: UInt8[np.ndarray, "N 3 H W"]) -> list[FrameFeatures]:
        """What every frame gives on its own. H and W are multiples of 32."""
        ...

    def fine(self, frame: FrameFeatures) -> Any | None:
        """Level of stride 4 (C h w, float32), by which pixels near a click are told apart; None where there is none."""
        return dict(zip(self.description.decoded, frame.decoded, strict=True)).get("level_4")

    def decode(self, frames: Sequence[FrameFeatures]) -> Float32[np.ndarray, "T D h w"]:
        """What is said of every pixel of a clip of T frames; `model.halves.ClipDecoder` names the channels."""
        ...


@runtime_checkable
class Attentive(Protocol):
    """An engine that also tells where a network looks; onnxruntime, whose files are as they were written, does not."""

    def attention(self, frames: Sequence[FrameFeatures]) -> list[Float32[np.ndarray, "t h w"]]:
        """Weights of the space-time attention (eq. 2) of a clip, in (0, 1), of every level that has it.

        The finest level first; a squeezed one has fewer frames. Slower than `decode`, whose work it does as well.
        """
        ...


def padded(frames: UInt8[np.ndarray, "N 3 _ _"]) -> UInt8[np.ndarray, "N 3 H W"]:
    """The frames with zeros at the right and bottom, up to multiples of 32."""
    height, width = frames.shape[2:]
    return np.pad(frames, ((0, 0), (0, 0), (0, -height % MULTIPLE), (0, -width % MULTIPLE)))


def features_of(description: Description, outputs: Sequence[Any]) -> FrameFeatures:
    """The features of one frame from what an encoder gives for it, in the order of `Description.features`."""
    by_name = dict(zip(description.features, outputs, strict=True))
    decoded = tuple(by_name[name] for name in description.decoded)
    return FrameFeatures(decoded, by_name["level_16"], by_name.get("class_logits"))
