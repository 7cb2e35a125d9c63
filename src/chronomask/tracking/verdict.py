"""What is known of the tracks of a video: the evidence of every clip, and the verdict that it gives.

Legend: L classes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from chronomask.categories import OBJECT, Category
from chronomask.results import TrackInfo
from chronomask.tracking.cluster import Tube


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

    def add(self, tube: Tube, size: int) -> None:
        """Takes in the tube of one clip, which has so many stride-4 pixels."""
        self.class_evidence = self.class_evidence + tube.class_probabilities * np.float32(size)
        self.object_evidence += tube.objectness * size
        self.pixels += size

    def verdict(
        self, categories: Sequence[Category], object_below: float, allowed: Collection[str] | None = None
    ) -> TrackInfo:
        """The track's category, its score: the mean objectness of its tubes, and the probability of the category.

        Where no class reaches the probability `object_below`, the track is an `object`: not knowing the name says
        nothing against the mask, nor does it lower the score.

        Args:
            categories: the network's classes.
            object_below: see SegmentConfig.
            allowed: names of the classes to choose from; all by default. Where the best of them is not the best of
                all, the score shrinks by the ratio of their probabilities.
        """
        probabilities = self.class_evidence / max(self.pixels, 1.0)
        score, surest = self.object_evidence / max(self.pixels, 1.0), float(probabilities.max())
        if allowed is not None:
            probabilities = probabilities * np.array([category.name in allowed for category in categories])
        best = int(probabilities.argmax())
        probability = float(probabilities[best])
        if probability < object_below:
            return TrackInfo(self.id, OBJECT, score, 1 - probability)
        return TrackInfo(self.id, categories[best], score * probability / max(surest, 1e-9), probability)
