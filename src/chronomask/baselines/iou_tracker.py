"""IoUTracker+: detections of neighbouring frames join where their boxes overlap.

The IoU tracker of Bochinski, Eiselein and Sikora, "High-speed tracking-by-detection without using image information"
(2017), with the further cues by which Yang, Fan and Xu, "Video instance segmentation" (2019, section 5.1) made it
IoUTracker+: the same class, and how sure the detection is. Their text leaves the form open; here an optimal assignment
takes the place of the first paper's greedy one, and a track waits some frames for its next detection.

Legend: N detections, M tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chronomask.baselines.detections import (
    Detection,
    FoundTrack,
    Frames,
    box_iou,
    boxes_of,
    categories_of,
    followed,
    gainful_pairs,
    scores_of,
)
from chronomask.config.checks import at_least, within


@dataclass(frozen=True)
class IouConfig:
    """How boxes join.

    Attributes:
        minimum_iou: a detection joins a track only above this IoU of their boxes.
        memory: frames after its last detection for which a track waits for the next; with 1 it ends where it is missed.
        same_class: whether a detection joins tracks of its class alone.
    """

    minimum_iou: float = 0.3
    memory: int = 5
    same_class: bool = True

    def __post_init__(self) -> None:
        within(self, 0, 1, "minimum_iou")
        at_least(self, 1, "memory")


@dataclass(frozen=True)
class IouTracker:
    """IoUTracker+; see `DetectionTracker`."""

    config: IouConfig = IouConfig()

    def track(self, frames: Frames) -> list[FoundTrack]:
        """The tracks of one video."""
        return list(followed(IouAssociation(self.config), frames).values())


class IouAssociation:
    """The live tracks of one video; see `OnlineTracker`."""

    def __init__(self, config: IouConfig) -> None:
        self.config = config
        self.begun, self.frame = 0, 0
        self.numbers = np.zeros(0, np.int64)
        self.last = np.zeros(0, np.int64)
        self.classes = np.zeros(0, np.int64)
        self.boxes = np.zeros((0, 4), np.float32)

    def update(self, detections: Sequence[Detection]) -> list[int]:
        """The track of every detection: that whose last box it overlaps, or a new one.

        The sum over all pairs of score x (IoU - `minimum_iou`) is as great as can be.
        """
        boxes, classes = boxes_of(detections), categories_of(detections)
        live = self.frame - self.last <= self.config.memory
        gain = (box_iou(self.boxes[live], boxes) - self.config.minimum_iou) * scores_of(detections)
        if self.config.same_class:
            gain *= self.classes[live][:, None] == classes
        numbers = np.zeros(len(detections), np.int64)
        for row, column in gainful_pairs(gain):
            numbers[column] = self.numbers[live][row]
        new = numbers == 0
        numbers[new] = np.arange(self.begun + 1, self.begun + 1 + np.count_nonzero(new))
        self.begun += np.count_nonzero(new)
        waiting = live & ~np.isin(self.numbers, numbers)
        self.numbers = np.concatenate([self.numbers[waiting], numbers])
        self.last = np.concatenate([self.last[waiting], np.full(len(numbers), self.frame)])
        self.classes = np.concatenate([self.classes[waiting], classes])
        self.boxes = np.concatenate([self.boxes[waiting], boxes])
        self.frame += 1
        return numbers.tolist()
