"""The report's figures, as inline SVG and HTML: they need no library, no script and no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from jaxtyping import Float64

from chronomask.errors import counted
from chronomask.evaluation.ap import THRESHOLDS, Evaluation, percent
from chronomask.evaluation.error_analysis import Breakdown, Kind

KIND_COLOURS: dict[Kind, str] = {
    "duplicate": "#8d6cab",
    "background": "#7f8c9b",
    "wrong class": "#d9822b",
    "merge": "#2a9d8f",
    "switch": "#1f77b4",
    "split": "#6baed6",
    "poor mask": "#c9a227",
    "missed": "#c0392b",
}

_LEFT, _TOP, _WIDTH, _HEIGHT = 44, 12, 360, 240
"""The plotting area inside its picture, in SVG units."""


def curves(evaluation: Evaluation) -> str:
    """Precision over recall, mean over the categories: at IoU 0.50, at 0.75, and the mean over all thresholds."""
    there = (evaluation.precision > -1).all((0, 1))
    if not there.any():
        return "<p>No objects, no curves.</p>"
    mean = evaluation.precision[:, :, there].mean(2)
    lines = [("IoU 0.50", "#1f77b4", mean[0]), ("IoU 0.75", "#d9822b", mean[5]), ("mean", "#333333", mean.mean(0))]
    assert THRESHOLDS[5] == 0.75, "the second curve is that of IoU 0.75"
    parts = [_axes(), *(_line(values, colour) for _, colour, values in lines)]
    # Below on the left, where curves rarely come: precision is high while little is recalled.
    top = _TOP + _HEIGHT - 17 * len(lines) - 8
    parts.append(f'<rect x="{_LEFT + 4}" y="{top}" width="96" height="{17 * len(lines) + 4}" fill="Canvas"/>')
    for row, (name, colour, _) in enumerate(lines):
        y = top + 15 + 17 * row
        parts.append(f'<rect x="{_LEFT + 10}" y="{y - 6}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + 30}" y="{y}">{name}</text>')
    size = f"0 0 {_LEFT + _WIDTH + 12} {_TOP + _HEIGHT + 44}"
    return f'<svg class="plot" viewBox="{size}" role="img" aria-label="precision over recall">{"".join(parts)}</svg>'


def _axes() -> str:
    parts = []
    for step in range(6):
        x, y, share = _LEFT + _WIDTH * step / 5, _TOP + _HEIGHT * (1 - step / 5), step / 5
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.0f}h{_WIDTH}M{x:.0f} {_TOP}v{_HEIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{share:g}</text>')
        parts.append(f'<text x="{x:.0f}" y="{_TOP + _HEIGHT + 17}" text-anchor="middle">{share:g}</text>')
    parts.append(f'<text x="{_LEFT + _WIDTH / 2}" y="{_TOP + _HEIGHT + 37}" text-anchor="middle">recall</text>')
    middle = _TOP + _HEIGHT / 2
    parts.append(f'<text x="11" y="{middle}" text-anchor="middle" transform="rotate(-90 11 {middle})">precision</text>')
    return "".join(parts)


def _line(values: Float64[np.ndarray, "101"], colour: str) -> str:
    points = " ".join(
        f"{_LEFT + _WIDTH * r / (len(values) - 1):.1f},{_TOP + _HEIGHT * (1 - value):.1f}"
        for r, value in enumerate(values)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def class_bars(evaluation: Evaluation) -> str:
    """One row a category that has objects, best AP first: a bar for AP, a paler one up to AP50."""
    rows = sorted((c for c in evaluation.per_category if c.objects), key=lambda c: -c.scores.AP)
    parts = []
    for row in rows:
        bar = _bar([(row.scores.AP, "#1f77b4", "AP"), (row.scores.AP50 - row.scores.AP, "#a6c8e4", "AP50")])
        counts = f"{counted(row.objects, 'object')}, {counted(row.predictions, 'result')}"
        numbers = f"{percent(row.scores.AP)} / {percent(row.scores.AP50)}"
        parts.append(f'<div class="bar-name">{escape(row.name)}<small>{counts}</small></div>{bar}<div>{numbers}</div>')
    return f'<div class="bars">{"".join(parts)}</div>'


def loss_bar(breakdown: Breakdown) -> str:
    """One bar from 0 to 1: AP, then what mending one kind after the other adds."""
    parts = [(breakdown.AP, "#3a8f4d", "AP")]
    before = breakdown.AP
    for row in breakdown.kinds:
        parts.append((row.AP_after - before, KIND_COLOURS[row.kind], row.kind))
        before = row.AP_after
    return _bar(parts)


def _bar(parts: Sequence[tuple[float, str, str]]) -> str:
    spans = "".join(
        f'<span style="width:{100 * max(share, 0):.2f}%;background:{colour}" title="{name} {100 * share:.1f}"></span>'
        for share, colour, name in parts
    )
    return f'<div class="bar">{spans}</div>'


def loss_table(breakdown: Breakdown) -> str:
    """The kinds of error with their counts and gains."""
    head = "<tr><th>error</th><th>count</th><th>AP gain</th><th>AP50 gain</th><th>AP after</th></tr>"
    first = f"<tr><td>{_dot('#3a8f4d')}AP as it is</td><td></td><td></td><td></td><td>{percent(breakdown.AP)}</td></tr>"
    rows = [
        f"<tr><td>{_dot(KIND_COLOURS[row.kind])}{row.kind}</td><td>{row.count}</td><td>{100 * row.AP_gain:+.1f}</td>"
        f"<td>{100 * row.AP50_gain:+.1f}</td><td>{percent(row.AP_after)}</td></tr>"
        for row in breakdown.kinds
    ]
    return f"<table>{head}{first}{''.join(rows)}</table>"


def _dot(colour: str) -> str:
    return f'<i class="dot" style="background:{colour}"></i>'
