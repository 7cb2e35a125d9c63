from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console
from track_builders import annotation, mask, random_case, result, truth_file

from chronomask.evaluation.ap import THRESHOLDS
from chronomask.evaluation.error_analysis import Breakdown, Fault, break_down, breakdown_table
from chronomask.evaluation.matching import VideoOverlap, match
from chronomask.evaluation.validate import read_results, read_truth

A, B = (2, 5, 10, 10), (30, 5, 10, 10)
ONE, TWO, NONE = mask(A), mask(B), None
HALF = mask((2, 5, 10, 4))


def broken(true: list[Any], results: list[Any]) -> Breakdown:
    truth = read_truth(truth_file(true))
    return break_down(match(truth, read_results(results, truth)))


def counts(breakdown: Breakdown) -> dict[str, int]:
    return {row.kind: row.count for row in breakdown.kinds if row.count}


def only(kind: str, breakdown: Breakdown) -> Fault:
    """The one error there is, of this kind; mending that kind gives AP 1."""
    assert counts(breakdown) == {kind: 1}
    gain = next(row for row in breakdown.kinds if row.kind == kind)
    assert breakdown.AP50 + gain.AP50_gain == pytest.approx(1)
    assert breakdown.kinds[-1].AP_after == pytest.approx(1)
    (fault,) = breakdown.faults
    return fault


def test_missed() -> None:
    fault = only("missed", broken([annotation([ONE] * 4), annotation([TWO] * 4)], [result([ONE] * 4)]))
    assert (fault.result, fault.objects) == (None, (1,))


def test_wrong_class() -> None:
    fault = only("wrong class", broken([annotation([ONE] * 4)], [result([ONE] * 4, category_id=2)]))
    assert (fault.result, fault.objects) == (0, (0,))


def test_duplicate() -> None:
    true = [annotation([ONE] * 4), annotation([TWO] * 4)]
    results = [result([ONE] * 4, 0.9), result([ONE] * 4, 0.8), result([TWO] * 4, 0.7)]
    assert only("duplicate", broken(true, results)).result == 1


def test_background() -> None:
    results = [result([TWO] * 4, 0.9), result([ONE] * 4, 0.8)]
    fault = only("background", broken([annotation([ONE] * 4)], results))
    assert (fault.result, fault.objects) == (0, ())


def test_poor_mask() -> None:
    fault = only("poor mask", broken([annotation([ONE] * 4)], [result([HALF] * 4)]))
    assert (fault.result, fault.objects) == (0, (0,))


def test_too_short_is_a_poor_mask_when_nothing_takes_over() -> None:
    only("poor mask", broken([annotation([ONE] * 5)], [result([ONE, ONE, NONE, NONE, NONE])]))


def test_switch() -> None:
    true = [annotation([ONE] * 4), annotation([TWO] * 4)]
    # Two tracks trade their objects after half the video: the IoU with each object is 2 of 6 frames.
    results = [result([ONE, ONE, TWO, TWO], 0.9), result([TWO, TWO, ONE, ONE], 0.8)]
    breakdown = broken(true, results)
    assert counts(breakdown) == {"switch": 2}
    assert {fault.objects for fault in breakdown.faults} == {(0, 1)}
    assert breakdown.AP50 == 0
    assert breakdown.kinds[-1].AP50_after == pytest.approx(1)


def test_merge_of_two_objects_side_by_side() -> None:
    fault = only(
        "merge", broken([annotation([ONE] * 4), annotation([TWO] * 4)], [result([mask(A, B, (20, 20, 1, 1))] * 4)])
    )
    assert (fault.result, fault.objects) == (0, (0, 1))


def test_merge_of_objects_one_after_the_other() -> None:
    true = [annotation([ONE, NONE, NONE]), annotation([NONE, TWO, NONE]), annotation([NONE, NONE, ONE])]
    fault = only("merge", broken(true, [result([ONE, TWO, ONE])]))
    assert fault.objects == (0, 1, 2)


def test_split() -> None:
    results = [result([ONE, ONE, NONE, NONE, NONE], 0.9), result([NONE, NONE, ONE, ONE, NONE], 0.8)]
    breakdown = broken([annotation([ONE] * 5)], results)
    assert counts(breakdown) == {"split": 2}
    assert {fault.objects for fault in breakdown.faults} == {(0,)}
    assert breakdown.AP50 == 0
    assert breakdown.kinds[-1].AP50_after == pytest.approx(1)


def test_split_beside_a_hit() -> None:
    results = [result([ONE, ONE, ONE, NONE, NONE], 0.8), result([NONE, NONE, NONE, ONE, ONE], 0.9)]
    fault = only("split", broken([annotation([ONE] * 5)], results))
    assert (fault.result, fault.objects) == (1, (0,))


def test_a_weak_copy_of_a_found_part_is_no_split() -> None:
    results = [result([ONE] * 5, 0.9), result([ONE, ONE, NONE, NONE, NONE], 0.8)]
    assert counts(broken([annotation([ONE] * 5)], results)) == {"poor mask": 1}


def test_crowds_are_no_errors() -> None:
    true = [annotation([ONE] * 4), annotation([TWO] * 4, iscrowd=1)]
    breakdown = broken(true, [result([ONE] * 4, 0.8), result([TWO] * 4, 0.9)])
    assert breakdown.faults == ()
    assert pytest.approx(1) == breakdown.AP


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_mending_everything_gives_1(seed: int) -> None:
    data, results = random_case(seed, videos=4, crowds=0.2, ties=seed % 2 == 0)
    truth = read_truth(data)
    assume(any(not track.crowd for track in truth.tracks))
    found = read_results(results, truth)
    breakdown = break_down(match(truth, found))
    assert breakdown.kinds[-1].AP_after == pytest.approx(1)
    assert breakdown.kinds[-1].AP50_after == pytest.approx(1)
    afters = [breakdown.AP, *(row.AP_after for row in breakdown.kinds)]
    assert all(b >= a - 1e-12 for a, b in itertools.pairwise(afters))
    assert all(row.AP_gain >= -1e-12 for row in breakdown.kinds)
    assert len({fault.result for fault in breakdown.faults if fault.result is not None}) == sum(
        fault.result is not None for fault in breakdown.faults
    )


def test_a_result_is_looked_at_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time grows with the square of the results."""
    looked_at = []

    def frame_iou(self: VideoOverlap, found: Sequence[int], true: Sequence[int]) -> Any:
        looked_at.append(len(found) * len(true))
        return whole(self, found, true)

    whole = VideoOverlap.frame_iou
    monkeypatch.setattr(VideoOverlap, "frame_iou", frame_iou)
    true = [annotation([ONE] * 4), annotation([TWO] * 4)]
    assert counts(broken(true, [result([ONE, ONE, TWO, TWO], 0.9)] * 5)) == {"switch": 5}
    assert sum(looked_at) == len(THRESHOLDS) * 2 * 5 * len(true)  # all together once, and each by itself


def test_table() -> None:
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(breakdown_table(broken([annotation([ONE] * 4)], [result([HALF] * 4)])))
    text = " ".join(console.export_text().split())
    assert "poor mask" in text
    assert "a kind without a count can cost AP" in text
