"""Scoring the tracks of one video against what is true of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.categories import plain
from chronomask.errors import InputError
from chronomask.formats.footage import open_part, part_of
from chronomask.formats.ytvis import read_tracks, write_tracks
from chronomask.progress import Progress
from chronomask.video import Selection


def score(progress: Progress, truth: str, tracks: str, video: str, folder: str) -> dict[str, Any]:
    """Scores tracks against what is true, with names and without, and writes a report.

    Args:
        truth: annotations in any format, of this video, or of several with one of its name.
    """
    from chronomask.config import EvaluateConfig
    from chronomask.evaluation.evaluate import evaluate
    from chronomask.evaluation.filmstrip import FRAMES
    from chronomask.formats.convert import read

    place, found = Path(folder), read_tracks(Path(tracks))
    part = part_of(found)
    true, found = _together(read(Path(truth)), found)
    paths = place / "truth.json", place / "found.json"
    with_frames = _some_frames(video, part, true, place / "frames", FRAMES, progress)
    write_tracks(paths[0], with_frames, true.categories, true.tracks, {})
    write_tracks(paths[1], found.videos, found.categories, found.tracks, {})
    named = evaluate(*paths, report=place / "report.html", frames=place / "frames", overwrite=True)
    anonymous = evaluate(*paths, EvaluateConfig(class_agnostic=True))
    shutil.rmtree(place / "frames")
    return {"named": named.to_json(), "anonymous": anonymous.to_json()}


def _together(true: TracksFile, found: TracksFile) -> tuple[TracksFile, TracksFile]:
    """The true tracks of the video that tracks were found in, and these with the same ids of classes.

    Raises:
        InputError: there is no such video, or one of another length or size.
    """
    (entry,) = found.videos
    same = [video for video in true.videos if len(true.videos) == 1 or video.name == entry.name]
    if len(same) != 1:
        names = ", ".join(video.name for video in true.videos[:10])
        raise InputError(f"ground truth: no single video is called {entry.name!r}; there are {names or 'none'}")
    for what in ("width", "height", "length"):
        if getattr(same[0], what) != getattr(entry, what):
            values = f"{getattr(same[0], what)}, of the tracks {getattr(entry, what)}"
            raise InputError(f"ground truth: {what} of the video is {values}")
    ids = {plain(category.name): category.id for category in true.categories}
    names = {category.id: plain(category.name) for category in found.categories}
    spare = max(ids.values(), default=0) + 1
    # What has a name that is no class there can only be right where names do not count.
    unknown = replace(found.categories[0], id=spare, name="none of these") if found.categories else None
    categories = (*true.categories, *([unknown] if unknown else []))
    tracks = tuple(replace(track, category_id=ids.get(names[track.category_id], spare)) for track in found.tracks)
    kept = tuple(track for track in true.tracks if track.video_id == same[0].id)
    tracks = tuple(replace(track, video_id=same[0].id) for track in tracks)
    return (
        TracksFile(kept, (same[0],), categories),
        TracksFile(tracks, (replace(entry, id=same[0].id),), categories),
    )


def _some_frames(
    video: str, part: Selection, file: TracksFile, folder: Path, count: int, progress: Progress
) -> tuple[VideoEntry, ...]:
    """The video with names for its frames, those of a film strip being there."""
    (entry,) = file.videos
    wanted = set(np.linspace(0, entry.length - 1, count).round().astype(int).tolist())
    folder.mkdir(parents=True, exist_ok=True)
    for frame in progress(open_part(video, entry.fps, part), "frames", entry.length):
        if frame.index in wanted:
            Image.fromarray(frame.image).save(folder / f"{frame.index}.jpg", quality=80)
        if frame.index >= entry.length:
            break
    return (replace(entry, file_names=tuple(f"{number}.jpg" for number in range(entry.length))),)
