"""SeqTracker: the best sequences through all detections of a video, found when it has ended.

Yang, Fan and Xu (2019, section 5.1) name an offline tracker that searches the detections of all frames for the tracks
of the highest score, in the manner of Seq-NMS (Han et al., "Seq-NMS for video object detection", 2016): link boxes that
overlap in neighbouring frames, take the sequence of the greatest sum, give it one score, take its detections away, and
begin again. The sum here has the cues of MaskTrack R-CNN that need no learning: how sure the detections are, the IoU of
neighbours, and whether they are of one class.

Legend: N detections, M detections of the frame before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from chronomask.baselines.detections import Detection, FoundTrack, Frames, box_iou, boxes_of, categories_of, scores_of
from chronomask.config.checks import at_least, within


@dataclass(frozen=True)
class SeqConfig:
    """What a sequence is worth: the sum of its scores, and for every link what follows.

    Attributes:
        minimum_iou: detections are linked from this IoU of their boxes on.
        iou_weight: of the IoU of a link.
        class_weight: of a link between detections of one class.
        gap: frames that a link may lead over, 0 for neighbours only.
    """

    minimum_iou: float = 0.3
    iou_weight: float = 1.0
    class_weight: float = 1.0
    gap: int = 2

    def __post_init__(self) -> None:
        within(self, 0, 1, "minimum_iou")
        at_least(self, 0, "iou_weight", "class_weight", "gap")


@dataclass(frozen=True)
class SeqTracker:
    """SeqTracker; see `DetectionTracker`."""

    config: SeqConfig = SeqConfig()

    def track(self, frames: Frames) -> list[FoundTrack]:
        """The tracks of one video, the sequence of the greatest sum first. Its score is the mean of its detections'."""
        links = _links(frames, self.config)
        scores = [scores_of(detections).astype(np.float64) for detections in frames]
        free = [np.ones(len(detections), bool) for detections in frames]
        found = []
        while (best := _best_sequence(scores, links, free)) is not None:
            found.append(FoundTrack({frame: frames[frame][place] for frame, place in best}))
            for frame, place in best:
                free[frame][place] = False
        return found


_Links = Sequence[Sequence[tuple[int, Float64[np.ndarray, "_ _"]]]]
"""For every frame those before it that links come from, and what each link is worth: -inf where there is none."""


def _links(frames: Frames, config: SeqConfig) -> _Links:
    return [
        [
            (before, _worth(frames[before], detections, config))
            for before in range(max(0, frame - 1 - config.gap), frame)
            if len(frames[before]) and len(detections)
        ]
        for frame, detections in enumerate(frames)
    ]


def _worth(before: Sequence[Detection], detections: Sequence[Detection], config: SeqConfig) -> Float[np.ndarray, "M N"]:
    iou = box_iou(boxes_of(before), boxes_of(detections)).astype(np.float64)
    same = categories_of(before)[:, None] == categories_of(detections)
    return np.where(iou >= config.minimum_iou, config.iou_weight * iou + config.class_weight * same, -np.inf)


def _best_sequence(
    scores: Sequence[Float64[np.ndarray, " _"]], links: _Links, free: Sequence[np.ndarray]
) -> list[tuple[int, int]] | None:
    """Frame and place of the detections of the sequence that is worth most; None where none is free.

    Dynamic programming (Viterbi 1967): the best sequence that ends in a detection is its score, and the best of the
    links to it with the best sequence that ends where the link begins.
    """
    totals: list[Float64[np.ndarray, " N"]] = []
    origins: list[dict[int, tuple[int, int]]] = []
    for frame, own in enumerate(scores):
        gain, origin = np.zeros(len(own)), {}
        for before, worth in links[frame]:
            through = totals[before][:, None] + worth
            row = through.argmax(0)
            value = through[row, np.arange(len(own))]
            for place in np.flatnonzero(value > gain):
                gain[place], origin[int(place)] = value[place], (before, int(row[place]))
        totals.append(np.where(free[frame], own + gain, -np.inf))
        origins.append(origin)
    ends = [(total.max(), frame, int(total.argmax())) for frame, total in enumerate(totals) if len(total)]
    if not ends or max(ends)[0] == -np.inf:
        return None
    step: tuple[int, int] | None = max(ends)[1:]
    sequence = []
    while step is not None:
        sequence.append(step)
        step = origins[step[0]].get(step[1])
    return sequence[::-1]
