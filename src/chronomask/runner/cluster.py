"""Greedy clustering of one clip, eq. (7), as `inference.cluster` does it; that one says why.

Legend: T frames, h w pixels at stride 4, P candidate pixels, E embedding dimensions, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
from jaxtyping import Bool, Float32, Int16

from chronomask.config import ClusterConfig
from chronomask.runner.network import ClipOutputs

CELL = 4
"""Side of a cell at stride 16, in stride-4 pixels."""


@dataclass(frozen=True, eq=False)
class Tube:
    """One instance found in one clip; see `structures.Tube`."""

    probability: Float32[np.ndarray, "T h w"]
    class_probabilities: Float32[np.ndarray, " L"]
    objectness: float


def cluster(outputs: ClipOutputs, config: ClusterConfig, coefficients: Sequence[float]) -> list[Tube]:
    """The instances of a clip, in the order found; their tubes are disjoint. `coefficients` are of the tubes' score."""
    foreground = None if outputs.foreground_logits is None else _sigmoid(outputs.foreground_logits)
    candidates = np.ones(outputs.heat.shape, bool) if foreground is None else foreground > config.foreground_threshold
    embedding = outputs.embedding[:, candidates]
    variance = np.exp(outputs.log_variance[:, candidates])
    heat = outputs.heat[candidates]  # the heat of removed pixels becomes -1
    free = np.ones(outputs.heat.shape, bool)
    tubes: list[Tube] = []
    for _ in range(config.maximum_rounds):
        if heat.size == 0 or heat.max() < config.seed_threshold:
            break
        seed = int(heat.argmax())
        free[candidates] = heat >= 0
        mean, spread, inside = _grow(embedding, variance, heat >= 0, seed, config)
        heat[inside] = -1
        heat[seed] = -1
        if inside.sum() >= max(1, config.minimum_pixels):
            tubes.append(_tube(outputs, foreground, free, mean, spread, config, coefficients))
    return tubes


def label_map(tubes: list[Tube], shape: tuple[int, ...]) -> Int16[np.ndarray, "T h w"]:
    """0 where no tube is, k + 1 inside tube k."""
    labels = np.zeros(shape, np.int16)
    for index, tube in enumerate(tubes):
        labels[tube.probability > 0.5] = index + 1
    return labels


def membership(
    embedding: Float32[np.ndarray, "E *P"], mean: Float32[np.ndarray, " E"], variance: Float32[np.ndarray, " E"]
) -> Float32[np.ndarray, "*P"]:
    """Eq. (4) without its normalising constant, see `gaussian.membership`."""
    distance = sum((plane - mu) ** 2 / v for plane, mu, v in zip(embedding, mean, variance, strict=True))
    return np.exp(-0.5 * np.asarray(distance))


def _grow(
    embedding: Float32[np.ndarray, "E P"],
    variance: Float32[np.ndarray, "E P"],
    free: Bool[np.ndarray, " P"],
    seed: int,
    config: ClusterConfig,
) -> tuple[Float32[np.ndarray, " E"], Float32[np.ndarray, " E"], Bool[np.ndarray, " P"]]:
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
    foreground: Float32[np.ndarray, "T h w"] | None,
    free: Bool[np.ndarray, "T h w"],
    mean: Float32[np.ndarray, " E"],
    spread: Float32[np.ndarray, " E"],
    config: ClusterConfig,
    coefficients: Sequence[float],
) -> Tube:
    """The tube as a smooth probability that exceeds 0.5 just where both thresholds are exceeded and pixels are free."""
    p = membership(outputs.embedding, mean, spread)
    level = p / np.float32(config.membership_threshold)
    if foreground is not None:
        level = np.minimum(level, foreground / np.float32(config.foreground_threshold))
    probability = np.minimum(level / 2, 1) * free
    inside = probability > 0.5
    classes = _class_probabilities(outputs, inside)
    statistics = _statistics(outputs.heat, p, foreground, inside, float(classes.max()))
    return Tube(probability, classes, _objectness(statistics, coefficients))


def _statistics(
    heat: Float32[np.ndarray, "T h w"],
    p: Float32[np.ndarray, "T h w"],
    foreground: Float32[np.ndarray, "T h w"] | None,
    inside: Bool[np.ndarray, "T h w"],
    best: float,
) -> list[float]:
    """What the score of a tube is computed from, in the order of `config.TUBE_STATISTICS`."""
    size = max(1, int(inside.sum()))
    edges = (inside[:, 1:] != inside[:, :-1]).sum() + (inside[:, :, 1:] != inside[:, :, :-1]).sum()
    known = np.ones_like(heat) if foreground is None else foreground
    means = (float(plane[inside].sum(dtype=np.float64)) / size for plane in (heat, p, known))
    return [1.0, log(size / len(inside)), *means, float(edges) / size, best]


def _objectness(statistics: Sequence[float], coefficients: Sequence[float]) -> float:
    """By logistic regression; where nobody fitted one, mean heat x mean membership."""
    if not coefficients:
        return statistics[2] * statistics[3]
    return 1 / (1 + exp(-sum(c * s for c, s in zip(coefficients, statistics, strict=True))))


def _class_probabilities(outputs: ClipOutputs, inside: Bool[np.ndarray, "T h w"]) -> Float32[np.ndarray, " L"]:
    """Softmax of the class scores averaged over the tube; each coarse cell counts by the share that the tube covers."""
    fine = outputs.class_logits.shape[2:] == inside.shape[1:]
    weights = inside.astype(np.float32) if fine else shares_of_cells(inside)
    logits = (outputs.class_logits * weights).sum((1, 2, 3)) / weights.sum()
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


def shares_of_cells(inside: Bool[np.ndarray, "T h w"]) -> Float32[np.ndarray, "T hc wc"]:
    """The share of every cell at stride 16 that a mask covers."""
    frames, height, width = inside.shape
    rows, columns = -(-height // CELL), -(-width // CELL)
    filled = np.pad(inside, ((0, 0), (0, rows * CELL - height), (0, columns * CELL - width)))
    return filled.reshape(frames, rows, CELL, columns, CELL).mean((2, 4), dtype=np.float32)


def _sigmoid(x: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    return 0.5 * np.tanh(0.5 * x) + 0.5  # without the overflow of exp
