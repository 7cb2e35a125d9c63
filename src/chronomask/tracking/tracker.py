"""The tracker of one video: tubes of clips in, track ids and names out, in memory that does not grow with the video.

Legend: T frames of a clip, h w pixels at stride 4, K tubes, N tracks, L classes.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from heapq import nlargest
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int16

from chronomask.categories import OBJECT, Category
from chronomask.config import SegmentConfig
from chronomask.results import TrackInfo
from chronomask.state import State, nested, part
from chronomask.tracking.cluster import Tube, cluster, label_map
from chronomask.tracking.memory import Look, Visit, look_of, visit_of
from chronomask.tracking.outputs import ClipOutputs
from chronomask.tracking.relink import relink
from chronomask.tracking.stitch import Stitcher
from chronomask.tracking.verdict import TrackSummary

_STATE = ("ids", "class_evidence", "feature", "entry", "exit", "object_evidence", "pixels")
"""Names of the arrays in the state of the summaries."""


class Found(NamedTuple):
    """What was found in a clip, on its own.

    Attributes:
        tubes: each in one shot.
        looks: of the tubes.
        labels: 0, or k + 1 inside tube k.
        cuts: numbers of the frames, of the clip, with which a new shot begins.
    """

    tubes: list[Tube]
    looks: list[Look]
    labels: Int16[np.ndarray, "T h w"]
    cuts: Sequence[int] = ()


def find(
    outputs: ClipOutputs,
    features: Float32[np.ndarray, "T C _ _"],
    config: SegmentConfig,
    coefficients: Sequence[float],
) -> Found:
    """The tubes of one clip.

    Args:
        outputs: of the network.
        features: of the frames at stride 16, by which objects are told from each other after they were hidden.
        config: how videos are segmented.
        coefficients: of the tubes' score, `ModelConfig.tube_score`.
    """
    tubes = cluster(outputs, config.cluster, coefficients)
    looks = [look_of(tube, features) for tube in tubes]
    return Found(tubes, looks, label_map(tubes, outputs.heat.shape))


def one_after_the_other(shots: Sequence[Found]) -> Found:
    """What was found in the shots of a clip, each on its own, as of the whole clip."""
    if len(shots) == 1:
        return shots[0]
    tubes, looks, labels, cuts, begin = list[Tube](), list[Look](), list[np.ndarray](), list[int](), 0
    length = sum(len(shot.labels) for shot in shots)
    for shot in shots:
        labels.append(np.where(shot.labels > 0, shot.labels + np.int16(len(tubes)), np.int16(0)))
        around = (begin, length - begin - len(shot.labels)), (0, 0), (0, 0)
        tubes += [replace(tube, probability=np.pad(tube.probability, around)) for tube in shot.tubes]
        looks += shot.looks
        begin += len(shot.labels)
        cuts.append(begin)
    return Found(tubes, looks, np.concatenate(labels), cuts[:-1])


class Tracker:
    """Joins what is found in the clips of one video to tracks.

    Args:
        config: how videos are segmented.
        categories: the network's classes.

    Attributes:
        summaries: what is known of each track, by its id.
        cuts: numbers of the frames with which a new shot begins.
    """

    def __init__(self, config: SegmentConfig, categories: Sequence[Category]) -> None:
        self.config, self.categories = config, categories
        self.stitcher = Stitcher(config.stitch)
        self.summaries: dict[int, TrackSummary] = {}
        self.cuts: list[int] = []

    def take(self, found: Found, shared: int) -> list[int]:
        """Takes in the next clip, whose first `shared` frames are the last ones of the clip before.

        Returns:
            The track id of every tube.
        """
        tubes, looks, labels, cuts = found
        begin = self.stitcher.seen - shared
        self.cuts += [begin + cut for cut in cuts if not self.cuts or begin + cut > self.cuts[-1]]
        visits = [visit_of(tube, begin, labels.shape) for tube in tubes]
        visits = [replace(visit, shot=bisect(self.cuts, visit.first)) for visit in visits]
        ids, _ = self.stitcher.add(labels, looks, visits, shared)
        for number, tube, look, visit in zip(ids, tubes, looks, visits, strict=True):
            summary = TrackSummary.of(number, tube, look, visit)
            before = self.summaries.get(number)
            self.summaries[number] = before.and_then(summary) if before else summary
        return ids

    def relink(self) -> dict[int, int]:
        """Joins tracks of a video that has ended, see `tracking.relink`; nothing where the settings say so.

        Returns:
            Ids that there are no more, each with the one that the track has now.
        """
        joined = relink(list(self.summaries.values())) if self.config.relink else {}
        for later in sorted(joined, key=lambda number: self.summaries[number].entry.first):
            first = joined[later]
            self.summaries[first] = self.summaries[first].and_then(self.summaries.pop(later))
        return joined

    @property
    def tracks(self) -> list[TrackInfo]:
        """All tracks so far, best first, with the names and scores that the evidence so far gives."""
        return _best_first(self.info(number) for number in self.summaries)

    def chosen(self) -> set[int]:
        """Ids of the tracks that would be written if the video ended here; see `SegmentConfig`."""
        best = nlargest(self.config.max_tracks, self.summaries.values(), key=lambda summary: summary.score)
        return {summary.id for summary in best if summary.score >= self.config.score}

    def named(self, allowed: Collection[str]) -> list[TrackInfo]:
        """As `tracks`, but each track is named by the most probable of the allowed classes.

        It is an `object` only where that name is allowed too.
        """
        object_below = self.config.object_below if OBJECT.name in allowed else 0.0
        return _best_first(s.verdict(self.categories, object_below, allowed) for s in self.summaries.values())

    def info(self, number: int) -> TrackInfo:
        """One track, by its id."""
        return self.summaries[number].verdict(self.categories, self.config.object_below)

    def state(self) -> State:
        """All of it, for `restore`."""
        tracks = self.summaries.values()
        return {
            **nested("stitcher", self.stitcher.state()),
            "cuts": np.array(self.cuts, np.int64),
            "ids": np.array(list(self.summaries), np.int64),
            "class_evidence": np.array([track.class_evidence for track in tracks], np.float32),
            "feature": np.array([track.feature for track in tracks], np.float32),
            "entry": np.array([track.entry.row for track in tracks], np.float64),
            "exit": np.array([track.exit.row for track in tracks], np.float64),
            "object_evidence": np.array([track.object_evidence for track in tracks], np.float64),
            "pixels": np.array([track.pixels for track in tracks], np.float64),
        }

    def restore(self, state: State) -> None:
        """Puts the tracker where it was."""
        self.stitcher.restore(part(state, "stitcher"))
        self.cuts = [int(frame) for frame in state["cuts"]]
        rows = zip(*(state[name] for name in _STATE), strict=True)
        self.summaries = {
            int(number): TrackSummary(
                int(number), classes, feature, Visit.of_row(entry), Visit.of_row(exit), float(objects), float(pixels)
            )
            for number, classes, feature, entry, exit, objects, pixels in rows
        }


def _best_first(tracks: Iterable[TrackInfo]) -> list[TrackInfo]:
    return sorted(tracks, key=lambda info: -info.score)
