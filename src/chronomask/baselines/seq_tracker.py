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
        search = _Search([scores_of(found).astype(np.float64) for found in frames], _links(frames, self.config))
        found = []
        while (best := search.best()) is not None:
            found.append(FoundTrack({frame: frames[frame][place] for frame, place in best}))
            search.take_away(best)
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


class _Search:
    """The best sequences of what is left of a video.

    Dynamic programming (Viterbi 1967): the best sequence that ends in a detection is its score, and the best of the
    links to it with the best sequence that ends where the link begins. What is taken away changes only sequences that
    passed there: a video of twice the frames takes twice the time.

    Args:
        scores: of the detections of every frame.
        links: between them.
    """

    def __init__(self, scores: Sequence[Float64[np.ndarray, " _"]], links: _Links) -> None:
        self._scores, self._links = scores, links
        self._reach = max((frame - before for frame, some in enumerate(links) for before, _ in some), default=0)
        self._free = [np.ones(len(own), bool) for own in scores]
        self._totals = [np.full(len(own), -np.inf) for own in scores]
        self._origins: list[dict[int, tuple[int, int]]] = [{} for _ in scores]
        self._tops = np.full(len(scores), -np.inf)
        for frame in range(len(scores)):
            self._changes(frame)

    def best(self) -> list[tuple[int, int]] | None:
        """Frame and place of the detections of the sequence that is worth most; None where none is free."""
        top = self._tops.max(initial=-np.inf)
        if top == -np.inf:
            return None
        frame = int(np.flatnonzero(self._tops == top)[-1])
        step: tuple[int, int] | None = (frame, int(self._totals[frame].argmax()))
        sequence = []
        while step is not None:
            sequence.append(step)
            step = self._origins[step[0]].get(step[1])
        return sequence[::-1]

    def take_away(self, sequence: Sequence[tuple[int, int]]) -> None:
        """These detections are not free any more."""
        for frame, place in sequence:
            self._free[frame][place] = False
        frame, end = sequence[0][0], sequence[-1][0]
        while frame <= min(end, len(self._scores) - 1):
            if self._changes(frame):
                end = max(end, frame + self._reach)
            frame += 1

    def _changes(self, frame: int) -> bool:
        """Finds the sequences that end in a frame anew; whether any is worth something else than before."""
        own, origin = self._scores[frame], {}
        gain = np.zeros(len(own))
        for before, worth in self._links[frame]:
            through = self._totals[before][:, None] + worth
            row = through.argmax(0)
            value = through[row, np.arange(len(own))]
            for place in np.flatnonzero(value > gain):
                gain[place], origin[int(place)] = value[place], (before, int(row[place]))
        total = np.where(self._free[frame], own + gain, -np.inf)
        changes = not np.array_equal(total, self._totals[frame])
        self._totals[frame], self._origins[frame] = total, origin
        self._tops[frame] = total.max(initial=-np.inf)
        return changes
