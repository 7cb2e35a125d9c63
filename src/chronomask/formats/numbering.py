"""Ids for what formats without ids, or with other ids, hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.categories import LITE, OBJECT, Category
from chronomask.errors import counted


def numbered(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """The tracks by video and id, with ids that are above 0 and all different, as formats without such ids are read.

    Those with the id 0 are numbered behind the others. Where ids of the others repeat, as they do in formats that count
    anew in every video, or are negative, all are counted from 1.
    """
    ordered = sorted(tracks, key=lambda track: (track.video_id, track.id))
    named, others = [t for t in ordered if t.id != 0], [t for t in ordered if t.id == 0]
    ids = [track.id for track in named]
    if len(set(ids)) < len(ids) or min(ids, default=1) < 1:
        named = [replace(track, id=number) for number, track in enumerate(named, 1)]
    start = max((track.id for track in named), default=0) + 1
    others = [replace(track, id=number) for number, track in enumerate(others, start)]
    return tuple(sorted([*named, *others], key=lambda track: (track.video_id, track.id)))


def numbering_notes(tracks: Sequence[Track]) -> tuple[str, ...]:
    """One sentence where `numbered` gives tracks that have an id another one."""
    ids = [track.id for track in tracks if track.id != 0]
    if len(set(ids)) == len(ids) and min(ids, default=1) >= 1:
        return ()
    why = "are negative" if len(set(ids)) == len(ids) else "repeat from video to video"
    return (f"track ids {why}: {counted(len(ids), 'track')} counted from 1",)


def objects_in(file: TracksFile, video: VideoEntry) -> list[Track]:
    """The tracks of a video by id, crowds left out."""
    return sorted((track for track in file.of(video) if not track.crowd), key=lambda track: track.id)


def numbered_in_video(file: TracksFile, video: VideoEntry, ids: range) -> list[tuple[int, Track]]:
    """The tracks of a video by id, with the numbers that they get where only those in `ids` fit.

    These are their own ids where all fit, else they are counted from the first that fits. Crowds are not among them.
    """
    tracks = objects_in(file, video)
    if all(track.id in ids for track in tracks):
        return [(track.id, track) for track in tracks]
    return list(zip(ids, tracks, strict=False))


def named_categories(names: Iterable[str]) -> tuple[Category, ...]:
    """Categories, by id, of a file that holds names alone: COCO's ids for the names that the bundled model knows.

    Other names are counted on behind those ids, in the order of the alphabet.
    """
    known = {category.name: category for category in (OBJECT, *LITE)}
    wanted = set(names)
    others = enumerate(sorted(wanted - known.keys()), max(category.id for category in LITE) + 1)
    found = [known[name] for name in wanted & known.keys()]
    return tuple(sorted([*found, *(Category(number, name) for number, name in others)], key=lambda c: c.id))
