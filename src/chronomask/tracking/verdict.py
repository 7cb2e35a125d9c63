"""What is known of the tracks of a video: the evidence of every clip, and the verdict that it gives.

Legend: L classes, C channels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from chronomask.categories import OBJECT, Category
from chronomask.results import TrackInfo
from chronomask.tracking.cluster import Tube
from chronomask.tracking.memory import Look, Visit

OBJECT_SHARE = 0.1
"""Of the probability, what belongs to `object` where only some classes may be chosen: a single allowed name needs more
than that. Of the tracks of a class most have it, and few others (docs/experiments/names.md)."""


@dataclass(frozen=True, eq=False, slots=True)
class TrackSummary:
    """What is known of a track so far; every clip adds its evidence, weighted by its pixels.

    One stays in memory for every track of a video, however long ago it was seen: one kilobyte.

    Attributes:
        id: of the track, from 1.
        class_evidence: sum over clips of class probabilities x stride-4 pixels.
        feature: sum over clips of the look's feature x stride-4 pixels; only its direction counts.
        entry, exit: when and where it is seen in the first and in the last of its clips.
        object_evidence: sum over clips of the tube's objectness x stride-4 pixels.
        pixels: sum over clips of stride-4 pixels.
    """

    id: int
    class_evidence: Float32[np.ndarray, " L"]
    feature: Float32[np.ndarray, " C"]
    entry: Visit
    exit: Visit
    object_evidence: float
    pixels: float

    @classmethod
    def of(cls, number: int, tube: Tube, look: Look, visit: Visit) -> TrackSummary:
        """What one clip says of a track."""
        size = int(np.count_nonzero(tube.inside))
        classes, feature = tube.class_probabilities * np.float32(size), look.feature * np.float32(size)
        return cls(number, classes, feature, visit, visit, tube.objectness * size, float(size))

    @property
    def score(self) -> float:
        """Mean objectness, in [0, 1]."""
        return self.object_evidence / max(self.pixels, 1.0)

    def and_then(self, later: TrackSummary) -> TrackSummary:
        """This track, which goes on as the later one."""
        return TrackSummary(
            self.id,
            self.class_evidence + later.class_evidence,
            self.feature + later.feature,
            self.entry,
            later.exit,
            self.object_evidence + later.object_evidence,
            self.pixels + later.pixels,
        )

    def verdict(
        self, categories: Sequence[Category], object_below: float, allowed: Collection[str] | None = None
    ) -> TrackInfo:
        """The track's category, its score: the mean objectness of its tubes, and the probability of the category.

        Where no class reaches the probability `object_below`, or that of being none of the classes where the network
        has one, the track is an `object`: not knowing the name says nothing against the mask, nor does it lower the
        score.

        Args:
            categories: the network's classes.
            object_below: see SegmentConfig.
            allowed: names of the classes to choose from; all by default. With `object` among them the probabilities are
                those among the allowed, of which `object` has a share of its own; a name must have more. Without it
                the score shrinks by the ratio to the best name of all, for the track may be of no allowed class.
        """
        shares = self.class_evidence / max(self.pixels, 1.0)
        score, surest = self.score, float(shares.max())
        probabilities, none_of_them = shares[: len(categories)], float(shares[len(categories) :].sum())
        if allowed is None or OBJECT.name in allowed:
            object_below = max(object_below, none_of_them)
        if allowed is not None:
            probabilities = probabilities * np.array([category.name in allowed for category in categories])
            if OBJECT.name not in allowed:
                score *= float(probabilities.max()) / max(surest, 1e-9)
            elif any(category.name not in allowed for category in categories):
                share = max(OBJECT_SHARE, none_of_them)
                everything = float(probabilities.sum()) + share
                probabilities, object_below = probabilities / everything, max(object_below, share / everything)
        best = int(probabilities.argmax())
        probability = float(probabilities[best])
        if probability < object_below:
            return TrackInfo(self.id, OBJECT, score, 1 - probability)
        return TrackInfo(self.id, categories[best], score, probability)
