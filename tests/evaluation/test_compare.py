from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from track_builders import random_case, result

from chronomask.errors import InputError
from chronomask.evaluation.ap import HEADLINE, evaluate
from chronomask.evaluation.compare import Interval, compare, comparison_rows, comparison_table, comparison_text

TRUTH, RESULTS = random_case(7, videos=8)
PERFECT = [
    result(a["segmentations"], 0.9, a["category_id"], a["video_id"]) for a in TRUTH["annotations"] if any(a["areas"])
]


def test_scores_are_those_of_evaluate_and_lie_in_their_intervals() -> None:
    comparison = compare(TRUTH, {"ours": RESULTS, "perfect": PERFECT}, resamples=200)
    ours, perfect = comparison.methods
    assert ours.scores == evaluate(TRUTH, RESULTS).scores
    for key in HEADLINE:
        assert ours.intervals[key].low <= getattr(ours.scores, key) <= ours.intervals[key].high
    assert (perfect.intervals["AP"].low, perfect.intervals["AP"].high) == pytest.approx((1, 1))
    (difference,) = comparison.differences
    assert (difference.name, difference.baseline) == ("perfect", "ours")
    assert difference.values["AP"] == pytest.approx(1 - ours.scores.AP)
    assert difference.intervals["AP"].low > 0


def test_the_same_method_twice_differs_by_nothing() -> None:
    (difference,) = compare(TRUTH, {"a": RESULTS, "b": RESULTS}, resamples=50).differences
    assert set(difference.values.values()) == {0.0}
    assert all((interval.low, interval.high) == (0, 0) for interval in difference.intervals.values())


def test_the_seed_decides() -> None:
    first, again, other = (compare(TRUTH, {"a": RESULTS}, 50, seed=seed).methods[0].intervals for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_styles() -> None:
    comparison = compare(TRUTH, {"a_b": RESULTS, "c|d": PERFECT}, resamples=50)
    markdown = comparison_text(comparison, "markdown")
    assert markdown.splitlines()[0] == "| method | AP | AP50 | AP75 | AR1 | AR10 |"
    assert r"c\|d - a_b" in markdown
    latex = comparison_text(comparison, "latex")
    assert r"a\_b & " in latex
    assert latex.count(r"\midrule") == 2
    rows = list(csv.DictReader(io.StringIO(comparison_text(comparison, "csv"))))
    assert [(row["method"], row["minus"]) for row in rows] == [("a_b", ""), ("c|d", ""), ("c|d", "a_b")]
    assert float(rows[0]["AP"]) == comparison.methods[0].scores.AP


def test_numbers_stay_in_one_piece_at_80_columns() -> None:
    comparison = compare(TRUTH, {"a tracker with a long name": RESULTS, "another": PERFECT}, resamples=50)
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(comparison_table(comparison))
    text = console.export_text()
    assert "95 %" in text
    for row in comparison_rows(comparison)[1:]:
        assert all(part in text for part in row[0].split()), row[0]
        for cell in row[1:]:
            assert all(part in text for part in re.split(r" (?=\[)|(?<=,) ", cell)), cell


def test_names_are_whole_beside_the_widest_intervals() -> None:
    comparison = compare(TRUTH, {"mine/tracks": RESULTS, "another": PERFECT}, resamples=50)
    wide = Interval(-1.0, 1.0)
    changed = [replace(one, intervals=dict.fromkeys(one.intervals, wide)) for one in comparison.differences]
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(comparison_table(replace(comparison, differences=tuple(changed))))
    text = console.export_text()
    assert "another - mine/tracks" in text
    assert text.count("[-100.0,") == text.count("+100.0]") == 5


def test_without_intervals() -> None:
    comparison = compare(TRUTH, {"a": RESULTS}, resamples=0)
    assert comparison.methods[0].intervals == {}
    assert "[" not in comparison_text(comparison, "markdown")


@pytest.mark.parametrize("options", [{"resamples": -1}, {"confidence": 1.0}])
def test_options_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        compare(TRUTH, {"a": RESULTS}, **options)
    with pytest.raises(InputError, match="at least one"):
        compare(TRUTH, {})
