"""The table as text: markdown, csv, LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from chronomask.baselines.budget import FRAMES, Budget
from chronomask.baselines.run import First
from chronomask.baselines.systems import TITLES
from chronomask.evaluation.ap import HEADLINE
from chronomask.evaluation.compare import (
    Comparison,
    comparison_note,
    comparison_rows,
    latex_table,
    markdown_table,
)

PUBLISHED = "YouTube-VIS 2019 val, as the paper's Table 1 has it"

YTVIS: dict[str, tuple[float, ...]] = {
    "OSMN MaskProp": (23.4, 36.5, 25.7, 28.9, 31.1),
    "IoUTracker+": (23.6, 39.2, 25.5, 26.2, 30.9),
    "DeepSORT": (26.1, 42.9, 26.1, 27.8, 31.3),
    "FEELVOS": (26.9, 42.0, 29.7, 29.9, 33.4),
    "OSMN": (27.5, 45.1, 29.1, 28.6, 33.1),
    "SeqTracker": (27.5, 45.7, 28.7, 29.7, 32.5),
    "MaskTrack R-CNN": (30.3, 51.1, 32.6, 31.0, 35.5),
    "Ours": (31.6, 49.9, 34.6, 31.3, 37.6),
}
"""mAP, AP@50, AP@75, AR@1, AR@10 of Table 1: those of Yang, Fan and Xu (2019), Table 1, and the paper's own."""


@dataclass(frozen=True)
class Judged:
    """All systems on one data set.

    Attributes:
        name: of the data set.
        comparison: ours first.
        seconds: of the processor that each takes a frame.
    """

    name: str
    comparison: Comparison
    seconds: Mapping[str, float]


Style = Literal["markdown", "csv", "latex"]


def table_texts(judged: Sequence[Judged], style: Style, note: str) -> str:
    """The tables of all data sets; `note` says how they came about. csv is one table, and nothing in it is rounded."""
    if style == "csv":
        return _csv(judged)
    parts = []
    for one in judged:
        rows, cut = _rows(one)
        said = f"{one.name}: {comparison_note(one.comparison)}; cost: milliseconds of the processor a frame; {note}"
        parts.append(markdown_table(rows, said) if style == "markdown" else latex_table(rows, (cut,), said))
    return "\n".join(parts)


def budget_note(budget: Budget, first: First) -> str:
    """How a table came about."""
    said = "the first frame with detections" if first == "detections" else "every object's first mask"
    return (
        f"{budget.steps} steps of {FRAMES} frames of {budget.height}x{budget.width} for each trained network,"
        f" from the weights of ours; masks are carried from {said}; published: {PUBLISHED}"
    )


def _rows(judged: Judged) -> tuple[list[list[str]], int]:
    """Header, a row a system in the order of the paper, ours last, and what ours is better or worse by; and where these
    begin."""
    header, *rows = comparison_rows(judged.comparison)
    count = len(judged.comparison.methods)
    by_name = {row[0]: row for row in rows[:count]}
    methods = [
        [*by_name[name], f"{1000 * judged.seconds[name]:.0f}", *(f"{value:.1f}" for value in YTVIS[name])]
        for name in (*TITLES.values(), "Ours")
    ]
    empty = [""] * (1 + len(HEADLINE))
    differences = [[*row, *empty] for row in rows[count:]]
    return [[*header, "cost", *(f"published {key}" for key in HEADLINE)], *methods, *differences], 1 + count


def _csv(judged: Sequence[Judged]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    bounds = [f"{key}{end}" for key in HEADLINE for end in ("", " low", " high")]
    writer.writerow(["data", "method", *bounds, "seconds a frame"])
    for one in judged:
        for method in one.comparison.methods:
            cells: list[float | str] = []
            for key in HEADLINE:
                interval = method.intervals.get(key)
                cells += [getattr(method.scores, key), *((interval.low, interval.high) if interval else ("", ""))]
            writer.writerow([one.name, method.name, *cells, one.seconds[method.name]])
    for name, values in YTVIS.items():
        cells = [cell for value in values for cell in (round(value / 100, 3), "", "")]
        writer.writerow([f"published: {PUBLISHED}", name, *cells, ""])
    return file.getvalue()
