"""Several methods on one annotation file: a table with intervals, and which differences are more than chance.

Intervals are percentiles of a bootstrap over videos (Efron, 1979): videos are drawn with replacement, each method is
scored on the same draws, and so differences are paired.

Legend: B resamples, V videos, N results.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from rich.box import SIMPLE_HEAD
from rich.table import Table

from chronomask.annotations.content import Source
from chronomask.errors import InputError
from chronomask.evaluation.ap import HEADLINE, MAXIMA, THRESHOLDS, Scores, percent, score
from chronomask.evaluation.matching import Matches, average_precision, match
from chronomask.evaluation.validate import read_results, read_truth
from chronomask.formats.reading import Note, unheard


@dataclass(frozen=True)
class Interval:
    """Bounds of a score or of a difference of scores."""

    low: float
    high: float


@dataclass(frozen=True)
class Method:
    """One method's row.

    Attributes:
        name: what it is called in the table.
        scores: its twelve numbers.
        intervals: of AP, AP50, AP75, AR1 and AR10, by name.
    """

    name: str
    scores: Scores
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class Difference:
    """One method against the first of the table.

    Attributes:
        name: the method.
        baseline: the first method.
        values: by how much the method is better, by name of the number; below 0 it is worse.
        intervals: of those differences, over the same resamples for both.
    """

    name: str
    baseline: str
    values: Mapping[str, float]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        methods: in the order given.
        differences: of all but the first method to the first.
        videos: number of videos.
        resamples: number of bootstrap resamples; 0: no intervals.
        confidence: share of the resamples that lies inside an interval.
    """

    methods: tuple[Method, ...]
    differences: tuple[Difference, ...]
    videos: int
    resamples: int
    confidence: float


def compare(
    truth: Source,
    results: Mapping[str, Source],
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    note: Note = unheard,
) -> Comparison:
    """Score several methods on the same videos.

    Args:
        truth: annotations, in any format.
        results: results for each name, in any format; the first is the one that the others are compared with.
        resamples: how many times the videos are drawn anew; 0 for no intervals.
        confidence: of the intervals, in (0, 1).
        seed: of the draws; the same seed gives the same intervals.
        note: is told what reading takes for granted or leaves out.

    Raises:
        InputError: naming the place of every error of a file, or an option out of range.
    """
    if not results:
        raise InputError("compare needs at least one result file")
    if resamples < 0 or not 0 < confidence < 1:
        raise InputError(f"resamples {resamples} must not be negative and confidence {confidence} lie inside (0, 1)")
    annotated = read_truth(truth, note)
    count = len(annotated.videos)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / max(count, 1)), resamples)
    tail = (1 - confidence) / 2
    scores: dict[str, Scores] = {}
    samples: dict[str, Mapping[str, Float64[np.ndarray, " B"]]] = {}
    for name, source in results.items():
        found = read_results(source, annotated, note)
        scores[name] = score(annotated, found).scores
        samples[name] = resampled(match(annotated, found), draws.astype(np.float64)) if resamples else {}
    methods = tuple(Method(name, scores[name], _intervals(samples[name], tail)) for name in results)
    first = methods[0].name
    differences = []
    for name in list(results)[1:]:
        apart = {key: values - samples[first][key] for key, values in samples[name].items()}
        values = {key: getattr(scores[name], key) - getattr(scores[first], key) for key in HEADLINE}
        differences.append(Difference(name, first, values, _intervals(apart, tail)))
    return Comparison(methods, tuple(differences), count, resamples, confidence)


def resampled(matches: Matches, draws: Float64[np.ndarray, "B V"]) -> dict[str, Float64[np.ndarray, " B"]]:
    """AP, AP50, AP75, AR1 and AR10 of each resample; NaN where a resample has no object.

    Args:
        matches: of the whole file.
        draws: how often each video was drawn, videos in the order of the annotation file.
    """
    column = {number: v for v, number in enumerate(matches.truth.videos)}
    precisions, recalls = [], []
    order = matches.order
    for category_id in matches.truth.present:
        true = [t for t in matches.truth.tracks if t.category_id == category_id and not t.crowd]
        objects = draws[:, [column[t.video_id] for t in true]].sum(1)
        ours = np.array([d for d in order if matches.found[d].category_id == category_id], np.int64)
        weights = draws[:, [column[matches.found[d].video_id] for d in ours]]
        precisions.append([])
        for k in range(len(THRESHOLDS)):
            counted = ~matches.ignored[k, ours]
            hit = matches.hits[k, ours] >= 0
            precisions[-1].append(average_precision(hit[counted], weights[:, counted], objects))
        recalls.append([_recall(matches, ours, weights, objects, most) for most in MAXIMA[:2]])
    if not precisions:
        return {key: np.full(len(draws), np.nan) for key in HEADLINE}
    ap, ar = np.array(precisions), np.array(recalls)
    columns = {"AP": ap.mean(1), "AP50": ap[:, 0], "AP75": ap[:, 5], "AR1": ar[:, 0], "AR10": ar[:, 1]}
    return {key: _mean_over_categories(values) for key, values in columns.items()}


