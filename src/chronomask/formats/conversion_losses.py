"""How losses are said."""

from __future__ import annotations

from collections.abc import Sequence

from chronomask.annotations.records import Track, TracksFile

Step = tuple[TracksFile, list[str]]
"""What one step of fitting returns: the file that is left, and a sentence for what it lost."""


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 track", "2 tracks", "2 classes"."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number} {noun}{ending}"


def numbering_notes(tracks: Sequence[Track]) -> tuple[str, ...]:
    """One sentence where `numbered` gives tracks that have an id another one."""
    ids = [track.id for track in tracks if track.id != 0]
    if len(set(ids)) == len(ids) and min(ids, default=1) >= 1:
        return ()
    why = "are negative" if len(set(ids)) == len(ids) else "repeat from video to video"
    return (f"track ids {why}: {counted(len(ids), 'track')} counted from 1",)


def annotated_notes(annotated: int, frames: int) -> tuple[str, ...]:
    """One sentence where just some frames of the source are annotated: only these are frames of the records.

    In the others nobody knows whether an object is out of sight. YouTube-VIS, too, lists every fifth frame alone.
    """
    if annotated == frames:
        return ()
    return (f"{annotated} of {counted(frames, 'frame')} are annotated: the others are left out, as no frames at all",)
