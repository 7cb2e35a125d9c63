"""From clips to what the losses compare with.

Legend: B clips, T frames, H W pixels, K instances, s stride of the losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.data.mixture import Sample
from chronomask.losses import Targets
from chronomask.structures import Clip

MULTIPLE = 32
"""Batches are padded to multiples of the network's coarsest stride."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips of one size, ready for a training step.

    Attributes:
        frames: RGB 0-255.
        targets: one a clip.
        sources: where each clip came from, for messages.
        skipped: what could not be read while these clips were drawn, one message each.
    """

    frames: UInt8[Tensor, "B T 3 H W"]
    targets: list[Targets]
    sources: list[str]
    skipped: list[str] = field(default_factory=list)


def make_targets(clip: Clip, stride: int) -> Targets:
    """Truth at the stride of the losses; whoever holds most of a cell owns it: an instance, nobody, or ignored."""
    ignored = _pixels_a_cell(clip.ignore[None], stride)
    instances = _pixels_a_cell(clip.masks & ~clip.ignore, stride)
    # Cells at the border have fewer pixels.
    all_pixels = _pixels_a_cell(torch.ones_like(clip.ignore[None]), stride)
    nobody = all_pixels - ignored - instances.sum(0, keepdim=True, dtype=torch.uint8)
    most, owner = nobody[0], torch.zeros(nobody.shape[1:], dtype=torch.int16)
    for number, pixels in enumerate(torch.cat([ignored, instances]), 1):
        owner[pixels > most] = number
        most = torch.maximum(most, pixels)
    unknown = 2 * _pixels_a_cell(clip.unknown[None], stride)[0] > all_pixels[0]
    return Targets(
        masks=owner == torch.arange(2, len(instances) + 2).view(-1, 1, 1, 1),
        class_ids=clip.class_ids,
        ignore=owner == 1,
        background=(owner == 0) & ~unknown,
    )


def _pixels_a_cell(masks: Bool[Tensor, "K T H W"], stride: int) -> UInt8[Tensor, "K T h w"]:
    """How many pixels of each `stride` x `stride` cell lie inside; sums of bytes are ten times faster than pooling."""
    missing = (0, -masks.shape[3] % stride, 0, -masks.shape[2] % stride)
    pixels = masks.view(torch.uint8)
    if any(missing):
        pixels = F.pad(pixels, missing)
    rows = sum((pixels[..., offset::stride, :] for offset in range(1, stride)), pixels[..., ::stride, :])
    return sum((rows[..., offset::stride] for offset in range(1, stride)), rows[..., ::stride])


def collate(samples: Sequence[Sample], stride: int) -> Batch:
    """A batch; clips are padded at the right and bottom to the least common multiples of 32, and ignored there."""
    clips = [sample.clip for sample in samples]
    length = clips[0].frames.shape[0]
    height, width = (-(-max(clip.frames.shape[axis] for clip in clips) // MULTIPLE) * MULTIPLE for axis in (2, 3))
    # Colours last in memory, as they come: the frames are copied as they are.
    frames = torch.zeros(len(clips), length, height, width, 3, dtype=torch.uint8)
    for place, clip in zip(frames, clips, strict=True):
        place[:, : clip.frames.shape[2], : clip.frames.shape[3]] = clip.frames.permute(0, 2, 3, 1)
    size = (height // stride, width // stride)
    return Batch(
        frames=frames.permute(0, 1, 4, 2, 3),
        targets=[_padded(make_targets(clip, stride), size) for clip in clips],
        sources=[clip.source for clip in clips],
        skipped=[message for sample in samples for message in sample.skipped],
    )


def _padded(targets: Targets, size: tuple[int, int]) -> Targets:
    """Ignored cells at the right and bottom, up to `size`."""
    height, width = targets.ignore.shape[1:]
    margin = (0, size[1] - width, 0, size[0] - height)
    if not any(margin):
        return targets
    return Targets(
        masks=F.pad(targets.masks, margin),
        class_ids=targets.class_ids,
        ignore=F.pad(targets.ignore, margin, value=True),
        background=F.pad(targets.background, margin),
    )
