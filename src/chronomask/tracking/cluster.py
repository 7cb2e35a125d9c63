"""Clustering of one clip, eq. (5) and section 4.5.

Legend: T frames, h w pixels at stride 4, P candidate pixels, E embedding dimensions, F = 2 E, L classes, b d pixels of
a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int64

from chronomask.config import ClusterConfig
from chronomask.embedding import squared_distance
from chronomask.painting import REACH, Box
from chronomask.tracking.class_scores import CELL, class_probabilities
from chronomask.tracking.outputs import ClipOutputs
from chronomask.tracking.tube_score import tube_score, tube_statistics


@dataclass(frozen=True, eq=False)
class Tube:
    """One instance found in one clip: the pixels that the greedy clustering of eq. (7) gave it.

    Attributes:
        box: where it lies, with the margin that painting needs.
        probability: in [0, 1] inside the box; above 0.5 just inside the tube. Half of the lower of membership (eq. 4)
            and foreground, each as a share of its threshold; 0 where other tubes were before.
        class_probabilities: softmax of the class scores averaged over the tube.
        objectness: confidence in [0, 1] that this is one object, whatever its class.
        statistics: what that is computed from, see `TUBE_STATISTICS`.
    """

    box: Box
    probability: Float32[np.ndarray, "T b d"]
    class_probabilities: Float32[np.ndarray, " L"]
    objectness: float
    statistics: Sequence[float] = ()

    @cached_property
    def inside(self) -> Bool[np.ndarray, "T b d"]:
        """The pixels of the tube in its box."""
        return self.probability > 0.5

    def mask(self, shape: tuple[int, ...]) -> Bool[np.ndarray, "T h w"]:
        """The pixels of the tube in a clip of this shape."""
        mask = np.zeros(shape, bool)
        mask[(slice(None), *self.box)] = self.inside
        return mask


def cluster(outputs: ClipOutputs, config: ClusterConfig, coefficients: Sequence[float] = ()) -> list[Tube]:
    """The instances of a clip, in the order found, those that may be no object last; their tubes are disjoint.

    Again and again the pixel of the greatest heat becomes a seed: its embedding is mu, its own variance Sigma (at
    inference eq. 3 has no instance to average over), and the pixels with p > 0.5 (eq. 5) say what they really are. Ends
    when no pixel is hotter, by the seed margin, than it is a member of an instance found. The heat of a pixel was
    taught to be its membership: where it is more, there is the centre of something else. Then each pixel is given to
    the instance of which it is most a member.

    Eq. (7) removes the pixels of an instance before the next seed is looked for instead, so that who comes first keeps
    all that is near: of two objects that touch, both (docs/experiments/who-gets-a-pixel.md).

    Args:
        outputs: of the network for one clip.
        config: thresholds.
        coefficients: of the tubes' score, `ModelConfig.tube_score`.
    """
    pixels = _Candidates.of(outputs, config)
    instances, _ = _instances(pixels, config)
    owners = _owners(pixels, instances, config)
    tubes = _tubes(outputs, pixels, instances, owners, config, coefficients)
    sure = [tube is not None and tube.objectness >= config.sure_objectness for tube in tubes]
    if not all(sure):
        # What is hardly an object (a shadow, a wake) must not keep pixels from what is one.
        first, last = ([i for i, known in zip(instances, sure, strict=True) if known == kind] for kind in (True, False))
        owners, left = _owners(pixels, first, config), _owners(pixels, last, config)
        owners = np.where((owners < 0) & (left >= 0), left + len(first), owners)
        tubes = _tubes(outputs, pixels, first + last, owners, config, coefficients)
    return [tube for tube in tubes if tube is not None and tube.objectness >= config.minimum_objectness]


@dataclass(frozen=True, eq=False)
class _Candidates:
    """The pixels that may belong to a tube, in their order in the clip.

    Attributes:
        features: embedding, and then variance.
        heat: as centre of an instance.
        places: number of the pixel in the clip.
    """

    features: Float32[np.ndarray, "F P"]
    heat: Float32[np.ndarray, " P"]
    places: Int64[np.ndarray, " P"]

    @classmethod
    def of(cls, outputs: ClipOutputs, config: ClusterConfig) -> _Candidates:
        """Those that are likely enough to be of some object."""
        if outputs.foreground is None:
            places = np.arange(outputs.heat.size)
        else:
            places = np.flatnonzero(outputs.foreground > config.foreground_threshold)
        maps = (outputs.embedding, outputs.log_variance, outputs.heat[None])
        embedding, log_variance, heat = (values.reshape(len(values), -1).take(places, 1) for values in maps)
        return cls(np.concatenate([embedding, np.exp(log_variance)]), heat[0], places)

    def instance(self, features: Float32[np.ndarray, " F"]) -> _Instance:
        """The instance of this mean and variance."""
        dimensions = len(features) // 2
        mean, spread, embedding = features[:dimensions], features[dimensions:], self.features[:dimensions]
        return _Instance(mean, spread, np.exp(np.float32(-0.5) * squared_distance(embedding, mean, spread)))

    def seen(self, inside: Bool[np.ndarray, " P"], before: _Instance) -> _Instance:
        """The instance of these pixels; the one before where there are none, for nobody's mean would be NaN."""
        count = np.count_nonzero(inside)
        return self.instance(self.features @ inside.astype(np.float32) / np.float32(count)) if count else before


