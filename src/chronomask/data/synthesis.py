"""Motion for stills and videos: coherent affine paths of a camera and of objects copied in (section 5.3).

Legend: T frames, H W pixels, K instances.
"""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Bool, Float, UInt8
from kornia.geometry.transform import warp_affine
from torch import Tensor
from torch.nn import functional as F

from chronomask.config import MotionConfig
from chronomask.data.labels import to_labels, to_masks
from chronomask.structures import Clip


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """One number drawn uniformly from [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator).item()


def smooth_path(length: int, travel: float, sway: float, generator: torch.Generator) -> Float[Tensor, " T"]:
    """A straight line through 0 at the middle of the clip, plus one slow swing: how cameras and objects move."""
    time = torch.linspace(-0.5, 0.5, length) if length > 1 else torch.zeros(1)
    line = uniform(-travel, travel, generator) * time
    frequency, phase = uniform(0.5, 1.5, generator), uniform(0.0, 2 * pi, generator)
    swing = torch.sin(2 * pi * frequency * time + phase) - torch.sin(torch.tensor(phase))
    return line + 0.5 * sway * uniform(-travel, travel, generator) * swing


def motion_matrices(
    length: int,
    source: tuple[float, float],
    target: tuple[float, float],
    scale: float,
    mirror: bool,
    short_side: float,
    motion: MotionConfig,
    generator: torch.Generator,
) -> Float[Tensor, "T 2 3"]:
    """Affine maps from source to target pixels, one a frame, that carry the point `source` along a path at `target`.

    Args:
        source: (x, y) in the source image that moves along the path.
        target: (x, y) where it is at the middle of the clip.
        scale: target pixels a source pixel at the middle of the clip.
        mirror: flip left and right.
        short_side: of the target, the unit of `MotionConfig.shift`.
    """
    x = target[0] + smooth_path(length, motion.shift * short_side, motion.sway, generator)
    y = target[1] + smooth_path(length, motion.shift * short_side, motion.sway, generator)
    angle = smooth_path(length, motion.rotation * pi / 180, motion.sway, generator)
    size = scale * smooth_path(length, motion.zoom, motion.sway, generator).exp()
    cosine, sine = size * angle.cos(), size * angle.sin()
    flip = -1.0 if mirror else 1.0
    linear = torch.stack([torch.stack([flip * cosine, -sine], 1), torch.stack([flip * sine, cosine], 1)], 1)
    offset = torch.stack([x, y], 1) - linear @ torch.tensor(source)
    return torch.cat([linear, offset[:, :, None]], 2)


def warp_clip(clip: Clip, matrices: Float[Tensor, "T 2 3"], height: int, width: int) -> Clip:
    """Moves a clip, or a still for every frame, by one affine map a frame; what lies outside is ignored.

    Pixels are bilinear and reflected beyond the border, so that no black edge teaches the network anything.
    """
    length = matrices.shape[0]
    frames = clip.frames.expand(length, -1, -1, -1)
    labels = to_labels(clip.masks)
    # One float image of integers: nearest sampling keeps them; -1 marks what lies outside after the shift by one.
    flags = labels.to(torch.float32) * 4 + clip.ignore * 2 + clip.unknown + 1
    flags = flags[:, None].expand(length, -1, -1, -1)
    size = (height, width)
    pixels = warp_affine(frames.float(), matrices, size, mode="bilinear", padding_mode="reflection", align_corners=True)
    warped = warp_affine(flags, matrices, size, mode="nearest", padding_mode="zeros", align_corners=True)[:, 0]
    outside = warped < 1
    code = (warped - 1).clamp(min=0).round().to(torch.int16)
    return Clip(
        frames=pixels.round().clamp(0, 255).to(torch.uint8),
        masks=to_masks(code // 4, clip.masks.shape[0]),
        class_ids=clip.class_ids,
        ignore=outside | (code // 2 % 2 == 1),
        unknown=code % 2 == 1,
        source=clip.source,
    )


def paste(
    clip: Clip,
    pixels: UInt8[Tensor, "3 h w"],
    mask: Bool[Tensor, "h w"],
    class_id: int,
    matrices: Float[Tensor, "T 2 3"],
) -> Clip:
    """Lays a cut-out object over a clip on a path of its own; what it hides leaves the other masks.

    Edges are blended over about one pixel, for a hard edge would give the copy away.
    """
    size = (clip.frames.shape[2], clip.frames.shape[3])
    # A margin of repeated colour and empty mask: beyond the crop the object ends, and its edge keeps its colour.
    colour = F.pad(pixels.float()[None], (1, 1, 1, 1), mode="replicate")
    layer = torch.cat([colour, F.pad(mask[None, None].float(), (1, 1, 1, 1))], 1)
    margin = matrices.clone()
    margin[:, :, 2] -= matrices[:, :, :2].sum(2)
    layer = layer.expand(matrices.shape[0], -1, -1, -1)
    warped = warp_affine(layer, margin, size, mode="bilinear", padding_mode="border", align_corners=True)
    alpha = warped[:, 3:]
    frames = torch.lerp(clip.frames.float(), warped[:, :3], alpha)
    inside = alpha[:, 0] > 0.5
    return Clip(
        frames=frames.round().clamp(0, 255).to(torch.uint8),
        masks=torch.cat([clip.masks & ~inside, inside[None]]),
        class_ids=torch.cat([clip.class_ids, torch.tensor([class_id])]),
        ignore=clip.ignore & ~inside,
        unknown=clip.unknown & ~inside,
        source=clip.source,
    )


def drift_colours(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Brightness, contrast, saturation and colour balance, changed for the whole clip and drifting a little within it.

    Args:
        strength: largest relative change; the drift within the clip is a quarter of it.
    """
    length = clip.frames.shape[0]
    time = torch.linspace(-0.5, 0.5, length).view(-1, 1, 1, 1)

    def wander() -> Tensor:
        return uniform(-strength, strength, generator) + uniform(-strength, strength, generator) * 0.25 * time

    pixels = clip.frames.float()
    grey = pixels.mean(1, keepdim=True)
    pixels = grey + (pixels - grey) * (1 + wander())
    level = pixels.mean((1, 2, 3), keepdim=True)
    pixels = level + (pixels - level) * (1 + wander())
    balance = torch.cat([wander() * 0.3 for _ in range(3)], 1) if length else torch.zeros(1)
    pixels = pixels * (1 + wander() + balance)
    frames = pixels.round().clamp(0, 255).to(torch.uint8)
    return Clip(frames, clip.masks, clip.class_ids, clip.ignore, clip.unknown, clip.source)
