"""OSMN: Yang, Wang, Xiong, Yang and Katsaggelos, "Efficient video object segmentation via network modulation" (2018).

A network segments the frame; two others tell it what to look for. The visual modulator looks at the object in its first
frame, cut out on a plain ground, and gives a factor for every channel of every level; the spatial modulator turns a
Gaussian about where the object was a frame ago into an addend for every pixel (eq. 2: y = gamma x + beta). One pass a
frame, no fine-tuning.

Other than in the paper, where both networks are VGG-16s of their own, the visual modulator reads the coarsest features
of the backbone that segments, and levels of a pyramid are modulated; several objects share what is computed of a frame.

Legend: K objects, C channels, H W pixels, h w = H/4 W/4, S side of the cut-out.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.baselines.propagation.network import (
    Levels,
    PropagationConfig,
    PropagationNetwork,
    resized,
)
from chronomask.model.backbone import Backbone

GUIDE = 128
"""Side of the picture of an object, in pixels; 224 in the paper."""

GREY = 127

SHIFT, SCALE = 0.2, 0.4
"""In training, where the object was is told wrong: shifted by up to this share of its size, and grown or shrunk."""


Guides = Float[Tensor, "K 4 C"]
"""What is kept of objects: a factor for every channel of every level."""


class Osmn(PropagationNetwork):
    """The network that segments, and its two modulators."""

    FORMAT = "chronomask-osmn-1"

    def __init__(self, config: PropagationConfig, backbone: Backbone | None = None) -> None:
        super().__init__(config, backbone)
        channels = config.channels
        self.visual = nn.Linear(self.backbone.channels[3], 4 * channels)
        self.spatial = nn.ModuleList(nn.Conv2d(1, channels, 1) for _ in range(4))
        self.refine = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(4))
        self.score = nn.Conv2d(channels, 1, 1)
        for part in (self.visual, *self.spatial):  # at first nothing is modulated
            nn.init.normal_(part.get_parameter("weight"), std=0.01)
            nn.init.zeros_(part.get_parameter("bias"))

    def begun(self, frame: UInt8[Tensor, "3 H W"], levels: Levels, masks: Bool[Tensor, "K h w"]) -> Guides:
        """The visual modulator, on objects of a frame; each has a pixel at least."""
        pictures = torch.stack([cut_out(frame, mask) for mask in masks])
        deepest = self._run_backbone(pictures)[3].mean((2, 3))
        return 1 + self.visual(deepest).unflatten(1, (4, -1))

    def logits(self, guides: Guides, levels: Levels, places: Float[Tensor, "K h w"]) -> Float[Tensor, "K h w"]:
        """Of one frame, whose levels they are, whether a pixel belongs to each object.

        Args:
            places: the spatial guide, `place_of`.
        """
        x: Tensor | None = None
        for number in (3, 2, 1, 0):
            level = levels[number]
            size = level.shape[2:]
            modulated = guides[:, number, :, None, None] * level
            modulated = modulated + self.spatial[number](resized(places, size)[:, None])
            if x is not None:
                modulated = modulated + F.interpolate(x, size=size, mode="bilinear", align_corners=False)
            x = self.refine[number](modulated).relu()
        return self.score(x)[:, 0]

    def step(self, state: Guides, levels: Levels, masks: Bool[Tensor, "K h w"]) -> Float[Tensor, "K h w"]:
        places = torch.stack([place_of(mask) for mask in masks])
        likely = self.logits(state, levels, places).float().sigmoid()
        return likely * (likely == likely.amax(0))

    def clip_loss(
        self,
        frames: UInt8[Tensor, "3 3 H W"],
        levels: Levels,
        masks: Bool[Tensor, "K 3 h w"],
        known: Bool[Tensor, "h w"],
    ) -> Tensor:
        # Where it was a frame ago; where it could not be seen then, where it was shown.
        before = torch.where(masks[:, 1].flatten(1).any(1)[:, None, None], masks[:, 1], masks[:, 0])
        places = torch.stack([place_of(mask, disturbed=True) for mask in before])
        logits = self.logits(self.begun(frames[0], levels, masks[:, 0]), [level[2:] for level in levels], places)
        return torch.stack(
            [balanced_loss(one, mask, known) for one, mask in zip(logits, masks[:, 2], strict=True)]
        ).mean()


def balanced_loss(
    logits: Float[Tensor, "h w"], mask: Bool[Tensor, "h w"], known: Bool[Tensor, "h w"]
) -> Float[Tensor, ""]:
    """Cross entropy in which the object counts as much as all else, but for its share's root of the frame.

    The papers balance them fully (Caelles et al. 2017), after which masks swell where a pixel's only question is
    whether it exceeds one half; with the root of the shares they do so less.
    """
    inside, outside = mask & known, ~mask & known
    share = inside.sum().clamp(min=1) / known.sum().clamp(min=1)
    weight = inside / share.sqrt() + outside / (1 - share).clamp(min=1e-3).sqrt()
    losses = F.binary_cross_entropy_with_logits(logits.float(), mask.float(), reduction="none")
    return (losses * weight).sum() / weight.sum().clamp(min=1e-6)


def place_of(mask: Bool[Tensor, "h w"], disturbed: bool = False) -> Float[Tensor, "h w"]:
    """The spatial guide: a 2-D Gaussian of the mean and the deviations of the mask's pixels, 1 at its middle.

    Where there is no pixel it is 0 everywhere: the object may be anywhere.

    Args:
        disturbed: shift and scale it by chance, as what is predicted is not right either.
    """
    places = torch.nonzero(mask).float()
    if not len(places):
        return torch.zeros(mask.shape, device=mask.device)
    mean, deviation = places.mean(0), places.std(0, correction=0).clamp(min=1)
    if disturbed:
        chance = torch.rand(4, device=mask.device) * 2 - 1
        mean, deviation = mean + chance[:2] * SHIFT * 2 * deviation, deviation * (1 + chance[2:] * SCALE)
    y, x = (torch.arange(side, device=mask.device, dtype=torch.float32) for side in mask.shape)
    squares = ((y - mean[0]) / deviation[0]).square()[:, None] + ((x - mean[1]) / deviation[1]).square()
    return (-squares / 2).exp()


def cut_out(frame: UInt8[Tensor, "3 H W"], mask: Bool[Tensor, "h w"]) -> UInt8[Tensor, "3 S S"]:
    """The visual guide: the object, around which all is grey, in a square picture."""
    rows, columns = (torch.nonzero(mask.any(axis))[:, 0] for axis in (1, 0))
    if not len(rows):
        return torch.full((3, GUIDE, GUIDE), GREY, dtype=torch.uint8, device=frame.device)
    size = 4 * max(int(rows[-1] - rows[0]), int(columns[-1] - columns[0])) + 4
    top, left = (max(0, 2 * int(side[0] + side[-1]) + 2 - size // 2) for side in (rows, columns))
    visible = mask.repeat_interleave(4, 0).repeat_interleave(4, 1)[: frame.shape[1], : frame.shape[2]]
    alone = torch.where(visible, frame[:, : visible.shape[0], : visible.shape[1]], GREY)
    part = alone[:, top : top + size, left : left + size]
    missing = (0, size - part.shape[2], 0, size - part.shape[1])
    square = F.pad(part.float(), missing, value=float(GREY))
    picture = F.interpolate(square[None], (GUIDE, GUIDE), mode="bilinear", align_corners=False, antialias=True)
    return picture[0].round().to(torch.uint8)