@dataclass(frozen=True, eq=False)
class _Instance:
    """Where an instance lies in the embedding space, and how much each candidate is a member of it (eq. 4)."""

    mean: Float32[np.ndarray, " E"]
    spread: Float32[np.ndarray, " E"]
    membership: Float32[np.ndarray, " P"]


def _instances(pixels: _Candidates, config: ClusterConfig) -> tuple[list[_Instance], list[int]]:
    """Those found from seeds, and then all taken again from their pixels `refinements` times; and the seeds."""
    found: list[_Instance] = []
    won: list[int] = []
    explained = np.zeros_like(pixels.heat)
    hot = pixels.heat >= config.seed_threshold
    for _ in range(config.maximum_rounds):
        seeds = np.flatnonzero(hot & (pixels.heat - explained > config.seed_margin))
        if not len(seeds):
            break
        seed = seeds[pixels.heat[seeds].argmax()]
        hot[seed] = False  # its instance may move away from it; it must not come up for ever
        instance = pixels.instance(pixels.features[:, seed])
        if config.refinements:
            inside = instance.membership > np.maximum(explained, config.membership_threshold)
            instance = pixels.seen(inside, instance)
        found.append(instance)
        won.append(int(pixels.places[seed]))
        explained = np.maximum(explained, instance.membership)
    owners = np.empty(0, np.int16)
    for _ in range(config.refinements):
        before, owners = owners, _owners(pixels, found, config)
        if np.array_equal(before, owners):
            break  # the same pixels give the same instances for ever
        found = [pixels.seen(owners == number, instance) for number, instance in enumerate(found)]
    return found, won


def _owners(pixels: _Candidates, instances: Sequence[_Instance], config: ClusterConfig) -> Int16[np.ndarray, " P"]:
    """Of every candidate the number of the instance of which it is most a member; -1 if it is of none."""
    owners, most = np.full(len(pixels.heat), -1, np.int16), np.full_like(pixels.heat, config.membership_threshold)
    for number, instance in enumerate(instances):  # several times as fast as argmax over all of them
        np.copyto(owners, number, where=instance.membership > most)
        np.maximum(most, instance.membership, out=most)
    return owners


def _tubes(
    outputs: ClipOutputs,
    pixels: _Candidates,
    instances: Sequence[_Instance],
    owners: Int16[np.ndarray, " P"],
    config: ClusterConfig,
    coefficients: Sequence[float],
) -> list[Tube | None]:
    """Of every instance the tube of the pixels that it owns; None where these are too few."""
    tubes: list[Tube | None] = []
    taken = np.full(outputs.heat.size, -1, np.int16)
    taken[pixels.places] = owners
    taken = taken.reshape(outputs.heat.shape)
    for number, instance in enumerate(instances):
        own = taken == number
        if np.count_nonzero(own) < max(1, config.minimum_pixels):
            tubes.append(None)
            continue
        box = _box(own)
        near = taken[(slice(None), *box)]
        tube = _tube(outputs, (near == -1) | (near == number), box, instance, config, coefficients)
        tubes.append(tube if tube.inside.any() else None)  # rounding may leave nothing of a single pixel
    return tubes


