"""The file that evaluation servers take: a zip that holds `results.json`, the plain list of results."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from chronomask.annotations.content import Source, opened, whole_value
from chronomask.annotations.problems import Problem, Problems
from chronomask.evaluation.validate import validate
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
    content = opened(results)
    checked = validate(content, against)
    problems = Problems(content.file, "collect", list(checked.problems))
    problems.raise_errors()
    listed = [
        {field: whole_value(row.fields[field]) for field in _FIELDS}
        for _, row in content.rows(content.listed, problems)
    ]
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("results.json")  # of no time: the same results are the same bytes
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        archive.writestr(entry, json.dumps(listed, separators=(",", ":")))
    return Submission(Path(path), len(listed), checked.warnings)
