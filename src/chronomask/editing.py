"""Corrections of tracks: typed operations, each a pure function from one file of tracks to the next.

Operations have a short spelling, `delete:3`, `relabel:2=dog`, `merge:1+4`, `split:5@120` and `class:robot`, in which
the command line takes them and `info["edits"]` keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chronomask.annotations.records import Track, TracksFile, united
from chronomask.categories import Category
from chronomask.errors import InputError, close_names


@dataclass(frozen=True)
class Delete:
    """Remove a track."""

    track: int

    def __str__(self) -> str:
        return f"delete:{self.track}"


@dataclass(frozen=True)
class Relabel:
    """Give a track the class of this name."""

    track: int
    name: str

    def __str__(self) -> str:
        return f"relabel:{self.track}={self.name}"


@dataclass(frozen=True)
class Merge:
    """Make several tracks one: the first, which keeps its id and class. In a frame, the union of their masks is taken.

    Its score is the mean of theirs, each weighed by the number of frames in which it is seen.
    """

    tracks: tuple[int, ...]

    def __str__(self) -> str:
        return f"merge:{'+'.join(map(str, self.tracks))}"


@dataclass(frozen=True)
class Split:
    """Cut a track in two: what lies in `frame` (from 0) and behind it becomes a new track."""

    track: int
    frame: int

    def __str__(self) -> str:
        return f"split:{self.track}@{self.frame}"


@dataclass(frozen=True)
class AddClass:
    """Add a class to the file, so that tracks can be given it."""

    name: str

    def __str__(self) -> str:
        return f"class:{self.name}"


Operation = Delete | Relabel | Merge | Split | AddClass

SPELLINGS = "delete:3, relabel:2=dog, merge:1+4, split:5@120, class:robot"


def parse_operation(text: str) -> Operation:
    """The operation of a spelling.

    Raises:
        InputError: it is none.
    """
    verb, _, rest = text.partition(":")
    match verb:
        case "delete" if re.fullmatch(r"\d+", rest):
            return Delete(int(rest))
        case "relabel" if found := re.fullmatch(r"(\d+)=(.+)", rest):
            return Relabel(int(found[1]), found[2].strip())
        case "merge" if re.fullmatch(r"\d+(\+\d+)+", rest):
            return Merge(tuple(int(number) for number in rest.split("+")))
        case "split" if found := re.fullmatch(r"(\d+)@(\d+)", rest):
            return Split(int(found[1]), int(found[2]))
        case "class" if rest.strip():
            return AddClass(rest.strip())
    raise InputError(f"{text!r} is no operation; these are: {SPELLINGS}")


def edit(file: TracksFile, operations: Iterable[Operation]) -> TracksFile:
    """The file after operations, one after the other. `info` notes them, and the highest track id ever given.

    Raises:
        InputError: naming the operation that cannot be done, and why.
    """
    for operation in operations:
        file = apply(file, operation)
    return file


def apply(file: TracksFile, operation: Operation) -> TracksFile:
    """The file after one operation. A new track gets an id that no track of the file, deleted ones too, ever had.

    Raises:
        InputError: naming the operation, and the track, class or frame that is wrong.
    """
    last = max([_last_id(file), *(track.id for track in file.tracks)])
    match operation:
        case Delete(number):
            gone = _track(file, number, operation)
            edited = replace(file, tracks=tuple(track for track in file.tracks if track is not gone))
        case Relabel(number, name):
            edited = _replaced(file, {number: [_relabelled(file, operation, name)]})
        case Merge(numbers):
            merged = _merged(file, operation)
            edited = _replaced(file, {numbers[0]: [merged], **{number: [] for number in numbers[1:]}})
        case Split(number, _):
            last += 1
            edited = _replaced(file, {number: _halves(file, operation, last)})
        case AddClass(name):
            if any(category.name == name for category in file.categories):
                raise InputError(f"{operation}: the file has a class {name!r} already")
            number = max((category.id for category in file.categories), default=0) + 1
            edited = replace(file, categories=(*file.categories, Category(number, name)))
    edits = [*file.info.get("edits", ()), str(operation)]
    return replace(edited, info={**file.info, "edits": edits, "last_track_id": last})


def shared_frames(file: TracksFile, merge: Merge) -> tuple[int, ...]:
    """Frames in which more than one of the tracks to be merged is seen.

    There may be none in tracks that follow one another; fragments of one object share many.

    Raises:
        InputError: a track is unknown, or they are not of one video.
    """
    rows = [track.segmentations for track in _to_merge(file, merge)]
    return tuple(frame for frame, masks in enumerate(zip(*rows, strict=True)) if sum(m is not None for m in masks) > 1)


def _last_id(file: TracksFile) -> int:
    last = file.info.get("last_track_id", 0)
    return last if isinstance(last, int) else 0


def _track(file: TracksFile, number: int, operation: Operation) -> Track:
    for track in file.tracks:
        if track.id == number:
            return track
    known = ", ".join(str(track.id) for track in file.tracks[:20]) or "none"
    raise InputError(
        f"{operation}: there is no track {number}; the file's are {known}{' ...' * (len(file.tracks) > 20)}"
    )


def _replaced(file: TracksFile, new: dict[int, list[Track]]) -> TracksFile:
    return replace(file, tracks=tuple(track for old in file.tracks for track in new.get(old.id, [old])))


def _relabelled(file: TracksFile, operation: Relabel, name: str) -> Track:
    track = _track(file, operation.track, operation)
    ids = {category.name: category.id for category in file.categories}
    if name not in ids:
        hint = close_names(name, ids) or f"class:{name} adds it"
        raise InputError(f"{operation}: the file has no class {name!r}; {hint}")
    return replace(track, category_id=ids[name], merged=False)


def _to_merge(file: TracksFile, merge: Merge) -> list[Track]:
    if len(set(merge.tracks)) < max(2, len(merge.tracks)):
        raise InputError(f"{merge}: needs at least two tracks, each named once")
    tracks = [_track(file, number, merge) for number in merge.tracks]
    if len({track.video_id for track in tracks}) > 1:
        raise InputError(f"{merge}: the tracks are of different videos")
    return tracks


def _merged(file: TracksFile, merge: Merge) -> Track:
    tracks = _to_merge(file, merge)
    rows = zip(*(track.segmentations for track in tracks), strict=True)
    weights = [sum(mask is not None for mask in track.segmentations) for track in tracks]
    score = sum(t.score * weight for t, weight in zip(tracks, weights, strict=True)) / max(1, sum(weights))
    return replace(tracks[0], score=round(score, 6), segmentations=tuple(united(masks) for masks in rows))


def _halves(file: TracksFile, split: Split, new_id: int) -> list[Track]:
    track = _track(file, split.track, split)
    row = tuple(track.segmentations)
    before, behind = row[: split.frame], row[split.frame :]
    if not any(before) or not any(behind):
        seen = [frame for frame, mask in enumerate(row) if mask]
        where = f"from frame {seen[0]} to {seen[-1]}" if seen else "in no frame"
        raise InputError(f"{split}: the track is seen {where}; nothing would lie on one side of frame {split.frame}")
    return [
        replace(track, segmentations=(*before, *[None] * len(behind))),
        replace(track, id=new_id, segmentations=(*[None] * len(before), *behind)),
    ]
