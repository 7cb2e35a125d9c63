"""The tracking head of MaskTrack R-CNN (Yang, Fan and Xu 2019, section 4.1), on features that are there already.

Two fully connected layers look at the features of an object, pooled over its mask: those of this package's network,
whose backbone and pyramid stay as they are. It learns from pairs of frames: objects of the one are what is remembered,
those of the other are told to be one of them or new, eq. (1), with the cross entropy of section 4.2.

Legend: B clips, K instances, N detections, M remembered objects, C channels, D dimensions, h w cells at stride 16.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.config import ModelConfig, model_from_json
from chronomask.config.checks import at_least
from chronomask.errors import InputError, words_of
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.model.checkpoint import load_checkpoint
from chronomask.model.class_scores import shares_of_cells
from chronomask.model.network import Network
from chronomask.training.targets import Batch


@dataclass(frozen=True)
class AssociationConfig:
    """The head, and the network whose features it reads.

    Attributes:
        model: of the network.
        hidden: channels between the two layers.
        dimensions: D.
    """

    model: ModelConfig
    hidden: int = 128
    dimensions: int = 64

    def __post_init__(self) -> None:
        at_least(self, 1, "hidden", "dimensions")


class AssociationNetwork(BackboneNetwork):
    """A tracking head and what it reads: backbone and pyramid of a network, which are not trained.

    Args:
        config: of both.
        network: whose features are read; of random weights, to be loaded, where there is none.
    """

    FORMAT = "chronomask-association-1"
    config: AssociationConfig

    def __init__(self, config: AssociationConfig, network: Network | None = None) -> None:
        seen = network or Network(config.model)
        super().__init__(config, seen.backbone)
        self.fpn = seen.fpn.requires_grad_(False)
        self.head = nn.Sequential(
            nn.Linear(config.model.channels, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.dimensions)
        )

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss over a batch of pairs of frames, the first of which is remembered; and how many are right."""
        length = batch.frames.shape[1]
        with torch.no_grad():
            features = self.fpn(self._run_backbone(batch.frames.flatten(0, 1)))[2].unflatten(0, (-1, length))
        found = [self._pair(features[k], targets.masks) for k, targets in enumerate(batch.targets)]
        losses, right = (torch.cat(values) for values in zip(*found, strict=True))
        nothing = features.sum() * 0 + sum(p.sum() * 0 for p in self.head.parameters())
        loss = losses.mean() if len(losses) else nothing
        return {"association": loss, "right": right.mean() if len(right) else nothing.detach(), "loss": loss}

    def _pair(
        self, features: Float[Tensor, "2 C h w"], masks: Bool[Tensor, "K 2 _ _"]
    ) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
        """Of every object of the second frame its cross entropy, and whether it goes where it belongs."""
        seen = masks.flatten(2).any(2)
        remembered, asked = (torch.nonzero(seen[:, frame])[:, 0] for frame in (0, 1))
        old, new = (
            self.head(pooled(features[frame].float(), masks[which, frame]))
            for frame, which in enumerate((remembered, asked))
        )
        products = F.pad(new @ old.T, (1, 0))  # "new" first, whose product is 0
        where = asked[:, None] == remembered
        truth = torch.where(where.any(1), where.float().argmax(1) + 1 if len(remembered) else 0, 0)
        return F.cross_entropy(products, truth, reduction="none"), (products.argmax(1) == truth).float()

    @torch.no_grad()
    def embedded(self, features: Float32[np.ndarray, "N C"]) -> Float32[np.ndarray, "N D"]:
        """What is compared of detections; see `mask_track.Embed`.

        Raises:
            InputError: features of another length than those of the network that the head was trained on.
        """
        if features.shape[1] != self.config.model.channels:
            known = self.config.model.channels
            raise InputError(f"features of detections have {features.shape[1]} numbers, this head reads {known}")
        return self.head(torch.from_numpy(features)).numpy()


def pooled(features: Float[Tensor, "C h w"], masks: Bool[Tensor, "K _ _"]) -> Float[Tensor, "K C"]:
    """Mean features at stride 16 of masks at stride 4, each cell by the share of it that a mask covers."""
    shares = shares_of_cells(masks[:, None].float())[:, 0]
    sums = torch.einsum("khw,chw->kc", shares, features[:, : shares.shape[1], : shares.shape[2]])
    return sums / shares.flatten(1).sum(1, keepdim=True).clamp(min=1e-6)


def load_association(path: Path) -> AssociationNetwork:
    """A trained head.

    Raises:
        InputError: as `load_checkpoint`.
    """
    return load_checkpoint(path, AssociationNetwork, _network_for)


def _network_for(text: str, tensors: Mapping[str, Tensor]) -> AssociationNetwork:
    try:
        fields = json.loads(text)
        fields["model"] = model_from_json(json.dumps(fields["model"]))
        config = AssociationConfig(**fields)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise InputError(f"configuration: {words_of(error)}") from error
    return AssociationNetwork(config)


def association_of(network: Network) -> AssociationNetwork:
    """A new head for the features of a network."""
    return AssociationNetwork(AssociationConfig(network.config), network)
