"""The single-stage network of the paper (section 4, figure 6).

Legend: B clips, T frames, N = B T, H W pixels, h w = H/4 W/4, C channels, E embedding dimensions, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.config import ModelConfig
from chronomask.embedding import STRIDE, coordinates, directed
from chronomask.model.attention import build_attention
from chronomask.model.backbone import build_backbone, recomputed
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.model.convolution import PointwiseConvolution
from chronomask.model.decoder import Decoder
from chronomask.model.flow import FlowAggregation, flows_between, greys_of
from chronomask.model.fpn import FPN
from chronomask.model.squeeze import Squeeze

CLASS_HIDDEN = 256
"""Channels between the backbone's features and the class scores, when the class head reads the backbone."""


@dataclass(frozen=True, eq=False)
class PixelOutputs:
    """What the network says of every pixel of a batch of clips.

    Attributes:
        embedding: position in embedding space; coordinate dimensions in units of half the short side.
        log_variance: logarithm of the variance of each dimension (positive by construction).
        heat: score in [0, 1] as the centre of an instance.
        class_logits: class scores before the softmax, at stride 4 or 16 (`ModelConfig.class_source`).
        foreground_logits: of belonging to any instance, before the sigmoid; None where the model has no such output.
    """

    embedding: Float[Tensor, "B E T h w"]
    log_variance: Float[Tensor, "B E T h w"]
    heat: Float[Tensor, "B T h w"]
    class_logits: Float[Tensor, "B L T hc wc"]
    foreground_logits: Float[Tensor, "B T h w"] | None


class FrameFeatures(NamedTuple):
    """What the frames of some clips give on their own, clip after clip.

    Attributes:
        levels: FPN features of stride 4, 8, 16, 32.
        class_logits: per-frame class scores at stride 16 when the class head reads the backbone, else None.
        greys: brightness at stride 4 where frames are gathered along flow, else None.
    """

    levels: list[Float[Tensor, "N C _ _"]]
    class_logits: Float[Tensor, "N L _ _"] | None
    greys: Float[Tensor, "N 1 _ _"] | None = None


