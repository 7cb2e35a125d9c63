"""From the network's outputs for a batch to the number that training makes small.

Legend: B clips, T frames, H W pixels, c channels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from chronomask.config import LossConfig
from chronomask.losses import ClipOutputs, LossTerms, clip_losses
from chronomask.model.network import PixelOutputs
from chronomask.tracking import outputs as tracking
from chronomask.training.targets import Batch

TERMS = tuple(field.name for field in dataclasses.fields(LossTerms))


def outputs_of_clip(outputs: PixelOutputs, clip: int, size: tuple[int, int] | None) -> ClipOutputs:
    """One clip's outputs, interpolated to `size` if given (losses at a finer stride than the network's)."""
    foreground = outputs.foreground_logits
    return ClipOutputs(
        embedding=_at_size(outputs.embedding[clip], size),
        log_variance=_at_size(outputs.log_variance[clip], size),
        heat=_at_size(outputs.heat[clip][None], size)[0],
        class_logits=_at_size(outputs.class_logits[clip], size),
        foreground_logits=None if foreground is None else _at_size(foreground[clip][None], size)[0],
    )


def tracked_outputs(outputs: PixelOutputs, clip: int) -> tracking.ClipOutputs:
    """One clip's outputs as the tracker reads them."""
    foreground = outputs.foreground_logits
    return tracking.ClipOutputs(
        embedding=outputs.embedding[clip].detach().cpu().numpy(),
        log_variance=outputs.log_variance[clip].detach().cpu().numpy(),
        heat=outputs.heat[clip].detach().cpu().numpy(),
        class_logits=outputs.class_logits[clip].detach().cpu().numpy(),
        foreground=None if foreground is None else foreground[clip].detach().sigmoid().cpu().numpy(),
    )


def _at_size(x: Float[Tensor, "c T _ _"], size: tuple[int, int] | None) -> Float[Tensor, "c T _ _"]:
    if size is None:
        return x
    return F.interpolate(x.transpose(0, 1), size=size, mode="bilinear", align_corners=False).transpose(0, 1)


def batch_losses(outputs: PixelOutputs, batch: Batch, stride: int) -> LossTerms:
    """The terms averaged over the clips, so that batches of any split give the same gradient."""
    terms = []
    for index, targets in enumerate(batch.targets):
        size = None if stride == 4 else (targets.ignore.shape[1], targets.ignore.shape[2])
        terms.append(clip_losses(outputs_of_clip(outputs, index, size), targets))
    return LossTerms(**{name: torch.stack([getattr(t, name) for t in terms]).mean() for name in TERMS})


Objective = Callable[[Callable[..., Any], Batch, LossConfig], dict[str, Tensor]]
"""What training makes small, over the clips of a batch: the terms by name, not weighted, and the last of them, `loss`.

It is given the network, to be called once, in the precision of the run."""


def clip_objective(network: Callable[..., Any], batch: Batch, config: LossConfig) -> dict[str, Tensor]:
    """That of the paper, eq. (6)."""
    terms = batch_losses(network(batch.frames), batch, config.stride)
    return {name: getattr(terms, name) for name in TERMS} | {"loss": weighted_sum(terms, config)}


def weighted_sum(terms: LossTerms, config: LossConfig) -> Tensor:
    """Eq. (6) with its weights, plus the auxiliary terms."""
    return torch.stack([getattr(terms, name) * getattr(config, name) for name in TERMS]).sum()
