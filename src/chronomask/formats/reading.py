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
from chronomask.annotations.listing import STILLS, Listing, read_listing
from chronomask.annotations.masks import Masks
from chronomask.annotations.problems import Policy, Problems
from chronomask.annotations.reader import Depth, Reading
from chronomask.annotations.records import TracksFile
from chronomask.annotations.row import Row, is_whole
from chronomask.categories import OBJECT
from chronomask.errors import InputError
from chronomask.formats.against import Against, Joint, ids_agree, joint_of

if TYPE_CHECKING:
    from chronomask.formats.capabilities import Format

Note = Callable[[str], object]
"""Is told what reading took for granted or left out, one sentence each."""


def unheard(note: str) -> None:
    """Drops a note: for whoever does not ask for them."""


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
    stills: bool = False,
    note: Note = unheard,
) -> Reading:
    """Reads annotations or results, whatever their format.

    Args:
        source: a file or folder, or what a json file holds.
        policy: raise the first fault, or collect all; only json that `annotations` reads by itself goes on behind one.
        against: what results are for: then every track needs a score if the format has such.
        masks: as `annotations.reader.read` has it.
        stills: whether pictures of a LabelMe folder are separate ones, and no frames of a video.
        note: is told the notes.

    Raises:
        InputError: naming file, entry, field and value of what is missing or cannot be meant, or a list of results
            where annotations are wanted.
    """
    found = opened_or_recognised(source)
    if isinstance(found, Content) and against is None:
        reader.opened_annotations(found)
    if isinstance(found, Content) and not _shows_tracks(found):
        return _read_json(found, policy, against, masks, note)
    from chronomask.formats import coco
    from chronomask.formats.assumed import Assumed
    from chronomask.formats.table import TABLE

    format = "coco" if isinstance(found, Content) else found
    entry, name = TABLE[format], name_of(source)
    assumed = Assumed(size=None if against is None else against.only_size, stills=stills)
    file = coco.read(found, assumed) if isinstance(found, Content) else entry.read(Path(str(source)), assumed)
    for text in file.notes:
        note(f"{name}: {text}")
    reading = _reading_of(file, name)
    if against is not None:
        reading = _joined(reading, joint_of(file, name, format, entry.capabilities, against), against, note)
    return reading if masks == "encoded" else _checked(reading, masks == "edges")


def _read_json(found: Content, policy: Policy, against: Against | None, masks: Depth, note: Note) -> Reading:
    """Results whose own names agree with their ids, or that have none, are joined to annotations by id."""
    if against is None:
        return reader.read(found, policy, masks=masks)
    own = read_listing(found, Problems(found.file, "collect"), reader.form_of(found)) if found.head else None
    if own is None or ids_agree(own, against.listing):
        return reader.read(found, policy, against=_widened(against, found), results=True, masks=masks)
    from chronomask.formats.ytvis import CAPABILITIES

    reading = reader.read(found, policy, results=True, masks=masks)
    joint = joint_of(reading.file, found.file, "youtube-vis", CAPABILITIES, against)
    return _joined(reading, joint, against, note)


def _joined(reading: Reading, joint: Joint, against: Against, note: Note) -> Reading:
    for text in joint.notes:
        note(f"{reading.content.file}: {text}")
    for text in joint.left_out:
        reading.problems.warn("results", text)
    tracks = {index: joined for index, track in reading.tracks.items() if (joined := joint.of(track)) is not None}
    return replace(reading, listing=against.listing, tracks=tracks, left_out=len(reading.tracks) - len(tracks))


def _reading_of(file: TracksFile, name: str) -> Reading:
    """Records as a reading: without the entries of a json, at which nobody can look again."""
    listing = Listing({v.id: v for v in file.videos}, file.names)
    return Reading(Content(name, {}, ()), Problems(name, "collect"), listing, dict(enumerate(file.tracks)), frozenset())


def _checked(reading: Reading, edges: bool) -> Reading:
    """The same with masks that know their areas."""
    tracks = {}
    for index, track in reading.tracks.items():
        video = reading.listing.videos[track.video_id]
        counts = [None if mask is None else mask["counts"] for mask in track.segmentations]
        tracks[index] = replace(track, segmentations=Masks(counts, video.height, video.width, edges))
    return replace(reading, tracks=tracks)


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
    """The videos and categories that results may name: where classes do not matter, also categories of their own."""
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
