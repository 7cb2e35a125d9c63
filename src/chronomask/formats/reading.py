"""Files and folders of every format as `annotations` reads its own json: what evaluation and training take.

Json of YouTube-VIS and COCO is opened once, and read by `annotations` alone, which costs nothing more than before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chronomask.annotations import reader
from chronomask.annotations.content import Content, Source, name_of, opened
from chronomask.annotations.listing import STILLS, Listing
from chronomask.annotations.masks import Masks
from chronomask.annotations.problems import Policy, Problems
from chronomask.annotations.reader import Depth, Reading
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row, is_whole
from chronomask.categories import OBJECT
from chronomask.errors import InputError
from chronomask.formats.against import Against, joined_to

if TYPE_CHECKING:
    from chronomask.formats.capabilities import Format

Note = Callable[[str], object]
"""Is told what reading took for granted or left out, one sentence each."""


def unheard(note: str) -> None:
    """For whoever does not listen."""


def opened_or_recognised(source: Source) -> Content | Format:
    """A json that `annotations` reads by itself, opened; of anything else the format.

    Raises:
        InputError: there is nothing, it cannot be opened, or nothing knows it.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir() or path.suffix.lower() in (".xml", ".txt"):
            return _recognised(path)
        content = opened(path)
        if path.suffix.lower() == ".json" and not _is_plain(content):
            format = _recognised(path)
            return content if format in ("youtube-vis", "coco") else format
        return content
    return opened(source)


def read_any(
    source: Source,
    policy: Policy = "raise",
    *,
    against: Against | None = None,
    masks: Depth = "checked",
    note: Note = unheard,
) -> Reading:
    """Reads annotations or results, whatever their format.

    Args:
        source: a file or folder, or what a json file holds.
        policy: raise the first fault, or collect all; only json that `annotations` reads by itself goes on behind one.
        against: what results are for: then every track needs a score if the format has such.
        masks: as `annotations.reader.read` has it.
        note: is told the notes.

    Raises:
        InputError: naming file, entry, field and value of what is missing or cannot be meant, or a list of results
            where annotations are wanted.
    """
    found = opened_or_recognised(source)
    if isinstance(found, Content) and against is None:
        reader.opened_annotations(found)
    if isinstance(found, Content) and not _shows_tracks(found):
        listing = None if against is None else _widened(against, found)
        return reader.read(found, policy, against=listing, results=against is not None, masks=masks)
    from chronomask.formats import coco
    from chronomask.formats.assumed import Assumed
    from chronomask.formats.table import named

    format = "coco" if isinstance(found, Content) else found
    entry, name = named(format), name_of(source)
    assumed = Assumed() if against is None else Assumed(size=against.only_size)
    file = coco.read(found, assumed) if isinstance(found, Content) else entry.read(Path(str(source)), assumed)
    if against is not None:
        file = joined_to(file, name, entry, against)
    for text in file.notes:
        note(f"{name}: {text}")
    return reading_of(file, name, masks)


def reading_of(file: TracksFile, name: str, masks: Depth) -> Reading:
    """Records as a reading: without the entries of a json, at which nobody can look again."""
    videos = {video.id: video for video in file.videos}
    listing = Listing(videos, {category.id: category.name for category in file.categories})
    tracks = file.tracks
    if masks != "encoded":
        tracks = [_checked(track, videos[track.video_id], masks == "edges") for track in tracks]
    return Reading(Content(name, {}, ()), Problems(name), listing, dict(enumerate(tracks)), frozenset())


def _checked(track: Track, video: VideoEntry, edges: bool) -> Track:
    counts = [None if mask is None else mask["counts"] for mask in track.segmentations]
    return replace(track, segmentations=Masks(counts, video.height, video.width, edges))


def _recognised(path: Path) -> Format:
    from chronomask.formats.recognise import recognise

    return recognise(path)


def _is_plain(content: Content) -> bool:
    """Whether its first entry is one of YouTube-VIS or COCO: only of others is the file looked at once more."""
    first = _first(content, content.listed)
    if content.listed == "results":
        return first is None or "video_id" in first
    return bool({"videos", "images"} & content.head.keys()) and (first is None or "category_id" in first)


def _shows_tracks(content: Content) -> bool:
    """Whether the images of a file are frames of videos."""
    if reader.form_of(content) is not STILLS:
        return False
    image, entry = _first(content, STILLS.entries), _first(content, content.listed)
    attributes = entry.fields.get("attributes") if entry else None
    return (
        "videos" in content.head
        or (image is not None and "video_id" in image)
        or (entry is not None and ("instance_id" in entry or "track_id" in entry))
        or (isinstance(attributes, Mapping) and "track_id" in attributes)
    )


def _first(content: Content, key: str) -> Row | None:
    return next((row for _, row in content.rows(key, Problems(content.file, "collect"))), None)


def _widened(against: Against, results: Content) -> Listing:
    """What json results are for: where classes do not matter, their own beside those of the annotations."""
    listing = against.listing
    if not against.any_class and listing.categories != {OBJECT.id: OBJECT.name}:
        return listing
    rows = results.rows(results.listed, Problems(results.file, "collect"))
    own = {number: f"class {number}" for _, row in rows if is_whole(number := row.fields.get("category_id"))}
    if against.any_class:
        return replace(listing, categories=own | dict(listing.categories))
    if own and OBJECT.id not in own:
        raise InputError(f"{results.file}: the annotations name no classes; --class-agnostic scores the masks alone")
    return listing
