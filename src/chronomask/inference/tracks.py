"""What is known of the tracks of a video: the evidence of every clip, and the verdict that it gives.

Legend: L classes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from chronomask.data.categories import OBJECT, Category
from chronomask.structures import Tube


@dataclass(slots=True)
class TrackSummary:
    """What is known of a track so far; every clip adds its evidence, weighted by its pixels.

    One stays in memory for every track of a video, however long ago it was seen: half a kilobyte.

    Attributes:
        id: of the track, from 1.
        class_evidence: sum over clips of class probabilities x stride-4 pixels.
        object_evidence: sum over clips of the tube's objectness x stride-4 pixels.
        pixels: sum over clips of stride-4 pixels.
    """

    id: int
    class_evidence: Float32[np.ndarray, " L"]
    object_evidence: float = 0.0
    pixels: float = 0.0

    def add(self, tube: Tube) -> None:
        """Takes in the tube of one clip."""
        size = float((tube.probability > 0.5).sum())
        self.class_evidence = self.class_evidence + tube.class_probabilities.float().cpu().numpy() * np.float32(size)
        self.object_evidence += tube.objectness * size
        self.pixels += size

    def verdict(
        self, categories: Sequence[Category], object_below: float, allowed: Collection[str] | None = None
    ) -> tuple[Category, float]:
        """The track's category, and its confidence in [0, 1]: class probability x mean heat x mean membership.

        Where no class reaches the probability `object_below`, the track is an `object`, and that bound stands for the
        class probability: not knowing the name must not hide that something is there.

        Args:
            allowed: names of the classes to choose from; all by default.
        """
        probabilities = self.class_evidence / max(self.pixels, 1.0)
        if allowed is not None:
            probabilities = probabilities * np.array([category.name in allowed for category in categories])
        best = int(probabilities.argmax())
        probability, objectness = float(probabilities[best]), self.object_evidence / max(self.pixels, 1.0)
        category = categories[best] if probability >= object_below else OBJECT
        return category, max(probability, object_below) * objectness


@dataclass(frozen=True)
class TrackInfo:
    """A track as it is reported.

    Attributes:
        id: from 1.
        category: a class, or `object`.
        score: confidence in [0, 1].
    """

    id: int
    category: Category
    score: float
