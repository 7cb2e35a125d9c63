"""The association of MaskTrack R-CNN: Yang, Fan and Xu, "Video instance segmentation" (2019), sections 4.1 to 4.3.

A detection is one of the N objects that are remembered, or a new one: a choice among N + 1, eq. (1), by the products of
its embedding with theirs. The probability of that, how sure the detection is, the IoU of the boxes and whether the
classes agree add up to the score of a match, eq. (3).

The published code (github.com/youtubevos/MaskTrackRCNN) says what the text leaves open: "new" has an IoU of 0 and
agrees with every class, and of two detections that want one object the better match gets it, the other is left out.

Legend: N detections, M remembered objects, C channels, D dimensions of the embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from chronomask.baselines.detections import (
    Detection,
    FoundTrack,
    Frames,
    box_iou,
    boxes_of,
    categories_of,
    features_of,
    followed,
    scores_of,
)
from chronomask.config.checks import at_least

Embed = Callable[[Float32[np.ndarray, "N C"]], Float32[np.ndarray, "N D"]]
"""From features of detections to what is compared."""


@dataclass(frozen=True)
class MaskTrackConfig:
    """Of eq. (3), the published weights.

    Attributes:
        score_weight: alpha, of the logarithm of the detection's score.
        iou_weight: beta, of the IoU with the object's last box.
        class_weight: gamma, where the detection has the class of the object's last one.
    """

    score_weight: float = 1.0
    iou_weight: float = 2.0
    class_weight: float = 10.0

    def __post_init__(self) -> None:
        at_least(self, 0, "score_weight", "iou_weight", "class_weight")


@dataclass(frozen=True)
class MaskTrack:
    """MaskTrack R-CNN's association; see `DetectionTracker`.

    Attributes:
        embed: the tracking head, as `association.AssociationNetwork.embedded`.
        config: weights of the cues.
    """

    embed: Embed
    config: MaskTrackConfig = MaskTrackConfig()

    def track(self, frames: Frames) -> list[FoundTrack]:
        """The tracks of one video."""
        return list(followed(MaskTrackAssociation(self.embed, self.config), frames).values())


class MaskTrackAssociation:
    """The memory of one video, which never forgets an object; see `OnlineTracker`."""

    def __init__(self, embed: Embed, config: MaskTrackConfig) -> None:
        self.embed, self.config = embed, config
        self.embeddings = np.zeros((0, 0), np.float32)
        self.boxes = np.zeros((0, 4), np.float32)
        self.classes = np.zeros(0, np.int64)

    def update(self, detections: Sequence[Detection]) -> list[int]:
        """The object of every detection of the next frame, from 1; 0 for one that lost its object to a better match."""
        if not detections:
            return []
        embeddings = self.embed(features_of(detections))
        if not len(self.boxes):
            self.embeddings = np.zeros((0, embeddings.shape[1]), np.float32)
        matches = self._matches(embeddings, detections)
        objects = matches.argmax(1)  # 0 is a new one
        values = matches.max(1)
        numbers = np.zeros(len(detections), np.int64)
        for wanted in np.unique(objects[objects > 0]):
            rivals = np.flatnonzero(objects == wanted)
            numbers[rivals[values[rivals].argmax()]] = wanted
        known, new = np.flatnonzero(numbers), np.flatnonzero(objects == 0)
        numbers[new] = np.arange(len(self.boxes) + 1, len(self.boxes) + 1 + len(new))
        boxes, classes = boxes_of(detections), categories_of(detections)
        for memory, now in ((self.embeddings, embeddings), (self.boxes, boxes), (self.classes, classes)):
            memory[numbers[known] - 1] = now[known]
        self.embeddings = np.concatenate([self.embeddings, embeddings[new]])
        self.boxes = np.concatenate([self.boxes, boxes[new]])
        self.classes = np.concatenate([self.classes, classes[new]])
        return numbers.tolist()

    def _matches(
        self, embeddings: Float32[np.ndarray, "N D"], detections: Sequence[Detection]
    ) -> Float64[np.ndarray, "N _"]:
        """Eq. (3) for "new", and then for every object."""
        count = len(detections)
        products = np.zeros((count, 1 + len(self.boxes)))
        if len(self.boxes):
            products[:, 1:] = embeddings @ self.embeddings.T
        likely = products - np.logaddexp.reduce(products, 1, keepdims=True)
        sure = np.log(np.maximum(scores_of(detections), 1e-6))[:, None]
        iou = np.concatenate([np.zeros((count, 1)), box_iou(boxes_of(detections), self.boxes)], 1)
        same = np.ones_like(iou)
        same[:, 1:] = categories_of(detections)[:, None] == self.classes
        config = self.config
        return likely + config.score_weight * sure + config.iou_weight * iou + config.class_weight * same
