"""Annotation and result files: read so that they can be scored, or told what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.markup import escape
from rich.table import Table

from chronomask.errors import InputError
from chronomask.evaluation.parsing import parse_categories, parse_results, parse_truth, parse_videos
from chronomask.evaluation.problems import Collector, Problem, shown
from chronomask.evaluation.records import FoundTrack, GroundTruth
from chronomask.formats.ytvis import VideoEntry

Source = str | Path | Mapping[str, Any] | Sequence[Any]
"""A json file, or what one holds."""


def read_truth(source: Source) -> GroundTruth:
    """Read an annotation file.

    Raises:
        InputError: naming the file and, one a line, the place and value of its errors.
    """
    found = Collector(name_of(source), thorough=False)
    truth = parse_truth(load(source), found)
    found.raise_errors()
    return truth


def read_results(source: Source, truth: GroundTruth) -> list[FoundTrack]:
    """Read results for the videos and categories of an annotation file.

    Raises:
        InputError: naming the file and, one a line, the place and value of its errors.
    """
    found = Collector(name_of(source), thorough=False)
    tracks = parse_results(load(source), found, truth.videos, truth.categories)
    found.raise_errors()
    return tracks


def name_of(source: Source) -> str:
    """What messages call a source."""
    return str(source) if isinstance(source, str | Path) else "data"


def load(source: Source) -> Any:
    """What a json file holds.

    Raises:
        InputError: if the file is missing, not readable or no json.
    """
    if not isinstance(source, str | Path):
        return source
    try:
        return json.loads(Path(source).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{source}: no such file") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: not json: {error}") from None


@dataclass(frozen=True)
class Validation:
    """What `validate` found.

    Attributes:
        file: the file that was looked at.
        kind: "annotations" or "results".
        problems: all faults, in the order of the file.
        entries: how many annotations or results it holds.
    """

    file: str
    kind: Literal["annotations", "results"]
    problems: tuple[Problem, ...]
    entries: int

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Faults that make the official evaluator crash or miscount, and `evaluate` refuse the file."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """All other faults."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")


def validate(file: Source, against: Source | None = None) -> Validation:
    """Find every fault of an annotation or result file.

    Args:
        file: an annotation file, or results: a list, or an annotation file whose annotations have a `score`.
        against: the annotation file that results are for, of which only videos and categories are read: test sets come
            without annotations. Without it, masks of one video must only agree in size and number.

    Raises:
        InputError: if a file is missing or no json, or the videos or categories of `against` have errors of their own.
    """
    data = load(file)
    found = Collector(name_of(file))
    results = _are_results(data, against is not None)
    if results:
        videos, categories = (None, None) if against is None else _read_listing(against)
        tracks = parse_results(data, found, videos, categories)
        if videos is not None:
            _warn_of_silence(videos, tracks, found)
    else:
        if against is not None:
            raise InputError(f"{name_of(file)}: annotations without scores; only results are validated against a file")
        parse_truth(data, found)
    listed = data.get("annotations", ()) if isinstance(data, Mapping) else data
    entries = len(listed) if isinstance(listed, Sequence) else 0
    return Validation(found.file, "results" if results else "annotations", tuple(found.problems), entries)


def _are_results(data: Any, if_empty: bool) -> bool:
    """Whether a file holds results rather than truth; without annotations it could be either."""
    if not isinstance(data, Mapping):
        return True
    annotations = data.get("annotations")
    if annotations == []:
        return if_empty
    return isinstance(annotations, Sequence) and any(isinstance(a, Mapping) and "score" in a for a in annotations)


def _read_listing(source: Source) -> tuple[Mapping[int, VideoEntry], Mapping[int, str]]:
    """Videos and categories of an annotation file whose annotations may be held back, as those of test sets are."""
    data = load(source)
    found = Collector(name_of(source))
    if not isinstance(data, Mapping):
        found.error("file", f"an object with videos and categories is needed, this is {shown(data)}")
        data = {}
    listing = parse_videos(data.get("videos") or (), found), parse_categories(data.get("categories") or (), found)
    found.raise_errors()
    return listing


def _warn_of_silence(videos: Mapping[int, VideoEntry], tracks: Sequence[FoundTrack], found: Collector) -> None:
    silent = sorted(set(videos) - {track.video_id for track in tracks})
    if silent:
        found.warn("file", f"no result for {len(silent)} of {len(videos)} videos, ids {shown(silent)}")


def validation_table(validation: Validation) -> Table:
    """The problems as a table for the terminal, errors first."""
    errors, warnings = len(validation.errors), len(validation.warnings)
    title = f"{validation.file}: {validation.entries} {validation.kind}, {errors} errors, {warnings} warnings"
    table = Table("", "place", "problem", title=title, title_justify="left")
    for problem in (*validation.errors, *validation.warnings):
        style = "red" if problem.severity == "error" else "yellow"
        table.add_row(problem.severity, escape(problem.place), escape(problem.message), style=style)
    return table