def _box(inside: Bool[np.ndarray, "T h w"]) -> Box:
    """Rows and columns around pixels of a clip, with what painting needs to spare, in whole cells of class scores."""
    _, rows, columns = inside.shape
    y, x = np.flatnonzero(inside.any((0, 2))), np.flatnonzero(inside.any((0, 1)))
    return (
        _whole_cells(int(y[0]) - REACH, int(y[-1]) + 1 + REACH, rows),
        _whole_cells(int(x[0]) - REACH, int(x[-1]) + 1 + REACH, columns),
    )


def _whole_cells(start: int, stop: int, size: int) -> slice:
    return slice(max(0, start) // CELL * CELL, min(size, -(-stop // CELL) * CELL))


def _tube(
    outputs: ClipOutputs,
    free: Bool[np.ndarray, "T b d"],
    box: Box,
    instance: _Instance,
    config: ClusterConfig,
    coefficients: Sequence[float],
) -> Tube:
    """The tube as a smooth probability that exceeds 0.5 just where both thresholds are exceeded and pixels are free.

    Outside the box around its pixels, where nobody looks at it, the probability is not computed.

    Args:
        free: the pixels of the box that are nobody else's.
    """
    near = (slice(None), *box)
    membership = np.exp(
        np.float32(-0.5) * squared_distance(outputs.embedding[:, *near], instance.mean, instance.spread)
    )
    level = membership / np.float32(config.membership_threshold)
    foreground = None if outputs.foreground is None else outputs.foreground[near]
    if foreground is not None:
        level = np.minimum(level, foreground / np.float32(config.foreground_threshold))
    probability = np.minimum(level / 2, np.float32(1)) * free
    return _judged(outputs, box, probability, membership, coefficients)


def _judged(
    outputs: ClipOutputs,
    box: Box,
    probability: Float32[np.ndarray, "T b d"],
    membership: Float32[np.ndarray, "T b d"],
    coefficients: Sequence[float],
) -> Tube:
    """The tube of a probability, with what the network says of the pixels inside."""
    near = (slice(None), *box)
    inside = probability > 0.5
    classes = class_probabilities(outputs, box, inside)
    foreground = None if outputs.foreground is None else outputs.foreground[near]
    statistics = tube_statistics(outputs.heat[near], membership, foreground, inside, classes)
    objectness = tube_score(statistics, coefficients) if coefficients else statistics[2] * statistics[3]
    return Tube(box, probability, classes, objectness, statistics)


def tube_of(
    outputs: ClipOutputs, probability: Float32[np.ndarray, "T h w"], coefficients: Sequence[float] = ()
) -> Tube | None:
    """The tube of an instance that was found otherwise, from its probability; None where no pixel is inside."""
    inside = probability > 0.5
    if not inside.any():
        return None
    box = _box(inside)
    near = probability[(slice(None), *box)]
    return _judged(outputs, box, near, near, coefficients)


class Search(NamedTuple):
    """What `cluster` did, whatever became of it.

    Attributes:
        memberships: of every pixel in every instance (eq. 4) that it found, those that became no tube included.
        seeds: frame, row and column of the pixel that won, by instance.
    """

    memberships: Float32[np.ndarray, "K T h w"]
    seeds: list[tuple[int, int, int]]


def search(outputs: ClipOutputs, config: ClusterConfig) -> Search:
    """The instances of a clip before pixels are given to them."""
    found, won = _instances(_Candidates.of(outputs, config), config)
    levels = [squared_distance(outputs.embedding, instance.mean, instance.spread) for instance in found]
    shape = outputs.heat.shape
    seeds = [(place // (shape[1] * shape[2]), place // shape[2] % shape[1], place % shape[2]) for place in won]
    return Search(np.exp(np.float32(-0.5) * np.array(levels, np.float32).reshape(-1, *shape)), seeds)


def label_map(tubes: Sequence[Tube], shape: tuple[int, ...]) -> Int16[np.ndarray, "T h w"]:
    """0 where no tube is, k + 1 inside tube k, in a clip of this shape."""
    labels = np.zeros(shape, np.int16)
    for number, tube in enumerate(tubes, 1):
        labels[(slice(None), *tube.box)][tube.inside] = number
    return labels
