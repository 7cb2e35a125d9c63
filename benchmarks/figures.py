"""The figures that README.md and RESULTS.md show, kept in one small file that the benchmarks write.

    python benchmarks/figures.py      brings the tables of the pages up to date

Each benchmark with `--record` calls `record`, which writes `figures.json`. A table of a page has a comment before it,
such as `<!-- figures: composites -->`, which names the entries that its cells come from: a row is looked up by its
first cell, a column by its heading (`<!-- figures: speed; 帧/秒=frames/s -->` where the file has another word). A test
holds every such cell to the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "README.zh.md", "RESULTS.md")
FILE = Path(__file__).with_suffix(".json")

TABLE = re.compile(r"(?:<!-- figures: ([^;>]+?)(?:; ([^>]+?))? -->\n+)?((?:^\|.*\n)+)", re.MULTILINE)
NUMBER = re.compile(r"[+-]?\d[\d,]*(\.\d+)?")

Rows = Mapping[str, Mapping[str, float | str]]
"""Row and column to what stands in the cell. Numbers are not rounded: the pages do that."""


def record(name: str, rows: Rows, *, command: str, weights: Path | None = None, file: Path = FILE) -> None:
    """Puts the figures of one benchmark into the file, in place of those it had.

    Args:
        name: of the entry, as the comments before tables name it.
        rows: the figures.
        command: what gives them again; no path of this machine (`$D` is the folder of the data sets).
        weights: the checkpoint that they are of, where they depend on one. A test then asks that it is the bundled one.
        file: where they are kept.
    """
    figures = json.loads(file.read_text()) if file.exists() else {}
    figures[name] = {
        "command": command,
        "commit": _commit(),
        "machine": machine(),
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest() if weights else None,
        "rows": rows,
    }
    aside = file.with_name(file.name + ".partial")
    aside.write_text(json.dumps(figures, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    aside.replace(file)


def machine() -> str:
    """The processor by its name, how many cores this process may use, and what they can do."""
    from chronomask.device import (
        processor_features,
    )  # here, for older trees that benchmarks/segment.py measures lack it

    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1] for line in info.read_text().splitlines() if line.startswith("model name")]
    name = names[0].strip() if names else platform.machine()
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} core{'' if cores == 1 else 's'}, {', '.join(processor_features())}"


def _commit() -> str:
    """The commit that is checked out; `+` behind it where the package's files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "src") else "")


def up_to_date(page: str, figures: Mapping[str, Any]) -> str:
    """The page with what the file says in every cell of its tables, with as many digits as the cell has.

    Raises:
        ValueError: a cell holds a number that no benchmark has written, or one of another kind.
    """
    return TABLE.sub(lambda found: _filled(found, figures), page)


def _filled(found: re.Match[str], figures: Mapping[str, Any]) -> str:
    names, words, table = found.groups()
    whole = found.group()
    heading, ruler, *lines = table.splitlines()
    translated = dict(pair.split("=") for pair in words.split(", ")) if words else {}
    columns = [translated.get(column, column) for column in _cells(heading)[1:]]
    rows = []
    for line in lines:
        first, *cells = _cells(line)
        known: dict[str, float | str] = {}
        for name in reversed(names.split() if names else []):
            for row in {first.strip("*"), translated.get(first.strip("*"), first.strip("*"))}:
                known |= figures[name]["rows"].get(row, {})
        pairs = zip(columns, cells, strict=True)
        cells = [_cell(cell, known.get(column), f"{first}, {column}") for column, cell in pairs]
        rows.append(f"| {' | '.join([first, *cells])} |".replace("|  |", "| |").replace("|  |", "| |"))
    return whole[: -len(table)] + "\n".join([heading, ruler, *rows]) + "\n"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _cell(cell: str, value: float | str | None, place: str) -> str:
    plain = cell.strip("*")
    if value is None:
        if NUMBER.fullmatch(plain):
            raise ValueError(f"{place}: {cell} is in no figure that the table names")
        return cell
    if not isinstance(value, str):
        number = NUMBER.fullmatch(plain)
        value = f"{value:,.{len(number[1] or '.') - 1 if number else 1}f}"
    return cell.replace(plain, value) if plain else value


def main() -> None:
    figures = json.loads(FILE.read_text())
    for name in PAGES:
        path = ROOT / name
        if (text := up_to_date(before := path.read_text(), figures)) != before:
            path.write_text(text)
            print(f"{name}: brought up to date")


if __name__ == "__main__":
    main()