def _recall(
    matches: Matches,
    ours: np.ndarray,
    weights: Float64[np.ndarray, "B N"],
    objects: Float64[np.ndarray, " B"],
    most: int,
) -> Float64[np.ndarray, " B"]:
    """Share of the objects found by the best `most` results a video, mean over the thresholds."""
    hits = ((matches.hits[:, ours] >= 0) & (matches.ranks[ours] < most)).mean(0)
    return np.where(objects > 0, (weights * hits).sum(1) / np.maximum(objects, 1), np.nan)


def _mean_over_categories(values: Float64[np.ndarray, "K B"]) -> Float64[np.ndarray, " B"]:
    """Mean over the categories that a resample has objects of."""
    there = np.isfinite(values)
    total = np.where(there, values, 0).sum(0)
    return np.where(there.any(0), total / np.maximum(there.sum(0), 1), np.nan)


def _intervals(samples: Mapping[str, Float64[np.ndarray, " B"]], tail: float) -> dict[str, Interval]:
    kept = {key: values[np.isfinite(values)] for key, values in samples.items()}
    return {
        key: Interval(*(float(bound) for bound in np.quantile(values, [tail, 1 - tail])))
        for key, values in kept.items()
        if len(values)
    }


def comparison_rows(comparison: Comparison) -> list[list[str]]:
    """Header and one row a method, in percent, each number with its interval; then the differences to the first."""
    rows = [["method", *HEADLINE]]
    for method in comparison.methods:
        cells = [_cell(getattr(method.scores, key), method.intervals.get(key), "") for key in HEADLINE]
        rows.append([method.name, *cells])
    for difference in comparison.differences:
        cells = [_cell(difference.values[key], difference.intervals.get(key), "+") for key in HEADLINE]
        rows.append([f"{difference.name} - {difference.baseline}", *cells])
    return rows


def _cell(value: float, interval: Interval | None, sign: Literal["", "+"]) -> str:
    shown = percent(value) if not sign else f"{100 * value:+.1f}"
    return shown if interval is None else f"{shown} [{100 * interval.low:{sign}.1f}, {100 * interval.high:{sign}.1f}]"


def comparison_note(comparison: Comparison) -> str:
    """What the numbers in brackets are."""
    if not comparison.resamples:
        return f"{comparison.videos} videos, percent"
    brackets = f"{100 * comparison.confidence:g} % intervals over {comparison.resamples} resamples of the videos"
    return f"{comparison.videos} videos, percent; in brackets {brackets}"


_WIDE = len("12.3, +45.6]")
"""Letters of an interval, but for its bracket, five of which fit beside names into 80 columns."""


def comparison_table(comparison: Comparison) -> Table:
    """The comparison for the terminal: intervals below their numbers, so that these fit into 80 columns unbroken."""
    (first, *columns), *rows = comparison_rows(comparison)
    table = Table(first, caption=comparison_note(comparison), box=SIMPLE_HEAD, show_edge=False, padding=0)
    table.columns[0].overflow = "fold"
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    # A lower end stands above its upper one where five intervals would leave no room for the names.
    longest = max(len(cell.partition(" [")[2]) for _, *cells in rows for cell in cells)
    end = ",\n" if longest > _WIDE else ", "
    for number, (name, *cells) in enumerate(rows, 1):
        broken = (cell.replace(" [", "\n[").replace(", ", end) for cell in cells)
        table.add_row(name, *broken, end_section=number == len(comparison.methods))
    return table


def comparison_text(comparison: Comparison, style: Literal["markdown", "csv", "latex"]) -> str:
    """The comparison for a paper or a spreadsheet. csv has one column a bound and nothing rounded."""
    if style == "csv":
        return _csv(comparison)
    rows, note = comparison_rows(comparison), comparison_note(comparison)
    if style == "markdown":
        return markdown_table(rows, note)
    return latex_table(rows, (1 + len(comparison.methods),), note)


def markdown_table(rows: Sequence[Sequence[str]], note: str) -> str:
    """Rows, the first of which is the header, for a README, and a line below it."""
    header, *rest = rows
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rest]
    cells = ("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return "\n".join([*cells, "", note, ""])


def latex_table(rows: Sequence[Sequence[str]], cuts: Sequence[int], note: str) -> str:
    """Rows, the first of which is the header, for a paper; a rule before each of the rows `cuts`, if there is one."""
    lines = [" & ".join(map(_latex, line)) + r" \\" for line in rows]
    for cut in sorted({1, *cuts}, reverse=True):
        if cut < len(lines) or cut == 1:
            lines.insert(cut, r"\midrule")
    frame = [r"\begin{tabular}{l" + "r" * (len(rows[0]) - 1) + "}", r"\toprule", *lines, r"\bottomrule"]
    return "\n".join([f"% {note}", *frame, r"\end{tabular}", ""])


def _latex(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(letter, "\\" + letter if letter in "&%$#_{}" else letter) for letter in text)


def _csv(comparison: Comparison) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["method", "minus", *(f"{key}{end}" for key in HEADLINE for end in ("", " low", " high"))])
    rows: Sequence[Method | Difference] = (*comparison.methods, *comparison.differences)
    for row in rows:
        cells: list[float | str] = []
        for key in HEADLINE:
            interval = row.intervals.get(key)
            value = getattr(row.scores, key) if isinstance(row, Method) else row.values[key]
            cells += [value, *(("", "") if interval is None else (interval.low, interval.high))]
        writer.writerow([row.name, row.baseline if isinstance(row, Difference) else "", *cells])
    return file.getvalue()
