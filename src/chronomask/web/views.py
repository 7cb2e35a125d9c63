"""What the page is told of a project, as json."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile
from chronomask.errors import InputError
from chronomask.render import track_colour
from chronomask.web.jobs import Job, Jobs
from chronomask.web.project import Project

MOST_FRAMES = 256
"""Of masks in one answer."""

_SAMPLES = 15
"""Frames of a track by which its size is judged, and its picture chosen."""


@dataclass(frozen=True)
class Picture:
    """Where the small picture of a track is taken.

    Attributes:
        name: of its file; another mask gives another one.
        frame: number of the frame.
        box: left, upper, right and lower edge in it, from 0 to 1.
    """

    name: str
    frame: int
    box: tuple[float, float, float, float]


class Summaries:
    """What tracks look like in the table; kept for those that a step leaves as they are."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Track, dict[str, Any], Picture | None]] = {}

    def of(self, file: TracksFile) -> list[dict[str, Any]]:
        names = file.names
        size = (file.videos[0].width, file.videos[0].height)
        found = {}
        for track in file.tracks:
            known = self._known.get(track.id)
            if known is None or known[0] is not track:
                picture = _picture(track, size)
                known = (track, _summary(track, names.get(track.category_id, "?"), picture), picture)
            found[track.id] = known
        self._known = found
        return [summary for _, summary, _ in found.values()]

    def pictures(self) -> list[Picture]:
        """Of the tracks that were asked for last."""
        return [picture for *_, picture in self._known.values() if picture is not None]


def _summary(track: Track, name: str, picture: Picture | None) -> dict[str, Any]:
    seen = [mask is not None for mask in track.segmentations]
    edges = np.flatnonzero(np.diff([False, *seen, False]))
    spans = [[int(first), int(end) - 1] for first, end in zip(edges[::2], edges[1::2], strict=True)]
    return {
        "id": track.id,
        "name": name,
        "score": track.score,
        "classScore": track.class_score,
        "colour": track_colour(track.id),
        "frames": sum(seen),
        "spans": spans,
        "picture": None if picture is None else picture.name,
    }


def _picture(track: Track, size: tuple[int, int]) -> Picture | None:
    """Of the frame in which the track is largest, among some."""
    seen = np.flatnonzero([mask is not None for mask in track.segmentations])
    some = np.unique(seen[np.linspace(0, len(seen) - 1, _SAMPLES).round().astype(int)]) if len(seen) else []
    masks = [(int(frame), mask) for frame in some if (mask := track.segmentations[int(frame)]) is not None]
    if not masks:
        return None
    frame, mask = max(masks, key=lambda one: rle.area(one[1]))
    x, y, width, height = rle.bbox(mask)
    box = (x / size[0], y / size[1], (x + width) / size[0], (y + height) / size[1])
    return Picture(f"{track.id}-{frame}-{zlib.crc32(mask['counts'].encode()):08x}", frame, box)


def project_json(project: Project, summaries: Summaries) -> dict[str, Any]:
    """All but the masks."""
    state = project.state
    shown: dict[str, Any] = {
        "id": project.id,
        "name": state.name,
        "width": state.width,
        "height": state.height,
        "pixelAspect": state.pixel_aspect,
        "fps": state.fps,
        "length": state.length,
        "plays": state.plays,
        "whyCopy": state.why_copy,
        "copySize": state.copy_size,
        "complete": state.complete,
        "note": state.note,
        "taught": state.model != "lite",
        "truth": state.truth,
        "view": project.view(),
        "run": state.run,
        "tracks": [],
        "categories": [],
        "revision": 0,
        "undo": None,
        "redo": None,
        "nextId": 1,
    }
    if not state.run:
        return shown
    corrections = project.corrections
    file, journal = corrections.now, corrections.journal
    last = file.info.get("last_track_id", 0)
    shown |= {
        "tracks": [_with_picture(track, project) for track in summaries.of(file)],
        "categories": [category.name for category in file.categories],
        "revision": journal.revision,
        "undo": _told(journal.steps[journal.done - 1]) if journal.done else None,
        "redo": _told(journal.steps[journal.done]) if journal.done < len(journal.steps) else None,
        "nextId": max([last if isinstance(last, int) else 0, *(track.id for track in file.tracks)]) + 1,
    }
    return shown


def _with_picture(track: dict[str, Any], project: Project) -> dict[str, Any]:
    """With its picture, if that is there already."""
    there = (project.pictures / f"{track['picture']}.jpg").is_file()
    return track if there else {**track, "picture": None}


def _told(step: tuple[str, ...]) -> str:
    """A step in short; the run lengths of a mask are no reading matter."""
    if step[-1].startswith("file:"):
        return "points"
    return step[-1].partition("=")[0] if step[-1].startswith("paint") else step[-1]


def masks_json(project: Project, first: int, count: int) -> dict[str, Any]:
    """The run lengths of some frames: for each a mapping from track to `counts`."""
    corrections = project.corrections
    file = corrections.now
    last = min(file.videos[0].length, first + min(count, MOST_FRAMES))
    frames: list[dict[str, str]] = [{} for _ in range(first, last)]
    for track in file.tracks:
        for place, frame in enumerate(range(first, last)):
            if (mask := track.segmentations[frame]) is not None:
                frames[place][str(track.id)] = mask["counts"]
    return {"revision": corrections.journal.revision, "run": project.state.run, "first": first, "frames": frames}


def masks_from(project: Project, first: int, number: object) -> list[rle.Rle | None]:
    """The masks of a track in some frames from one on, at least as many as a clip has.

    Raises:
        InputError: there is no such track.
    """
    for track in project.corrections.now.tracks:
        if track.id == number:
            frames = range(first, min(len(track.segmentations), first + MOST_FRAMES))
            return [track.segmentations[frame] for frame in frames]
    raise InputError(f"track {number!r:.20}: there is none")


def job_json(job: Job, jobs: Jobs) -> dict[str, Any]:
    return {
        "id": job.id,
        "project": job.project,
        "kind": job.kind,
        "state": job.state,
        "task": job.task,
        "done": job.done,
        "total": job.total,
        "left": job.left,
        "ahead": jobs.ahead(job),
        "result": job.result if job.state == "done" else None,
        "error": job.error,
    }
