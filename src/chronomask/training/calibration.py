"""Fits the score of tubes (`tracking/tube_score.py`), so that it says how likely a tube is right.

Legend: N tubes, S statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float64
from torch import Tensor
from torch.nn import functional as F

from chronomask.config import ClusterConfig, MixtureConfig
from chronomask.data.mixture import ClipMixture
from chronomask.data.protocol import WeightedSource
from chronomask.errors import InputError
from chronomask.losses import Targets
from chronomask.model.network import STRIDE, Network
from chronomask.tracking.cluster import Tube, cluster
from chronomask.training.objective import tracked_outputs
from chronomask.training.targets import collate

Judged: TypeAlias = tuple[list[float], bool]
"""Statistics of a tube, and whether it covers an object."""

DECAY = 1e-3
"""Weight of the squared coefficients of the standardised statistics, beside the mean cross entropy."""


@torch.no_grad()
def judged_tubes(
    network: Network, sources: Sequence[WeightedSource], data: MixtureConfig, clips: int, seed: int
) -> Iterator[list[Judged]]:
    """For one drawn clip after the other, statistics of every tube found and whether it is right.

    That is, whether it covers an instance with an IoU of 0.5.

    A tube that covers none, but lies mostly where nobody said what there is, says nothing and is left out.

    Args:
        network: in eval mode.
        sources: annotated data.
        data: what the clips look like.
        clips: how many are drawn.
        seed: of all chance.
    """
    mixture = ClipMixture(sources, data, seed, clips)
    for number in range(clips):
        batch = collate([mixture[number]], STRIDE)
        outputs = tracked_outputs(network(batch.frames), 0)
        answers = [(tube, _is_right(tube, batch.targets[0])) for tube in cluster(outputs, ClusterConfig())]
        yield [(list(tube.statistics), right) for tube, right in answers if right is not None]


def _is_right(tube: Tube, targets: Targets) -> bool | None:
    """Whether a tube covers one object; None where the annotation does not tell."""
    inside = torch.from_numpy(tube.mask(tuple(targets.ignore.shape)))
    common = (targets.masks & inside).flatten(1).sum(1)
    union = (targets.masks & ~targets.ignore | inside & ~targets.ignore).flatten(1).sum(1)
    if bool((common > 0.5 * union).any()):
        return True
    told = (targets.masks.any(0) | targets.background) & inside
    return False if int(told.sum()) >= 0.5 * int(inside.sum()) else None


def fit_tube_score(judged: Sequence[Judged]) -> tuple[float, ...]:
    """Coefficients of the logistic regression, in the order of `TUBE_STATISTICS`.

    Raises:
        InputError: no tube is right, or none is wrong: there is nothing to tell apart.
    """
    right = torch.tensor([answer for _, answer in judged])
    if not judged or right.all() or not right.any():
        raise InputError(
            f"of {len(judged)} tubes {int(right.sum())} cover an object: a score is learnt from right and wrong ones"
        )
    statistics = torch.tensor([values[1:] for values, _ in judged], dtype=torch.float64)
    mean, spread = statistics.mean(0), statistics.std(0, correction=0).clamp(min=1e-6)
    weights = _logistic_regression((statistics - mean) / spread, right)
    slopes = weights[1:] / spread
    return (float(weights[0] - slopes @ mean), *slopes.tolist())


def _logistic_regression(x: Float64[Tensor, "N S"], right: Bool[Tensor, " N"]) -> Float64[Tensor, " S+1"]:
    """Fits a logistic regression: the constant, and then a weight for every column."""
    weights = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = weights[0] + x @ weights[1:]
        value = F.binary_cross_entropy_with_logits(logits, right.double()) + DECAY * weights[1:].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return weights.detach()


def calibrated(network: Network, coefficients: tuple[float, ...]) -> Network:
    """A copy of a network that scores tubes so."""
    copy = Network(replace(network.config, tube_score=coefficients))
    copy.load_state_dict(network.state_dict())
    return copy.eval()
