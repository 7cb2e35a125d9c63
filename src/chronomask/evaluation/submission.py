"""The file that evaluation servers take: a zip that holds `results.json`, the plain list of results."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chronomask.evaluation.problems import Problem, raise_errors
from chronomask.evaluation.validate import Source, load, name_of, validate
from chronomask.files import written_aside


@dataclass(frozen=True)
class Submission:
    """What `submit` wrote.

    Attributes:
        path: the zip.
        results: how many results it holds.
        warnings: what `validate` had to say about them.
    """

    path: Path
    results: int
    warnings: tuple[Problem, ...]


_FIELDS = ("video_id", "category_id", "score", "segmentations")


def submit(results: Source, path: str | Path, against: Source | None = None) -> Submission:
    """Check results and pack them for a server.

    Args:
        results: a result list or `tracks.json`; only the fields that servers read are kept.
        path: the zip to write; nothing is left there if anything goes wrong.
        against: the annotation file of the videos, if there is one: servers publish it without annotations.

    Raises:
        InputError: naming the place of every error of the results.
    """
    data = load(results)
    checked = validate(data, against)
    raise_errors(name_of(results), checked.problems)
    entries = data["annotations"] if isinstance(data, Mapping) else data
    listed = [{field: entry[field] for field in _FIELDS} for entry in entries]
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results.json", json.dumps(listed, separators=(",", ":")))
    return Submission(Path(path), len(listed), checked.warnings)
