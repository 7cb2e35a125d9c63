"""The account of an import: what became of every tensor of the file and of the network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import NamedTuple, TypeVar

from rich.table import Table

Entry = TypeVar("Entry")


class Taken(NamedTuple):
    """A tensor of the file, and the name of the network's that it became."""

    theirs: str
    ours: str


class Skipped(NamedTuple):
    """A tensor of the file that was not taken, and the reason."""

    theirs: str
    why: str


class Implied(NamedTuple):
    """A tensor of the network that the file does not hold, but that follows from it."""

    ours: str
    why: str


@dataclass(frozen=True)
class ImportReport:
    """What an import did. Every tensor of the file is in `taken` or `skipped`, once; every tensor of the network in
    `taken`, `implied` or `missing`, once.

    Attributes:
        source: the file.
        layout: whose names it uses.
        taken: copied, converted where `notes` say so.
        skipped: of the file, left out.
        implied: of the network, set without a partner in the file.
        missing: of the network, left as they were.
        notes: what else was done, and what does not fit; sentences for people.
    """

    source: str
    layout: str
    taken: tuple[Taken, ...]
    skipped: tuple[Skipped, ...]
    implied: tuple[Implied, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]


def import_table(report: ImportReport) -> Table:
    """The account for a terminal, one row for tensors that share a fate and the beginning of their names."""
    table = Table(
        title=f"{report.source}: {report.layout}",
        caption="\n".join(report.notes) or None,
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("", "in the file", "in the network", "why"):
        table.add_column(heading, overflow="fold")
    table.add_column("tensors", justify="right")

    def row(fate: str, theirs: Iterable[str], ours: Iterable[str], why: str, count: int) -> None:
        table.add_row(fate, _summary(theirs), _summary(ours), why, str(count))

    for _, taken in _grouped(report.taken, lambda entry: _module(entry.ours)):
        row("taken", (entry.theirs for entry in taken), (entry.ours for entry in taken), "", len(taken))
    for why, implied in _grouped(report.implied, lambda entry: entry.why):
        row("implied", (), (entry.ours for entry in implied), why, len(implied))
    for why, skipped in _grouped(report.skipped, lambda entry: entry.why):
        row("skipped", (entry.theirs for entry in skipped), (), why, len(skipped))
    for _, missing in _grouped(report.missing, _module):
        row("missing", (), missing, "", len(missing))
    return table


def import_listing(report: ImportReport) -> str:
    """The account in full, one tensor a line, fields apart by tabs: fate, theirs, ours, why."""
    lines = [
        *(f"taken\t{theirs}\t{ours}\t" for theirs, ours in report.taken),
        *(f"implied\t\t{ours}\t{why}" for ours, why in report.implied),
        *(f"skipped\t{theirs}\t\t{why}" for theirs, why in report.skipped),
        *(f"missing\t\t{ours}\t" for ours in report.missing),
    ]
    return "\n".join(lines) + "\n"


def _grouped(entries: Iterable[Entry], key: Callable[[Entry], str]) -> list[tuple[str, list[Entry]]]:
    return [(name, list(group)) for name, group in groupby(sorted(entries, key=key), key=key)]


def _module(ours: str) -> str:
    """backbone.layer1, fpn.lateral, decoder, ...: fine where tensors are taken, coarse where they never are."""
    parts = ours.split(".")
    return ".".join(parts[: 2 if parts[0] in ("backbone", "fpn") else 1])


def _summary(names: Iterable[str]) -> str:
    names = list(names)
    common = "".join(
        letters[0] for letters in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    )
    return common if len(names) < 2 else f"{common}*"
