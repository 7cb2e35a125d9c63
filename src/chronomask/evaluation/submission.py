"""The file that evaluation servers take: a zip that holds `results.json`, the plain list of results."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

from chronomask.annotations.content import Content, Source
from chronomask.annotations.problems import Problem, Problems
from chronomask.errors import InputError
from chronomask.evaluation.validate import validated
from chronomask.files import written_aside
from chronomask.formats.reading import Note, opened_or_recognised, unheard


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


def submit(results: Source, path: str | Path, against: Source | None = None, note: Note = unheard) -> Submission:
    """Check results and pack them for a server.

    Args:
        results: a result list, a `tracks.json`, or results in any format; only what servers read is kept.
        path: the zip to write; nothing is left there if anything goes wrong.
        against: the annotation file of the videos, if there is one: servers publish it without annotations. Formats
            other than json need it, for its ids of videos and classes are those that the server knows.
        note: called with what reading assumes, a sentence each.

    Raises:
        InputError: naming the place of every error of the results.
    """
    if against is None and not isinstance(opened_or_recognised(results), Content):
        raise InputError(
            f"{results}: has not the ids of videos and classes by which a server knows them; say --against"
            " INSTANCES.json, the annotation file that the server publishes"
        )
    checked, tracks = validated(results, against, note)
    Problems(checked.file, "collect", list(checked.problems)).raise_errors()
    listed = [
        {
            "video_id": track.video_id,
            "category_id": track.category_id,
            "score": track.score,
            "segmentations": list(track.segmentations),
        }
        for track in tracks
    ]
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("results.json")  # of no time: the same results are the same bytes
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        archive.writestr(entry, json.dumps(listed, separators=(",", ":")))
    return Submission(Path(path), len(listed), checked.warnings)
