"""The video that tracks are of, opened again: the frames that they speak of, and no others."""

from __future__ import annotations

from collections.abc import Mapping

from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.errors import InputError
from chronomask.video import DEFAULT_FPS, Selection, Source, VideoSource, open_source


def part_of(file: TracksFile) -> Selection:
    """The part of their source that tracks are of, as `segment` notes it."""
    source = file.info.get("source")
    # What is left of a live source, whose fingerprint is null, is the recording: of the selected frames alone.
    if not isinstance(source, Mapping) or source.get("fingerprint", "") is None:
        return Selection()
    return Selection(source.get("start", 0.0), source.get("end"), source.get("every", 1))


def open_part(source: Source, fps: float | None, part: Selection) -> VideoSource:
    """Opens a part of a source; `fps` is the rate of this part's frames, as files of tracks have it, or unknown."""
    return open_source(source, fps * part.every if fps else DEFAULT_FPS, part)


def check_size(entry: VideoEntry, source: VideoSource) -> None:
    """Raises InputError where a source cannot be the video of an entry."""
    if (source.width, source.height) != (entry.width, entry.height):
        found, wanted = f"{source.width}x{source.height}", f"{entry.width}x{entry.height}"
        raise InputError(f"{source.name}: {found} pixels, the tracks are of a video of {wanted}")
