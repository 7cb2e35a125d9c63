"""How well several objects with real motion are found, named and followed: AP, HOTA and IDF1 on composites.

    python benchmarks/composites.py COMPOSITES [COMPOSITES ...] [--model lite] [--json FILE] [--record]

Each COMPOSITES holds instances.json and JPEGImages: cut-outs of videos that pass over other videos, as
`chronomask dataset synthesize VIDEOS,partial COMPOSITES --max-pastes 3 --length 32` makes them. All but the last column
are without names, as `chronomask evaluate --class-agnostic --tracking` gives them.
"""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

from figures import record
from rich.console import Console
from rich.table import Table

import chronomask
from chronomask.engines.models import checkpoint_file

COLUMNS = ("AP", "AP50", "AP75", "HOTA", "IDF1", "AP with names")


def scores(model: str, folder: Path) -> dict[str, float]:
    """The columns for one set of composites, in percent."""
    truth = folder / "instances.json"
    with TemporaryDirectory() as place:
        found = Path(place) / "tracks.json"
        chronomask.predict(model, truth, folder / "JPEGImages", found)
        named = chronomask.evaluate(truth, found).masks.scores
        measured = chronomask.evaluate(truth, found, chronomask.EvaluateConfig(class_agnostic=True, tracking=True))
    masks, tracking = measured.masks.scores, measured.tracking
    assert tracking is not None, "it was asked for"
    values = (masks.AP, masks.AP50, masks.AP75, tracking.scores.HOTA, tracking.scores.IDF1, named.AP)
    return {column: 100 * value for column, value in zip(COLUMNS, values, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("composites", type=Path, nargs="+")
    parser.add_argument("--model", default="lite", help="a bundled model, an exported network or a checkpoint")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--record", action="store_true", help="keep the figures for RESULTS.md")
    options = parser.parse_args()
    rows = {folder.name: scores(options.model, folder) for folder in options.composites}
    table = Table("", *COLUMNS)
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.1f}" for value in row.values()))
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    if options.record:
        names = " ".join(shlex.quote(folder.name) for folder in options.composites)
        command = f"python benchmarks/composites.py {names}"
        record("composites", rows, command=command, weights=checkpoint_file(options.model))


if __name__ == "__main__":
    main()
