"""Greedy clustering of one clip, eq. (7) and section 4.5.

Legend: T frames, h w pixels at stride 4, P candidate pixels, E embedding dimensions, F = 2 E, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int16, Int64
from torch import Tensor

from chronomask.config import ClusterConfig
from chronomask.gaussian import membership
from chronomask.inference.tube_score import tube_score, tube_statistics
from chronomask.losses import ClipOutputs
from chronomask.model.class_scores import CELL, masked_class_logits
from chronomask.painting import REACH
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
    pixels = _Candidates.of(outputs, foreground, config)
    free = torch.ones_like(outputs.heat, dtype=torch.bool)
    tubes: list[Tube] = []
    for _ in range(config.maximum_rounds):
        if len(pixels) == 0 or pixels.heat.max() < config.seed_threshold:
            break
        seed = pixels.heat.argmax()
        mean, spread, inside = _grow(pixels, seed, config)
        if int(inside.sum()) >= max(1, config.minimum_pixels):
            box = _box(pixels.places[inside], outputs.heat.shape)
            tubes.append(_tube(outputs, foreground, free, box, mean, spread, config, coefficients))
        inside[seed] = True  # after a refinement the seed may lie outside; it must not come up for ever
        free.view(-1)[pixels.places[inside]] = False
        pixels = pixels.without(inside)
    return tubes


@dataclass(frozen=True, eq=False)
class _Candidates:
    """The pixels that no tube has taken yet, in their order in the clip: each round looks at fewer.

    Attributes:
        features: embedding, and then variance.
        heat: as centre of an instance.
        places: number of the pixel in the clip.
    """

    features: Float[Tensor, "F P"]
    heat: Float[Tensor, " P"]
    places: Int64[Tensor, " P"]

    @classmethod
    def of(cls, outputs: ClipOutputs, foreground: Float[Tensor, "T h w"] | None, config: ClusterConfig) -> _Candidates:
        """Those that are likely enough to be of some object."""
        chosen = torch.ones_like(outputs.heat, dtype=torch.bool)
        if foreground is not None:
            chosen = foreground > config.foreground_threshold
        places = chosen.flatten().nonzero().flatten()
        # Not by masks, nor by brackets: on CPUs this takes a tenth of the time.
        maps = (outputs.embedding, outputs.log_variance, outputs.heat[None])
        embedding, log_variance, heat = (values.flatten(1).index_select(1, places) for values in maps)
        return cls(torch.cat([embedding, log_variance.exp()]), heat[0], places)

    def __len__(self) -> int:
        return self.heat.shape[0]

    def without(self, taken: Bool[Tensor, " P"]) -> _Candidates:
        """The others."""
        left = (~taken).nonzero().flatten()
        return _Candidates(
            self.features.index_select(1, left), self.heat.index_select(0, left), self.places.index_select(0, left)
        )


def _grow(
    pixels: _Candidates, seed: Int64[Tensor, ""], config: ClusterConfig
) -> tuple[Float[Tensor, " E"], Float[Tensor, " E"], Bool[Tensor, " P"]]:
    """Mean, variance and members of the instance of a seed; taken again from the members `refinements` times."""
    embedding = pixels.features.chunk(2)[0]
    mean, spread = pixels.features[:, seed].chunk(2)
    inside = membership(embedding, mean, spread) > config.membership_threshold
    for _ in range(config.refinements):
        members = inside.to(embedding.dtype)
        # Where there are none left, the mean of nobody must not become one of NaN: all stays as it is.
        count = members.sum()
        means = torch.where(count > 0, pixels.features @ members / count.clamp(min=1), torch.cat([mean, spread]))
        mean, spread = means.chunk(2)
        inside = membership(embedding, mean, spread) > config.membership_threshold
    return mean, spread, inside


def _box(places: Int64[Tensor, " P"], shape: torch.Size) -> tuple[slice, slice]:
    """Rows and columns around pixels of a clip, with what painting needs to spare, in whole cells of class scores."""
    _, rows, columns = shape
    ends = torch.stack([*(places // columns % rows).aminmax(), *(places % columns).aminmax()]).tolist()
    top, bottom, left, right = ends
    return _whole_cells(top - REACH, bottom + 1 + REACH, rows), _whole_cells(left - REACH, right + 1 + REACH, columns)


def _whole_cells(start: int, stop: int, size: int) -> slice:
    return slice(max(0, start) // CELL * CELL, min(size, -(-stop // CELL) * CELL))


def _tube(
    outputs: ClipOutputs,
    foreground: Float[Tensor, "T h w"] | None,
    free: Bool[Tensor, "T h w"],
    box: tuple[slice, slice],
    mean: Float[Tensor, " E"],
    spread: Float[Tensor, " E"],
    config: ClusterConfig,
    coefficients: Sequence[float],
) -> Tube:
    """The tube as a smooth probability that exceeds 0.5 just where both thresholds are exceeded and pixels are free.

    Outside the box around its pixels, where nobody looks at it, the probability is not computed but 0.
    """
    near = (..., *box)
    p = membership(outputs.embedding[near], mean, spread)
    level = p / config.membership_threshold
    if foreground is not None:
        foreground = foreground[near]
        level = torch.minimum(level, foreground / config.foreground_threshold)
    level = (level / 2).clamp(max=1) * free[near]
    inside = level > 0.5
    if outputs.class_logits.shape[2:] == outputs.heat.shape[1:]:
        class_logits = outputs.class_logits[near]
    else:
        class_logits = outputs.class_logits[(..., *(slice(s.start // CELL, -(-s.stop // CELL)) for s in box))]
    classes = masked_class_logits(class_logits, inside).softmax(0)
    statistics = tube_statistics(outputs.heat[near], p, foreground, inside, classes)
    objectness = tube_score(statistics, coefficients) if coefficients else statistics[2] * statistics[3]
    probability = torch.zeros_like(outputs.heat)
    probability[near] = level
    return Tube(probability, classes, objectness, statistics)


def label_map(tubes: list[Tube], like: Float[Tensor, "T h w"]) -> Int16[Tensor, "T h w"]:
    """0 where no tube is, k + 1 inside tube k."""
    labels = torch.zeros_like(like, dtype=torch.int16)
    for index, tube in enumerate(tubes):
        labels.masked_fill_(tube.probability > 0.5, index + 1)
    return labels
