"""FEELVOS: Voigtlaender, Chai, Schroff, Adam, Leibe and Chen, "FEELVOS: Fast end-to-end embedding learning for video
object segmentation" (2019).

Every pixel has an embedding. Its distance, eq. (1), from the nearest pixel of an object in the first frame (global
matching, eq. 2) and from the nearest one close by in the frame before (local matching, eq. 5) are two maps an object;
with the features of the frame and the object's mask in the frame before they go into a small head, the same for all
objects and the background, whose outputs a softmax makes one choice.

Other than in the paper, whose backbone is DeepLabv3+ on Xception, pixels are matched at stride 8: at stride 4 there are
sixteen times as many pairs.

Legend: K objects, K1 the background and K objects, C channels, E dimensions, H W pixels, h w = H/4 W/4, P Q pixels at
stride 8 of this frame and of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

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

DIMENSIONS = 32
"""Of the embedding; 100 in the paper."""

WINDOW = 7
"""How far away, in cells of stride 8, local matching looks; in the paper 15 of stride 4."""

FAR = 100.0
"""A square whose distance is 1."""

LAYERS, KERNEL = 4, 7
"""Depthwise separable convolutions of the head, as in the paper, and their size."""


class Shown(NamedTuple):
    """What is kept of a frame: embeddings at stride 8, and the objects, at stride 4."""

    embedding: Float[Tensor, "E _ _"]
    masks: Bool[Tensor, "K _ _"]


class Carried:
    """What is kept of a video: the first frame, and the one before."""

    def __init__(self, first: Shown) -> None:
        self.first = first
        self.before: Float[Tensor, "E _ _"] = first.embedding


class Feelvos(PropagationNetwork):
    """Embedding, matching, dynamic head."""

    FORMAT = "chronomask-feelvos-1"

    def __init__(self, config: PropagationConfig, backbone: Backbone | None = None) -> None:
        super().__init__(config, backbone)
        channels = config.channels
        self.embedding = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels), nn.ReLU(), nn.Conv2d(channels, DIMENSIONS, 1)
        )
        layers: list[nn.Module] = []
        inputs = channels + 3
        for _ in range(LAYERS):
            layers += [nn.Conv2d(inputs, inputs, KERNEL, padding=KERNEL // 2, groups=inputs), nn.ReLU()]
            layers += [nn.Conv2d(inputs, channels, 1), nn.ReLU()]
            inputs = channels
        self.head = nn.Sequential(*layers, nn.Conv2d(channels, 1, 1))
        # Distances of random embeddings would all be 1, with no gradient.
        self.scale = nn.Parameter(torch.tensor(0.1))

    def embedded(self, levels: Levels) -> Float[Tensor, "N E _ _"]:
        """Embeddings at stride 8."""
        return self.embedding(levels[1]).float() * self.scale

    def logits(
        self, levels: Levels, now: Float[Tensor, "E _ _"], first: Shown, before: Shown
    ) -> Float[Tensor, "K1 h w"]:
        """How strongly pixels of a frame speak for background and objects; `levels` and `now` are its own."""
        size = now.shape[1:]
        to_first = nearest(now, first.embedding, _with_background(first.masks, size))
        near = within(size[0], size[1], now.device)
        to_before = nearest(now, before.embedding, _with_background(before.masks, size), near)
        level = levels[0]
        maps = torch.stack([to_first, to_before], 1).unflatten(2, size)
        maps = F.interpolate(maps, size=level.shape[2:], mode="bilinear", align_corners=False)
        masks = torch.cat([~before.masks.any(0, keepdim=True), before.masks])[:, None].to(level.dtype)
        inputs = torch.cat([level.expand(len(masks), -1, -1, -1), maps.to(level.dtype), masks], 1)
        return self.head(inputs)[:, 0].float()

    def begun(self, frame: UInt8[Tensor, "3 H W"], levels: Levels, masks: Bool[Tensor, "K h w"]) -> Carried:
        return Carried(Shown(self.embedded(levels)[0], masks))

    def step(self, state: Carried, levels: Levels, masks: Bool[Tensor, "K h w"]) -> Float[Tensor, "K h w"]:
        now = self.embedded(levels)[0]
        likely = self.logits(levels, now, state.first, Shown(state.before, masks)).softmax(0)
        state.before = now
        return against_the_best_other(likely)[1:]

    def clip_loss(
        self,
        frames: UInt8[Tensor, "3 3 H W"],
        levels: Levels,
        masks: Bool[Tensor, "K 3 h w"],
        known: Bool[Tensor, "h w"],
    ) -> Tensor:
        first, before, now = self.embedded(levels)
        own = [level[2:] for level in levels]
        logits = self.logits(own, now, Shown(first, masks[:, 0]), Shown(before, masks[:, 1]))
        truth = torch.cat([~masks[:, 2].any(0, keepdim=True), masks[:, 2]]).byte().argmax(0).long()
        # What was not shown is background, as it is for who uses this; what nobody knows enters no loss.
        return F.cross_entropy(logits[None], torch.where(known, truth, -100)[None], ignore_index=-100)


def nearest(
    now: Float[Tensor, "E _ _"],
    other: Float[Tensor, "E _ _"],
    masks: Bool[Tensor, "K1 Q"],
    near: Bool[Tensor, "P P"] | None = None,
) -> Float[Tensor, "K1 P"]:
    """The least distance of every pixel from each object in another frame, eq. (2) and (5); 1 where there is none.

    The distance is 1 - 2 / (1 + exp(|e_p - e_q|^2)), eq. (1), in [0, 1): the least square has the least of them.

    Args:
        now: embedding of this frame.
        other: embedding of the other frame.
        masks: pixels of the objects there.
        near: which pairs count; all where nothing is said.
    """
    mine, theirs = now.flatten(1), other.flatten(1)
    ones = torch.ones_like(mine[:1])
    # |p|^2 - 2 p q + |q|^2 as one product.
    asked = torch.cat([-2 * mine, ones, mine.square().sum(0, keepdim=True)])
    given = torch.cat([theirs, theirs.square().sum(0, keepdim=True), ones])
    least = []
    with torch.autocast(now.device.type, enabled=False):  # differences of large numbers
        for mask in masks:
            squares = given[:, mask].T @ asked
            if near is not None:
                squares = squares.where(near[mask], FAR)
            least.append(squares.amin(0) if len(squares) else torch.full_like(asked[0], FAR))
        return (torch.stack(least).clamp(min=0) / 2).tanh()  # the same number, which does not overflow


@cache
def within(height: int, width: int, device: torch.device) -> Bool[Tensor, "P P"]:
    """Which pairs of cells are close by."""
    row, column = torch.arange(height, device=device), torch.arange(width, device=device)
    rows, columns = ((side[:, None] - side).abs() <= WINDOW for side in (row, column))
    return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(2).flatten(0, 1)


def against_the_best_other(likely: Float[Tensor, "K1 h w"]) -> Float[Tensor, "K1 h w"]:
    """Probabilities against the likeliest other choice alone: above one half just where a choice is the best."""
    if len(likely) < 2:
        return likely
    best, second = likely.topk(2, 0).values
    return likely / (likely + torch.where(likely == best, second, best)).clamp(min=1e-9)


def _with_background(masks: Bool[Tensor, "K h w"], size: Sequence[int]) -> Bool[Tensor, "K1 Q"]:
    """Background and objects at stride 8: a cell is of who has half of it, or is the fullest of a small object."""
    shares = resized(masks.float(), size)
    owned = (shares >= 0.5) | (shares == shares.flatten(1).amax(1)[:, None, None]) & (shares > 0)
    return torch.cat([~owned.any(0, keepdim=True), owned]).flatten(1)
