"""What networks share that carry masks from frame to frame: backbone, pyramid, training clips, checkpoints.

Legend: B clips, K objects, N frames, C channels, H W pixels, h w = H/4 W/4.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.config import BackboneName
from chronomask.config.checks import at_least
from chronomask.config.model import MAX_CHANNELS
from chronomask.errors import InputError, words_of
from chronomask.losses import Targets
from chronomask.model.backbone import Backbone, build_backbone
from chronomask.model.backbone_network import BackboneNetwork, to_channels_last
from chronomask.model.checkpoint import load_checkpoint
from chronomask.model.fpn import FPN
from chronomask.training.targets import Batch


@dataclass(frozen=True)
class PropagationConfig:
    """The shape of such a network.

    Attributes:
        backbone: frame-by-frame feature extractor; the papers have VGG-16 and DeepLabv3+ on Xception.
        channels: C, of every level of the pyramid and of the head.
    """

    backbone: BackboneName = "mobilenet_v2"
    channels: int = 32

    def __post_init__(self) -> None:
        at_least(self, 1, "channels")
        if self.channels > MAX_CHANNELS:
            raise InputError(f"channels {self.channels}: must be {MAX_CHANNELS} or less")


Levels = Sequence[Float[Tensor, "N C _ _"]]
"""Features of stride 4, 8, 16, 32 of some frames."""


class PropagationNetwork(BackboneNetwork):
    """A network that is shown the first mask of objects, and finds them frame after frame.

    Args:
        config: its shape.
        backbone: with trained weights; with random ones where there is none.
    """

    config: PropagationConfig

    def __init__(self, config: PropagationConfig, backbone: Backbone | None = None) -> None:
        super().__init__(config, backbone or build_backbone(config.backbone))
        self.fpn = FPN(self.backbone.channels, config.channels)

    def encoded(self, frames: UInt8[Tensor, "N 3 H W"]) -> Levels:
        """The pyramid of frames, whose sides are multiples of 32."""
        return self.fpn(self._run_backbone(frames))

    @abstractmethod
    def begun(self, frame: UInt8[Tensor, "3 H W"], levels: Levels, masks: Bool[Tensor, "K h w"]) -> Any:
        """What is kept of the frame in which objects are shown; `levels` are its own."""

    @abstractmethod
    def step(self, state: Any, levels: Levels, masks: Bool[Tensor, "K h w"]) -> Float[Tensor, "K h w"]:
        """How likely the pixels of a frame belong to each object, in [0, 1]; above 0.5 just inside its mask.

        Args:
            state: of `begun`.
            levels: of this frame.
            masks: the objects in the frame before.
        """

    @abstractmethod
    def clip_loss(
        self,
        frames: UInt8[Tensor, "3 3 H W"],
        levels: Levels,
        masks: Bool[Tensor, "K 3 h w"],
        known: Bool[Tensor, "h w"],
    ) -> Float[Tensor, ""]:
        """The loss of a clip of three frames: the first shows the objects, the second is the one before the third.

        Args:
            masks: of the objects, of which there is one or more.
            known: the pixels of the third frame that the loss is about, of which there is one or more.
        """

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss over a batch of clips of three frames."""
        levels = self.encoded(batch.frames.flatten(0, 1))
        losses = []
        for clip, targets in enumerate(batch.targets):
            own = [level[3 * clip : 3 * clip + 3] for level in levels]
            masks, known = shown(targets), known_pixels(targets)
            if len(masks) and known.any():
                losses.append(self.clip_loss(batch.frames[clip], own, masks, known))
        nothing = sum((p.sum() * 0 for p in self.parameters() if p.requires_grad), torch.zeros(()))
        loss = torch.stack(losses).mean() + nothing if losses else nothing
        return {"mask": loss, "loss": loss}


def shown(targets: Targets) -> Bool[Tensor, "K 3 h w"]:
    """The objects that a clip of three frames shows in its first."""
    return targets.masks[targets.masks[:, 0].flatten(1).any(1)]


def known_pixels(targets: Targets) -> Bool[Tensor, "h w"]:
    """Of the last frame, what is some object's, or no object's for sure.

    There may be none: where not all objects of a video are annotated, and none of these can be seen any more.
    """
    return (targets.background[-1] | targets.masks[:, -1].any(0)) & ~targets.ignore[-1]


def resized(masks: Float[Tensor, "K h w"], size: Sequence[int]) -> Float[Tensor, "K _ _"]:
    """Means over the cells of a coarser level."""
    return F.adaptive_avg_pool2d(masks, (size[0], size[1]))


AnyPropagation = TypeVar("AnyPropagation", bound=PropagationNetwork)


def load_propagation(path: Path, kind: type[AnyPropagation]) -> AnyPropagation:
    """A trained network of a kind, ready to be used.

    Raises:
        InputError: as `load_checkpoint`.
    """

    def network_for(text: str, tensors: Mapping[str, Tensor]) -> AnyPropagation:
        try:
            config = PropagationConfig(**json.loads(text))
            return kind(config)
        except (ValueError, TypeError, AssertionError) as error:
            raise InputError(f"configuration: {words_of(error)}") from error

    network = load_checkpoint(path, kind, network_for)
    network.freeze_backbone()  # which folds its norms: half the time
    return to_channels_last(network)