class BackboneClassHead(nn.Module):
    """Class scores from strides 16 and 32 of the backbone, frame by frame.

    Either stride alone names objects worse than both together; averaged over a tube they are the paper's class scores.
    """

    def __init__(self, inputs: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(inputs[0], CLASS_HIDDEN, 1)
        self.coarse = nn.Conv2d(inputs[1], CLASS_HIDDEN, 1)
        self.scores = nn.Conv2d(CLASS_HIDDEN, classes, 1)

    def forward(self, fine: Float[Tensor, "N c h w"], coarse: Float[Tensor, "N d _ _"]) -> Float[Tensor, "N L h w"]:
        return self.scores(self.hidden(fine, coarse))

    def hidden(self, fine: Float[Tensor, "N c h w"], coarse: Float[Tensor, "N d _ _"]) -> Float[Tensor, "N C h w"]:
        """The features that the scores are a linear map of."""
        upsampled = F.interpolate(self.coarse(coarse), size=fine.shape[2:], mode="bilinear", align_corners=False)
        return (self.fine(fine) + upsampled).relu()


class Network(BackboneNetwork):
    """Backbone and FPN frame by frame, Squeezes and attention, decoder, and the pixel heads."""

    FORMAT = "chronomask-1"
    config: ModelConfig

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, build_backbone(config.backbone, config.stride_in_1x1))
        channels, dimensions = config.channels, len(config.embedding)
        self.fpn = FPN(self.backbone.channels, channels)
        fine_first = config.squeezes[::-1]
        self.squeeze = nn.ModuleList(
            nn.Sequential(*(Squeeze(channels, config.norm) for _ in range(count))) for count in fine_first
        )
        self.aggregation = (
            nn.ModuleList(FlowAggregation(channels) for _ in fine_first) if config.aggregation == "flow" else None
        )
        self.attention = nn.ModuleList(
            build_attention(config.attention, channels, config.reduction) for _ in fine_first
        )
        self.decoder = Decoder(len(fine_first), channels, config.norm, config.decoder_activation)
        self.embedding_head = PointwiseConvolution(channels, dimensions)
        self.variance_head = PointwiseConvolution(channels, dimensions)
        self.heat_head = PointwiseConvolution(channels, 1)
        self.foreground_head = PointwiseConvolution(channels, 1) if config.foreground else None
        classes = len(config.categories) + config.others
        self.class_head: nn.Module
        if config.class_source == "backbone":
            self.class_head = BackboneClassHead(self.backbone.channels[2:], classes)
        else:
            self.class_head = PointwiseConvolution(channels, classes)
        self._initialise_heads()

    def fixed_parameters(self) -> list[nn.Parameter]:
        """The class head, where it tells its classes from everything else: training clips show nothing else."""
        return list(self.class_head.parameters()) if self.config.others else []

    def _initialise_heads(self) -> None:
        # sigma about 0.3 of half the short side: neither every pixel nor none is a member at the first step.
        nn.init.normal_(self.variance_head.weight, std=0.001)
        nn.init.constant_(self.variance_head.get_parameter("bias"), 2 * log(0.3))
        nn.init.normal_(self.embedding_head.weight, std=0.01)
        nn.init.zeros_(self.embedding_head.get_parameter("bias"))
        nn.init.constant_(self.heat_head.get_parameter("bias"), -1.0)

    def forward(self, frames: UInt8[Tensor, "B T 3 H W"], size: tuple[int, int] | None = None) -> PixelOutputs:
        """All pixel outputs for a batch of clips of any length and size.

        Frames are padded at the right and bottom to multiples of 32; the outputs are cropped back to ceil(size / 4).

        Args:
            frames: RGB 0-255.
            size: (height, width) of the part of `frames` that is not padding already; all of it by default.
        """
        clips, _, _, height, width = frames.shape
        size = size or (height, width)
        features = self.encode(frames.flatten(0, 1))
        return self.decode(features, clips, size)

    def encode(self, frames: UInt8[Tensor, "N 3 H W"]) -> FrameFeatures:
        """The part that looks at every frame alone: backbone, FPN and, for `class_source="backbone"`, class scores."""
        height, width = frames.shape[2:]
        padded = F.pad(frames, (0, -width % 32, 0, -height % 32))
        features = self._run_backbone(padded)
        logits = None
        if isinstance(self.class_head, BackboneClassHead):
            logits = self.class_head(features[2], features[3])
        greys = None if self.aggregation is None else greys_of(padded)
        return FrameFeatures(self.fpn(features), logits, greys)

    def decode(self, features: FrameFeatures, clips: int, size: tuple[int, int]) -> PixelOutputs:
        """The part that looks at clips: Squeezes, attention, decoder, heads.

        Args:
            features: of the frames of all clips, clip after clip.
            clips: B, how many clips of equal length `features` holds.
            size: (height, width) of the frames before padding.
        """
        levels = []
        own = [_frames_to_clips(level, clips) for level in features.levels]
        if self.aggregation is not None and features.greys is not None:
            flows = torch.stack([flows_between(greys) for greys in features.greys.unflatten(0, (clips, -1))])
            own = [gather(level, flows) for gather, level in zip(self.aggregation, own, strict=True)]
        for level, squeeze, attention in zip(own, self.squeeze, self.attention, strict=True):
            squeezed = squeeze(level)
            levels.append(recomputed(attention, squeezed) if self._gradient_checkpointing else attention(squeezed))
        x = self.decoder(levels)
        crop = _crop(size, STRIDE)
        if features.class_logits is None:
            class_logits = self.class_head(x)[crop]
        else:
            class_logits = _frames_to_clips(features.class_logits, clips)[_crop(size, 16)]
        foreground = None if self.foreground_head is None else self.foreground_head(x)[crop].squeeze(1).float()
        return PixelOutputs(
            embedding=placed(self.embedding_head(x)[crop].float(), self.config.embedding, size),
            log_variance=self.variance_head(x)[crop].float(),
            heat=self.heat_head(x)[crop].squeeze(1).float().sigmoid(),
            class_logits=class_logits.float(),
            foreground_logits=foreground,
        )


def placed(
    offsets: Float[Tensor, "B E T h w"], dimensions: Sequence[str], size: tuple[int, int]
) -> Float[Tensor, "B E T h w"]:
    """The embedding: offsets, bounded where they belong to a coordinate, plus the coordinates of the pixels."""
    pairs = zip(offsets.unbind(1), dimensions, strict=True)
    bounded = [x if name in ("free", "unit") else x.tanh() for x, name in pairs]
    places = torch.from_numpy(coordinates(dimensions, *offsets.shape[2:], size)).to(offsets.device)
    embedding = torch.stack(bounded, 1) + places
    if "unit" in dimensions:
        unit = torch.tensor([float(name == "unit") for name in dimensions], device=offsets.device)
        return directed(embedding.transpose(0, 1), unit).transpose(0, 1)
    return embedding


def _crop(size: tuple[int, int], stride: int) -> tuple[Any, ...]:
    """An index that leaves out the cells of the padding, for frames of this size."""
    return (..., slice(-(-size[0] // stride)), slice(-(-size[1] // stride)))


def _frames_to_clips(x: Float[Tensor, "N C h w"], clips: int) -> Float[Tensor, "B C T h w"]:
    # A view: channels_last frames are channels_last_3d clips.
    return x.unflatten(0, (clips, -1)).transpose(1, 2)
