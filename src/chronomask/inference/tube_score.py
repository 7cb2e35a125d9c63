"""How likely a tube is to be one object: logistic regression on a few statistics of what the network says inside it.

Mean heat x mean membership ranks tubes, but promises too much for small and ragged ones. The coefficients belong to the
weights that they were fitted for (`training/calibration.py`), and are part of the model's configuration.

Legend: T frames, h w pixels at stride 4, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def tube_statistics(
    heat: Float[Tensor, "T h w"],
    membership: Float[Tensor, "T h w"],
    foreground: Float[Tensor, "T h w"] | None,
    inside: Bool[Tensor, "T h w"],
    class_probabilities: Float[Tensor, " L"],
) -> list[float]:
    """The statistics of `chronomask.config.TUBE_STATISTICS` for one tube.

    Args:
        heat: as centre of an instance, in [0, 1].
        membership: of the tube (eq. 4), in [0, 1].
        foreground: probability; None where the network has no such output, which counts as 1.
        inside: the pixels of the tube.
        class_probabilities: of the tube.
    """
    edges = (inside[:, 1:] != inside[:, :-1]).sum() + (inside[:, :, 1:] != inside[:, :, :-1]).sum()
    known = heat.new_ones(()).expand_as(heat) if foreground is None else foreground
    # One transfer from the device for all of them.
    sums = torch.stack([torch.ones_like(heat), heat, membership, known]).flatten(1) @ inside.flatten().to(heat.dtype)
    *sums, best = torch.cat([sums, torch.stack([edges.to(sums.dtype), class_probabilities.max()])]).tolist()
    size = max(sums[0], 1.0)
    return [1.0, log(size / len(inside)), *(value / size for value in sums[1:]), best]


def tube_score(statistics: Sequence[float], coefficients: Sequence[float]) -> float:
    """Probability that the tube covers one object with an IoU of 0.5: the logistic function of the weighted sum."""
    return 1 / (1 + exp(-sum(c * s for c, s in zip(coefficients, statistics, strict=True))))
