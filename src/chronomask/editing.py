"""Corrections of tracks: typed operations, each a pure function from one file of tracks to the next.

Operations have a short spelling, such as `delete:3`, `relabel:2=dog` and `merge:1+4` (`SPELLINGS`), in which the
command line takes them and `info["edits"]` keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile, VideoEntry, united
from chronomask.categories import Category
from chronomask.errors import InputError, close_names
from chronomask.rle import Rle


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


@dataclass(frozen=True)
class Swap:
    """Exchange what two tracks have in `frame` (from 0) and behind it, where they took each other's object over."""

    first: int
    second: int
    frame: int

    def __str__(self) -> str:
        return f"swap:{self.first}+{self.second}@{self.frame}"


@dataclass(frozen=True)
class Paint:
    """Give a track another mask in one frame (from 0): compressed run lengths; without any it is not seen there."""

    track: int
    frame: int
    counts: str

    def __str__(self) -> str:
        return f"paint:{self.track}@{self.frame}={self.counts}"


@dataclass(frozen=True)
class AddTrack:
    """Add a track of this class that is not seen yet, to be painted. `video` is needed where the file has several."""

    name: str
    video: int | None = None

    def __str__(self) -> str:
        return f"add:{self.name}" + ("" if self.video is None else f"@{self.video}")


Operation = Delete | Relabel | Merge | Split | AddClass | Swap | Paint | AddTrack

SPELLINGS = (
    "delete:3, relabel:2=dog, merge:1+4, split:5@120, swap:1+4@120, paint:3@120=RUN_LENGTHS, add:dog, class:robot"
)


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
        case "swap" if found := re.fullmatch(r"(\d+)\+(\d+)@(\d+)", rest):
            return Swap(int(found[1]), int(found[2]), int(found[3]))
        case "paint" if found := re.fullmatch(r"(\d+)@(\d+)=([0-o]*)", rest):
            return Paint(int(found[1]), int(found[2]), found[3])
        case "add" if found := re.fullmatch(r"(.*?\S)\s*(?:@(\d+))?", rest):
            return AddTrack(found[1].strip(), int(found[2]) if found[2] else None)
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
        case Swap(first, second, _):
            one, other = _swapped(file, operation)
            edited = _replaced(file, {first: [one], second: [other]})
        case Paint(number, _, _):
            edited = _replaced(file, {number: [_painted(file, operation)]})
        case AddTrack(name, _):
            last += 1
            edited = replace(file, tracks=(*file.tracks, _added(file, operation, last)))
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
    return replace(track, category_id=_class_id(file, name, operation), merged=False)


def _class_id(file: TracksFile, name: str, operation: Operation) -> int:
    ids = {category.name: category.id for category in file.categories}
    if name not in ids:
        hints = [hint for hint in (close_names(name, ids), f"to add it, say class:{name} first") if hint]
        raise InputError(f"{operation}: the file has no class {name!r}; {'; '.join(hints)}")
    return ids[name]


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


def _swapped(file: TracksFile, swap: Swap) -> tuple[Track, Track]:
    one, other = _track(file, swap.first, swap), _track(file, swap.second, swap)
    if one.id == other.id:
        raise InputError(f"{swap}: needs two tracks")
    if one.video_id != other.video_id:
        raise InputError(f"{swap}: the tracks are of different videos")
    first, second, frame = tuple(one.segmentations), tuple(other.segmentations), swap.frame
    if not any((*first[frame:], *second[frame:])):
        raise InputError(f"{swap}: neither track is seen in frame {frame} or behind it")
    return (
        replace(one, segmentations=(*first[:frame], *second[frame:])),
        replace(other, segmentations=(*second[:frame], *first[frame:])),
    )


def _painted(file: TracksFile, paint: Paint) -> Track:
    track = _track(file, paint.track, paint)
    row, video = list(track.segmentations), _video(file, track.video_id)
    if paint.frame >= len(row):
        raise InputError(f"paint:{paint.track}@{paint.frame}: the video has {len(row)} frames, counted from 0")
    row[paint.frame] = _mask(paint, video)
    return replace(track, segmentations=tuple(row))


def _mask(paint: Paint, video: VideoEntry) -> Rle | None:
    """The mask, checked; None where it has no pixel."""
    if not paint.counts:
        return None
    size = [video.height, video.width]
    try:
        mask = rle.from_annotation({"size": size, "counts": paint.counts}, *size)
    except InputError as error:
        raise InputError(f"paint:{paint.track}@{paint.frame}: {error}") from error
    counts = rle.canonical(mask["counts"], *size)
    return {"size": size, "counts": counts} if rle.area({"size": size, "counts": counts}) else None


def _added(file: TracksFile, add: AddTrack, number: int) -> Track:
    if add.video is None and len(file.videos) != 1:
        raise InputError(f"{add}: the file has {len(file.videos)} videos; say which by add:{add.name}@ID")
    video = _video(file, add.video) if add.video is not None else file.videos[0]
    return Track(number, video.id, _class_id(file, add.name, add), 1.0, (None,) * video.length, class_score=1.0)


def _video(file: TracksFile, number: int) -> VideoEntry:
    for video in file.videos:
        if video.id == number:
            return video
    raise InputError(f"there is no video {number} in the file")
