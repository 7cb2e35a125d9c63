"""The network on PyTorch: for graphics cards, and for checkpoints of one's own.

Legend: N frames, T frames of a clip, H W pixels, h w = H/4 W/4, D channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from chronomask.device import cores
from chronomask.engines.description import Description
from chronomask.engines.engine import Engine, EngineInfo, FrameFeatures, features_of
from chronomask.model.backbone_network import to_channels_last
from chronomask.model.halves import Halves, Places


class TorchEngine(Engine):
    """The halves of a network in PyTorch; see `Engine`.

    Args:
        description: of the network.
        halves: of the network.
        device: where it computes.
        precision: "float32" or "bfloat16".
    """

    def __init__(self, description: Description, halves: Halves, device: torch.device, precision: str) -> None:
        self.description, self.device = description, device
        self.info = EngineInfo("torch", torch.__version__.split("+")[0], str(device), precision)
        self.together = device.type != "cpu"
        self.threads, self._shared = 1 if self.together else cores(), torch.get_num_threads()
        self._encoder, self._decoder = (to_channels_last(half).to(device) for half in halves)

    def prepare_thread(self) -> None:
        if self.device.type == "cpu":
            torch.get_num_threads()  # takes up the common setting, which a thread does once: later it would undo this
            torch.set_num_threads(1)

    def threads_ready(self) -> None:
        torch.set_num_threads(self._shared)  # the threads have changed what later ones would begin with

    def encode(self, frames: UInt8[np.ndarray, "N 3 H W"]) -> list[FrameFeatures]:
        with torch.inference_mode(), self._autocast():
            outputs = self._encoder(torch.from_numpy(frames).to(self.device))
        # What the tracker reads, of all frames at once: each copy from a card is waited for.
        here = {
            name: values.float().cpu().numpy()
            for name, values in zip(self.description.features, outputs, strict=True)
            if name in ("level_16", "class_logits")
        }
        looks, logits = here["level_16"], here.get("class_logits", [None] * len(frames))
        found = (features_of(self.description, values) for values in zip(*outputs, strict=True))
        return [
            features._replace(look=look, class_logits=scores)
            for features, look, scores in zip(found, looks, logits, strict=True)
        ]

    def fine(self, frame: FrameFeatures) -> Float32[np.ndarray, "C h w"] | None:
        level: Tensor | None = super().fine(frame)
        return None if level is None else level.float().cpu().numpy()

    def decode(self, frames: Sequence[FrameFeatures]) -> Float32[np.ndarray, "T D h w"]:
        with torch.inference_mode(), self._autocast():
            levels = zip(*(frame.decoded for frame in frames), strict=True)
            return self._decoder(*(torch.stack(level) for level in levels)).float().cpu().numpy()

    def attention(self, frames: Sequence[FrameFeatures]) -> list[Float32[np.ndarray, "t h w"]]:
        """See `engine.Attentive`."""
        weights: list[Tensor] = []
        places = [module for module in self._decoder.modules() if isinstance(module, Places)]
        hooks = [place.register_forward_hook(lambda *call: weights.append(call[-1])) for place in places]
        try:
            self.decode(frames)
        finally:
            for hook in hooks:
                hook.remove()
        return [some[:, 0].float().cpu().numpy() for some in weights]

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.info.precision == "bfloat16")
