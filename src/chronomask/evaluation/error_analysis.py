"""Why average precision is what it is: every false positive and every missed object under one cause.

The video counterpart of TIDE (Bolya et al., TIDE: A General Toolbox for Identifying Object Detection Errors, ECCV
2020): its kinds of error on tracks, and three more for what only video has, broken identity. `docs/evaluation.md`
defines every kind; the functions below follow it line by line.

Legend: D results and G objects of one video, T frames; threshold: the IoU from which on a result counts as a hit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool
from rich.table import Table

from chronomask.evaluation.ap import MAXIMA, THRESHOLDS, percent
from chronomask.evaluation.matching import Matches, VideoOverlap, average_precision

Kind = Literal["duplicate", "background", "wrong class", "merge", "switch", "split", "poor mask", "missed"]
"""Kinds of error, in the order in which they are mended one after the other."""

KINDS: tuple[Kind, ...] = get_args(Kind)

BACKGROUND_IOU = 0.1
"""Below this track IoU a result lies on no object at all (TIDE's background threshold)."""


@dataclass(frozen=True)
class Fault:
    """One error.

    Attributes:
        kind: what went wrong.
        video_id: where.
        result: the false positive, as its place in the result file from 0; None for a missed object.
        objects: the true objects concerned, as places in `annotations` from 0; empty where there is none.
    """

    kind: Kind
    video_id: int
    result: int | None
    objects: tuple[int, ...]


@dataclass(frozen=True)
class KindReport:
    """What one kind of error costs.

    Attributes:
        kind: which.
        count: errors of this kind at IoU 0.50.
        AP_gain: by how much AP (mean over the ten thresholds, each with its own errors) rises if this kind alone is
            mended.
        AP50_gain: the same for AP50.
        AP_after: AP when this kind and all kinds before it are mended; 1 after the last.
        AP50_after: the same for AP50.
    """

    kind: Kind
    count: int
    AP_gain: float
    AP50_gain: float
    AP_after: float
    AP50_after: float


@dataclass(frozen=True)
class Breakdown:
    """The loss of average precision, split.

    Attributes:
        AP: as `evaluate` gives it; -1 without objects.
        AP50: as `evaluate` gives it; -1 without objects.
        kinds: in the order in which they are mended for `AP_after`.
        faults: every error at IoU 0.50.
    """

    AP: float
    AP50: float
    kinds: tuple[KindReport, ...]
    faults: tuple[Fault, ...]


def break_down(matches: Matches) -> Breakdown:
    """Sort the errors of matched results by kind and mend them, each kind alone and all one after the other."""
    order = matches.order
    faults = [find_faults(matches, k) for k in range(len(THRESHOLDS))]

    def mended(kinds: Collection[Kind]) -> tuple[float, float]:
        values = [_mended_ap(matches, k, order, faults[k], kinds) for k in range(len(THRESHOLDS))]
        return float(np.mean(values)), values[0]

    ap, ap50 = mended(())
    reports = []
    for number, kind in enumerate(KINDS, 1):
        alone, after = mended((kind,)), mended(KINDS[:number])
        count = sum(fault.kind == kind for fault in faults[0])
        reports.append(KindReport(kind, count, alone[0] - ap, alone[1] - ap50, after[0], after[1]))
    return Breakdown(ap, ap50, tuple(reports), tuple(faults[0]))


def find_faults(matches: Matches, k: int) -> list[Fault]:
    """All errors at the threshold THRESHOLDS[k]. Results on crowds and those beyond MAX_RESULTS are no errors."""
    faults = []
    for video_id, overlap in matches.overlaps.items():
        own = _VideoErrors(matches, overlap, k).sort()
        found = {g for fault in own for g in fault.objects} | set(matches.hits[k, overlap.found].tolist())
        missed = (g for g in overlap.true.tolist() if g not in found and not matches.truth.tracks[g].crowd)
        faults += [*own, *(Fault("missed", video_id, None, (g,)) for g in missed)]
    return faults


class _VideoErrors:
    """Sorts the false positives of one video by kind. Rows d are its results, columns g its objects."""

    def __init__(self, matches: Matches, overlap: VideoOverlap, k: int) -> None:
        self.overlap = overlap
        self.threshold = float(THRESHOLDS[k])
        self.hits = matches.hits[k, overlap.found]
        self.found = [matches.found[d] for d in overlap.found]
        true = [matches.truth.tracks[g] for g in overlap.true]
        real = np.array([not track.crowd for track in true], bool)
        classes = [np.array([track.category_id for track in tracks], np.int64) for tracks in (self.found, true)]
        self.same = np.equal.outer(*classes) & real
        self.other = ~np.equal.outer(*classes) & real
        self.iou = overlap.iou
        self.on = overlap.frame_iou(range(len(self.found)), range(len(true))) >= self.threshold
        counted = (matches.ranks[overlap.found] < MAXIMA[-1]) & ~matches.ignored[k, overlap.found]
        self.false = [int(d) for d in np.flatnonzero((self.hits < 0) & counted)]
        self.kinds: dict[int, tuple[Kind, list[int]]] = {}

    def sort(self) -> list[Fault]:
        """Every false positive under the first kind that fits it, with the objects concerned."""
        for d in self.false:
            if whole := self._matching(d, self.same, self.threshold):
                self.kinds[d] = "duplicate", whole
            elif whole := self._matching(d, self.other, self.threshold):
                self.kinds[d] = "wrong class", whole
            elif several := self._merged(d):
                self.kinds[d] = "merge", several
            elif several := self._followed(d):
                self.kinds[d] = "switch", several
        self._find_splits()
        for d in self.false:
            if d not in self.kinds:
                near = self._matching(d, self.same, BACKGROUND_IOU)
                self.kinds[d] = ("poor mask", near) if near else ("background", [])
        return [
            Fault(kind, self.found[d].video_id, int(self.overlap.found[d]), tuple(self.overlap.true[columns].tolist()))
            for d, (kind, columns) in sorted(self.kinds.items())
        ]

    def _matching(self, d: int, among: Bool[np.ndarray, "D G"], threshold: float) -> list[int]:
        """The object with the highest track IoU, if that reaches the threshold."""
        iou = np.where(among[d], self.iou[d], -1.0)
        return [int(iou.argmax())] if iou.max(initial=-1) >= threshold else []

    def _merged(self, d: int) -> list[int]:
        """Objects of its class that lie in the result by more than half, if it matches them all taken together."""
        common, areas = self.overlap.common[:, d].sum(0), self.overlap.true_areas.sum(1)
        inside = np.flatnonzero(self.same[d] & (2 * common > areas))
        shared = common[inside].sum()
        union = self.overlap.found_areas[d].sum() + areas[inside].sum() - shared
        return inside.tolist() if len(inside) > 1 and shared >= self.threshold * union else []

    def _followed(self, d: int) -> list[int]:
        """Objects of its class that the result is on in turn, if it is right in its frames about one or another."""
        area = self.overlap.found_areas[d]
        on = self.on[:, d] & self.same[d]
        frames = np.flatnonzero(on.any(1))
        iou = self.overlap.frame_iou([d], range(len(self.overlap.true)))[:, 0]
        best = np.where(on, iou, -1.0)[frames].argmax(1) if len(frames) else frames
        shared = self.overlap.common[frames, d, best].sum()
        union = area.sum() + self.overlap.true_areas[best, frames].sum() - shared
        several = np.unique(best)
        return several.tolist() if len(several) > 1 and shared >= self.threshold * union else []

    def _find_splits(self) -> None:
        """Objects that several results share in time: each of those that is a false positive is a split."""
        order = sorted(range(len(self.found)), key=lambda d: -self.found[d].score)
        for g in range(len(self.overlap.true)):
            taken = np.zeros(len(self.on), bool)
            fragments = []
            for d in order:
                free = self.hits[d] == self.overlap.true[g] or (d in self.false and d not in self.kinds)
                if free and self.same[d, g] and self._good_while_it_lasts(d, g):
                    on = self.on[:, d, g]
                    if 2 * (on & ~taken).sum() > (self.overlap.found_areas[d] > 0).sum():
                        fragments.append(d)
                    taken |= on
            if len(fragments) > 1:
                self.kinds.update({d: ("split", [g]) for d in fragments if self.hits[d] < 0})

    def _good_while_it_lasts(self, d: int, g: int) -> bool:
        """Whether the track IoU over the frames that the result has a mask in reaches the threshold."""
        own = self.overlap.found_areas[d] > 0
        shared = self.overlap.common[own, d, g].sum()
        union = (self.overlap.found_areas[d] + self.overlap.true_areas[g])[own].sum() - shared
        return bool(union and shared >= self.threshold * union)


def _mended_ap(
    matches: Matches, k: int, order: Sequence[int], faults: Sequence[Fault], kinds: Collection[Kind]
) -> float:
    """Average precision at THRESHOLDS[k] without the errors of some kinds; -1 without objects.

    A mended false positive becomes a hit, with its score, for each object concerned that nothing has found yet; where
    there is none it goes. A mended miss takes the object out of those to find.
    """
    mended = {fault.result: fault.objects for fault in faults if fault.kind in kinds and fault.result is not None}
    lost = {g for fault in faults if fault.kind == "missed" and fault.kind in kinds for g in fault.objects}
    hits = matches.hits[k]
    taken = set(hits[hits >= 0].tolist())
    runs: dict[int, list[bool]] = defaultdict(list)
    for d in order:
        if hits[d] >= 0:
            runs[matches.found[d].category_id].append(True)
        elif d in mended:
            for g in mended[d]:
                if g not in taken:
                    taken.add(g)
                    runs[matches.truth.tracks[g].category_id].append(True)
        elif not matches.ignored[k, d]:
            runs[matches.found[d].category_id].append(False)
    objects: dict[int, int] = defaultdict(int)
    for g, track in enumerate(matches.truth.tracks):
        if not track.crowd:
            objects[track.category_id] += g not in lost
    values = [_category_ap(runs[number], count) for number, count in objects.items()]
    return float(np.mean(values)) if values else -1.0


def _category_ap(hits: Sequence[bool], objects: int) -> float:
    if not objects:  # all of them were misses that are mended: nothing is left to find, and nothing to be wrong about
        return float(not hits)
    counted = np.array(hits, bool)
    return float(average_precision(counted, np.ones((1, len(counted))), np.array([float(objects)]))[0])


def breakdown_table(breakdown: Breakdown) -> Table:
    """The breakdown in percent for the terminal."""
    caption = (
        "gain: mended alone; after: mended with all kinds above\n"
        "counts are at IoU 0.50, AP is over ten IoUs:\n"
        "a kind without a count can cost AP"
    )
    head = ("error", "count", "AP gain", "AP50 gain", "AP after", "AP50 after")
    table = Table(*head, title=f"AP {percent(breakdown.AP)}, AP50 {percent(breakdown.AP50)}", caption=caption)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in breakdown.kinds:
        gains = f"{100 * row.AP_gain:+.1f}", f"{100 * row.AP50_gain:+.1f}"
        table.add_row(row.kind, str(row.count), *gains, percent(row.AP_after), percent(row.AP50_after))
    return table
