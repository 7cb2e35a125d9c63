"""A clip made ready for prompts: what every prompted object needs of it, computed once.

Legend: T frames of a clip, h w pixels at stride 4, E embedding dimensions, K instances, C channels, N pixels,
A values of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from chronomask.config import ClusterConfig
from chronomask.embedding import STRIDE
from chronomask.painting import enlarged
from chronomask.tracking.class_scores import CELL
from chronomask.tracking.cluster import Search, Tube, search, tube_of
from chronomask.tracking.memory import Look, look_of
from chronomask.tracking.outputs import Sight

ALIKE_EMBEDDED, ALIKE_FINE = 0.1, 0.5
"""Distances in the embedding, and root mean squares of those in standardised features, at which pixels are alike."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip, and what the clustering found in it.

    Attributes:
        sight: what the network says of it.
        pictures: its frames, as the network saw them.
        tubes: what the clustering found.
        config: of the clustering.
        dimensions: of the embedding, see `ModelConfig.embedding`.
        coefficients: of the tubes' score, `ModelConfig.tube_score`.
        cuts: numbers of the frames, of the clip, with which a new shot begins.
    """

    sight: Sight
    pictures: Sequence[UInt8[np.ndarray, "3 _ _"]]
    tubes: Sequence[Tube]
    dimensions: Sequence[str]
    config: ClusterConfig
    coefficients: Sequence[float] = ()
    cuts: Sequence[int] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """T, h and w."""
        return self.sight.outputs.heat.shape

    @property
    def shots(self) -> list[slice]:
        """The frames of every shot in the clip."""
        return [slice(begin, end) for begin, end in pairwise([0, *self.cuts, self.shape[0]])]

    @property
    def placed(self) -> Bool[np.ndarray, " E"]:
        """Which dimensions of the embedding are coordinates."""
        return np.array([name != "free" for name in self.dimensions])

    @cached_property
    def search(self) -> Search:
        """What the clustering did."""
        return search(self.sight.outputs, self.config)

    @property
    def instances(self) -> Float32[np.ndarray, "K T h w"]:
        """Membership of every pixel in every instance of the clustering, also in those that became no tube."""
        return self.search.memberships

    @cached_property
    def owners(self) -> Int64[np.ndarray, "T h w"]:
        """Of every pixel the number of the instance of which it is most a member; -1 if it is of none."""
        nobody = np.full((1, *self.shape), self.config.membership_threshold, np.float32)
        return np.concatenate([nobody, self.instances]).argmax(0) - 1

    @cached_property
    def foreground(self) -> Float32[np.ndarray, "T h w"]:
        """Logit of the foreground probability, at most 8 either way; 0 without such an output."""
        if self.sight.outputs.foreground is None:
            return np.zeros(self.shape, np.float32)
        shares = np.clip(self.sight.outputs.foreground, 1e-4, 1 - 1e-4)
        return np.clip(np.log(shares / (1 - shares)), -8, 8)

    @cached_property
    def variance(self) -> Float32[np.ndarray, "E T h w"]:
        """Of every pixel."""
        return np.exp(self.sight.outputs.log_variance)

    @cached_property
    def colours(self) -> Float32[np.ndarray, "3 T h w"]:
        """Mean colour of every pixel at stride 4, 0 to 1."""
        length, rows, columns = self.shape
        pixels = np.stack(self.pictures)[:, :, : rows * STRIDE, : columns * STRIDE]
        cells = pixels.reshape(length, 3, rows, STRIDE, columns, STRIDE).mean((3, 5), dtype=np.float32)
        return np.ascontiguousarray(cells.swapaxes(0, 1)) / np.float32(255)

    @cached_property
    def looks(self) -> Float32[np.ndarray, "C T hc wc"]:
        """The level of stride 16 within the frame, standardised over the clip."""
        rows, columns = (-(-side // CELL) for side in self.shape[1:])
        return _standardised(self.sight.looks.swapaxes(0, 1)[:, :, :rows, :columns])

    @cached_property
    def fine(self) -> Float32[np.ndarray, "C T h w"]:
        """The level of stride 4, standardised over the clip; of no channels where the network does not give it."""
        if self.sight.fine is None:
            return np.zeros((0, *self.shape), np.float32)
        level = self.sight.fine.swapaxes(0, 1)[:, :, : self.shape[1], : self.shape[2]]
        return _standardised(level.astype(np.float32))

    @cached_property
    def likeness(self) -> tuple[Float32[np.ndarray, "_ _ _"], ...]:
        """Of neighbours along frames, rows and columns, above 0 to 1: by embedding, features and colour."""
        colours = self.colours / (self.colours.std() + np.float32(1e-6))
        found = []
        for axis in (1, 2, 3):
            away = sum(
                ((np.diff(values, axis=axis) / np.float32(scale)) ** 2).sum(0)
                for values, scale in (
                    (colours, 1),
                    (self.sight.outputs.embedding, ALIKE_EMBEDDED),
                    (self.fine, ALIKE_FINE * max(1, len(self.fine)) ** 0.5),
                )
            )
            found.append(np.maximum(np.exp(-away), np.float32(1e-4)))
        return tuple(found)

    @cached_property
    def _looks_of_pixels(self) -> tuple[np.ndarray, ...]:
        """What a linear classifier may look at, as far as it is at stride 4: embedding, features and colour."""
        embedding, colours = self.sight.outputs.embedding * np.float32(3), _standardised(self.colours)
        return embedding, embedding**2, self.fine, colours, colours**2

    def appearance(self, places: Int64[np.ndarray, " N"]) -> Float32[np.ndarray, "A N"]:
        """What a linear classifier may look at, of pixels by their numbers in the clip."""
        frame, row, column = np.unravel_index(places, self.shape)
        parts = [values.reshape(len(values), prod(self.shape)).take(places, 1) for values in self._looks_of_pixels]
        ones = np.ones((1, len(places)), np.float32)
        return np.concatenate([*parts, self.looks[:, frame, row // CELL, column // CELL], ones])

    def weighed(self, weights: Float32[np.ndarray, " A"]) -> Float32[np.ndarray, "T h w"]:
        """The sum of what `appearance` gives, by weights, of every pixel."""
        values = (*self._looks_of_pixels, self.looks)
        shares = np.split(weights[:-1], np.cumsum([len(some) for some in values])[:-1])
        *fine, coarse = (np.tensordot(share, some, 1) for share, some in zip(shares, values, strict=True))
        return sum(fine, weights[-1]) + coarse.repeat(CELL, 1).repeat(CELL, 2)[:, : self.shape[1], : self.shape[2]]

    def on_pixels(self, cells: Float32[np.ndarray, "T hc wc"]) -> Float32[np.ndarray, "T h w"]:
        """Values at stride 16, interpolated at stride 4."""
        return enlarged(cells, CELL)[:, : self.shape[1], : self.shape[2]]

    def tube(self, level: Float32[np.ndarray, "T h w"]) -> Tube | None:
        """What is inside of a level, as a tube; None where nothing is."""
        return tube_of(self.sight.outputs, level, self.coefficients)

    def look(self, tube: Tube) -> Look:
        """Of a tube of this clip."""
        return look_of(tube, self.sight.looks)


def _standardised(values: Float32[np.ndarray, "C T _ _"]) -> Float32[np.ndarray, "C T _ _"]:
    """Every channel with mean 0 and deviation 1."""
    flat = values.reshape(len(values), prod(values.shape[1:]))  # of one piece: all that follows is faster with it
    mean, deviation = flat.mean(1, keepdims=True), flat.std(1, keepdims=True)
    return ((flat - mean) / (deviation + np.float32(1e-6))).reshape(values.shape)
