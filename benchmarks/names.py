"""Does `class_score` mean what it says? Of tracks with some class score, the share that is named rightly.

    python benchmarks/names.py TRUTH.json TRACKS.json [TRUTH.json TRACKS.json ...] [--plot FILE.svg] [--each 20]

Counted are the tracks that `segment` would write (--score) and that found an object with a class (IoU 0.5, whatever the
track is called) and were given a name. There are as many bins as the data carry: each has --each tracks or more. The
bars are 95 % intervals of a share (Wilson).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from axes import place, plotted
from rich.console import Console
from rich.table import Table

from chronomask.categories import OBJECT
from chronomask.config import SegmentConfig
from chronomask.evaluation.matching import match
from chronomask.evaluation.selection import without_classes
from chronomask.evaluation.validate import read_results, read_truth


class Bin(NamedTuple):
    """Tracks of neighbouring class scores.

    Attributes:
        count: of the tracks.
        said: their mean class score.
        right: share of them that is named rightly.
        low, high: interval of that share.
    """

    count: int
    said: float
    right: float
    low: float
    high: float


def named(truth_file: Path, tracks_file: Path, score: float) -> list[tuple[float, bool]]:
    """Of every track that found an object of a class and has a name: its class score, and whether the name is right."""
    truth = read_truth(truth_file)
    found = [track for track in read_results(tracks_file, truth) if track.score >= score]
    matches = match(*without_classes(truth, found))
    pairs = []
    for track, hit in zip(found, matches.hits[0].tolist(), strict=True):
        if hit >= 0 and track.category_id != OBJECT.id and track.class_score is not None:
            true = truth.tracks[hit].category_id
            if true != OBJECT.id:
                pairs.append((track.class_score, track.category_id == true))
    return pairs


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's, 95 %, of a share."""
    z = 1.96
    middle, width = right + z * z / 2, z * np.sqrt(right * (count - right) / count + z * z / 4)
    return float((middle - width) / (count + z * z)), float((middle + width) / (count + z * z))


def binned(pairs: list[tuple[float, bool]], each: int) -> list[Bin]:
    """Bins of `each` tracks or more, by class score."""
    said, right = (np.array(column) for column in zip(*sorted(pairs), strict=True))
    groups = np.array_split(np.arange(len(said)), max(1, len(said) // each))
    return [of(said[group], right[group]) for group in groups]


def of(said: np.ndarray, right: np.ndarray) -> Bin:
    """The bin of some tracks, one at least."""
    return Bin(len(said), float(said.mean()), float(right.mean()), *interval(int(right.sum()), len(said)))


def plot(bins: list[Bin]) -> str:
    """The bins as SVG: a dot and its interval each; on the diagonal a class score means what it says."""
    marks = []
    for one in bins:
        (x, y), (_, low), (_, high) = (place(one.said, value) for value in (one.right, one.low, one.high))
        marks.append(
            f'<path d="M{x} {low}V{high}" stroke="#1f77b4"/><circle cx="{x}" cy="{y}" r="4" fill="#1f77b4"/>'
            f'<text x="{x}" y="{high - 5}">{one.count}</text>'
        )
    ticks = "".join(
        f'<text x="{place(v, 0)[0]}" y="396">{v:.1f}</text><text x="34" y="{place(0, v)[1] + 4}">{v:.1f}</text>'
        for v in np.linspace(0, 1, 6)
    )
    return plotted(ticks + "".join(marks), "class score; the numbers count tracks", "share named rightly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="annotations and tracks.json, by turns")
    parser.add_argument("--score", type=float, default=SegmentConfig().score, help="of the tracks that are counted")
    parser.add_argument("--each", type=int, default=20, help="fewest tracks a bin")
    parser.add_argument("--plot", type=Path, help="write the plot here, as SVG")
    options = parser.parse_args()
    if len(options.files) % 2:
        parser.error("annotations and tracks.json come by turns")

    files = zip(options.files[::2], options.files[1::2], strict=True)
    pairs = [pair for truth, tracks in files for pair in named(truth, tracks, options.score)]
    table = Table("class score", "tracks", "right", "interval")
    for one in binned(pairs, options.each):
        table.add_row(f"{one.said:.2f}", str(one.count), f"{one.right:.2f}", f"{one.low:.2f} to {one.high:.2f}")
    table.add_section()
    for low, high in ((0.7, 0.9), (0.0, 1.0)):
        within = [(said, right) for said, right in pairs if low <= said <= high]
        if within:
            said, right = (np.array(column) for column in zip(*within, strict=True))
            one = of(said, right)
            table.add_row(f"{low} to {high}", str(one.count), f"{one.right:.2f}", f"{one.low:.2f} to {one.high:.2f}")
    Console().print(table)
    if options.plot:
        options.plot.write_text(plot(binned(pairs, options.each)))


if __name__ == "__main__":
    main()
