"""Greedy clustering of one clip, eq. (7) and section 4.5.

Legend: T frames, h w pixels at stride 4, P candidate pixels, E embedding dimensions, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int16
from torch import Tensor

from chronomask.config import ClusterConfig
from chronomask.gaussian import membership
from chronomask.inference.tube_score import tube_score, tube_statistics
from chronomask.losses import ClipOutputs
from chronomask.model.class_scores import masked_class_logits
from chronomask.structures import Tube


def cluster(outputs: ClipOutputs, config: ClusterConfig, coefficients: Sequence[float] = ()) -> list[Tube]:
    """The instances of a clip, in the order found; their tubes are disjoint.

    Again and again the free pixel of the greatest heat becomes the seed: its embedding is mu, its own variance Sigma
    (at inference eq. 3 has no instance to average over), every free pixel with p > 0.5 (eq. 5) joins and is removed
    (eq. 7). Ends when no seed reaches the threshold, or no pixel is free.

    Args:
        outputs: of the network for one clip.
        config: thresholds.
        coefficients: of the tubes' score, `ModelConfig.tube_score`.
    """
    foreground = None if outputs.foreground_logits is None else outputs.foreground_logits.sigmoid()
    candidates = torch.ones_like(outputs.heat, dtype=torch.bool)
    if foreground is not None:
        candidates = foreground > config.foreground_threshold
    embedding = outputs.embedding[:, candidates]
    variance = outputs.log_variance[:, candidates].exp()
    heat = outputs.heat[candidates].clone()  # the heat of removed pixels becomes -1
    free = torch.ones_like(candidates)
    tubes: list[Tube] = []
    for _ in range(config.maximum_rounds):
        if heat.numel() == 0 or heat.max() < config.seed_threshold:
            break
        seed = int(heat.argmax())
        free[candidates] = heat >= 0
        mean, spread, inside = _grow(embedding, variance, heat >= 0, seed, config)
        heat[inside] = -1
        heat[seed] = -1  # after a refinement the seed may lie outside; it must not come up for ever
        if int(inside.sum()) < max(1, config.minimum_pixels):
            continue
        tubes.append(_tube(outputs, foreground, free, mean, spread, config, coefficients))
    return tubes


def _grow(
    embedding: Float[Tensor, "E P"],
    variance: Float[Tensor, "E P"],
    free: Bool[Tensor, " P"],
    seed: int,
    config: ClusterConfig,
) -> tuple[Float[Tensor, " E"], Float[Tensor, " E"], Bool[Tensor, " P"]]:
    """Mean, variance and members of the instance of a seed; taken again from the members `refinements` times."""
    mean, spread = embedding[:, seed], variance[:, seed]
    inside = free & (membership(embedding, mean, spread) > config.membership_threshold)
    for _ in range(config.refinements):
        if not inside.any():
            break
        mean, spread = embedding[:, inside].mean(1), variance[:, inside].mean(1)
        inside = free & (membership(embedding, mean, spread) > config.membership_threshold)
    return mean, spread, inside


def _tube(
    outputs: ClipOutputs,
    foreground: Float[Tensor, "T h w"] | None,
    free: Bool[Tensor, "T h w"],
    mean: Float[Tensor, " E"],
    spread: Float[Tensor, " E"],
    config: ClusterConfig,
    coefficients: Sequence[float],
) -> Tube:
    """The tube as a smooth probability that exceeds 0.5 just where both thresholds are exceeded and pixels are free."""
    p = membership(outputs.embedding, mean, spread)
    level = p / config.membership_threshold
    if foreground is not None:
        level = torch.minimum(level, foreground / config.foreground_threshold)
    probability = (level / 2).clamp(max=1) * free
    inside = probability > 0.5
    classes = masked_class_logits(outputs.class_logits, inside).softmax(0)
    statistics = tube_statistics(outputs.heat, p, foreground, inside, classes)
    objectness = tube_score(statistics, coefficients) if coefficients else statistics[2] * statistics[3]
    return Tube(probability, classes, objectness, statistics)


def label_map(tubes: list[Tube], like: Float[Tensor, "T h w"]) -> Int16[Tensor, "T h w"]:
    """0 where no tube is, k + 1 inside tube k."""
    labels = torch.zeros_like(like, dtype=torch.int16)
    for index, tube in enumerate(tubes):
        labels[tube.probability > 0.5] = index + 1
    return labels
