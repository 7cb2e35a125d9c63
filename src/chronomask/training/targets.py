"""From clips to what the losses compare with.

Legend: B clips, T frames, H W pixels, K instances, s stride of the losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.losses import Targets
from chronomask.structures import Clip


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips of one size, ready for a training step.

    Attributes:
        frames: RGB 0-255.
        targets: one a clip.
        sources: where each clip came from, for messages.
    """

    frames: UInt8[Tensor, "B T 3 H W"]
    targets: list[Targets]
    sources: list[str]


def make_targets(clip: Clip, stride: int) -> Targets:
    """Truth at the stride of the losses; whoever holds most of a cell owns it: an instance, nobody, or ignored."""
    ignored = _shares(clip.ignore[None], stride)
    instances = _shares(clip.masks & ~clip.ignore, stride)
    nobody = 1 - ignored - instances.sum(0, keepdim=True)
    owner = torch.cat([nobody, ignored, instances]).argmax(0)
    count = clip.masks.shape[0]
    unknown = _shares(clip.unknown[None], stride)[0] > 0.5
    return Targets(
        masks=owner == torch.arange(2, count + 2).view(-1, 1, 1, 1),
        class_ids=clip.class_ids,
        ignore=owner == 1,
        background=(owner == 0) & ~unknown,
    )


def _shares(masks: Tensor, stride: int) -> Float[Tensor, "K T h w"]:
    # ceil_mode counts only existing pixels of the cells at the border.
    return F.avg_pool2d(masks.float(), stride, ceil_mode=True) if len(masks) else masks[..., ::stride, ::stride].float()


def collate(clips: Sequence[Clip], stride: int) -> Batch:
    """A batch of equally sized clips."""
    return Batch(
        frames=torch.stack([clip.frames for clip in clips]),
        targets=[make_targets(clip, stride) for clip in clips],
        sources=[clip.source for clip in clips],
    )
