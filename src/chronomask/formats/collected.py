"""The records of a file while it is read: masks come frame by frame, and become tracks at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.categories import Category
from chronomask.errors import InputError, counted
from chronomask.formats.assumed import Assumed
from chronomask.formats.joining import joined
from chronomask.formats.numbering import named_categories, numbered, numbering_notes
from chronomask.rle import Rle

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass
class _Track:
    id: int
    video_id: int
    category: int | str
    masks: list[Rle | None]
    scores: list[float] = field(default_factory=list)
    areas: dict[int, float] = field(default_factory=dict)
    crowd: bool = False
    merged: bool = False

    def record(self, ids: Mapping[str, int]) -> Track:
        """The track, whose category has one of these ids if it is a name. It is as sure as its masks on average."""
        category_id = ids[self.category] if isinstance(self.category, str) else self.category
        # Exactly that of the masks where all are equal; what a person drew is sure.
        score = self.scores[0] if len(set(self.scores)) == 1 else fmean(self.scores or [1.0])
        areas = [self.areas.get(t) for t in range(len(self.masks))] if self.areas else None
        masks = tuple(self.masks)
        return Track(self.id, self.video_id, category_id, score, masks, self.crowd, self.merged, areas)


@dataclass
class Collected:
    """What is collected of a file or folder.

    Attributes:
        path: the file or folder, for messages.
        assumed: what the caller says of it.
        shape: what the format calls a shape, for messages.
        track_field, category_field: its fields for number and class, for messages.
        videos: so far.
        names: of classes that the file lists, besides those of its tracks.
        notes: so far.
        shapes: how many there are.
        boxes: how many of them are boxes alone, for which there is no mask.
        without_area: how many are points, lines and the like.
    """

    path: Path
    assumed: Assumed = field(default_factory=Assumed)
    shape: str = "shape"
    track_field: str = "id"
    category_field: str = "label"
    videos: list[VideoEntry] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shapes: int = 0
    boxes: int = 0
    without_area: int = 0
    _whole: list[_Track] = field(default_factory=list)
    _numbered: dict[Any, _Track] = field(default_factory=dict)
    _loose: dict[Any, dict[Any, _Track]] = field(default_factory=lambda: defaultdict(dict))

    def size_of(
        self, name: str, stated: Iterable[tuple[Row, Size | None]], key: str, beside: Size | None = None
    ) -> Size:
        """The one size of the frames of the next video.

        Args:
            name: the video's.
            stated: the entry of every frame, and what it says.
            key: the field of the entry that says it, for messages.
            beside: what something else in the file says, for frames that say nothing.

        Raises:
            InputError: two frames differ, or nobody says it.
        """
        size, file = None, str(self.path)
        for row, own in stated:
            file = row.problems.file
            if own and size and own != size:
                row.fault(key, f"width and height are {own}, of an earlier frame of {name} {size}")
            size = size or own
        if size := size or beside or self.assumed.size_of(len(self.videos) + 1):
            return size
        raise InputError(f"{file}: {name} has no size; give --size WIDTHxHEIGHT, or its video or frames by --video")

    def add_video(self, name: str, size: Size, length: int, file_names: Iterable[str] | None = None) -> VideoEntry:
        """The next video; they are counted from 1."""
        names = None if file_names is None else tuple(file_names)
        self.videos.append(VideoEntry(len(self.videos) + 1, name, *size, length, file_names=names))
        return self.videos[-1]

    def add_track(
        self,
        video: VideoEntry,
        number: int,
        category: int | str,
        masks: Iterable[Rle | None],
        *,
        scores: Iterable[float] = (),
        crowd: bool = False,
    ) -> None:
        """A whole track; its category is an id or a name."""
        self._whole.append(_Track(number, video.id, category, list(masks), list(scores), crowd=crowd))

    def add_mask(
        self,
        row: Row,
        video: VideoEntry,
        frame: int,
        number: int | str | None,
        category: int | str,
        mask: Rle,
        *,
        part_of: int | None = None,
        united: bool = False,
        score: float | None = None,
        area: float | None = None,
        crowd: bool = False,
        merged: bool = False,
    ) -> None:
        """A mask of a track in a frame.

        Args:
            row: the entry, for messages.
            number: of the track, which may be a text; texts that are no numbers are counted behind the others. None
                where nobody numbered it: tracks are made of such shapes by label and overlap.
            category: id or name.
            part_of: what ties shapes without a number together, in this frame alone.
            united: whether several masks of a track in a frame are one together, and no fault.
        """
        if number is None:
            home, key, place, length = self._loose[video.id, frame], part_of or row.place, 0, 1
        else:
            home, key, place, length = self._numbered, (video.id, number), frame, video.length
        if key not in home:
            home[key] = _Track(_id_of(number), video.id, category, [None] * length)
        track = home[key]
        if track.category != category:
            row.fault(self.category_field, f"is {category!r}, of the same track before {track.category!r}")
        old = track.masks[place]
        if old is not None and not united:
            row.fault(self.track_field, f"{number} is that of an earlier {self.shape} of the frame too")
        track.masks[place] = mask if old is None else rle.union([old, mask])
        track.scores += [] if score is None else [score]
        track.areas |= {} if area is None else {place: area}
        track.crowd |= crowd
        track.merged |= merged

    def file(self, categories: Sequence[Category] | None = None, info: Mapping[str, Any] | None = None) -> TracksFile:
        """The records; categories are made of the names of classes if None.

        Raises:
            InputError: some shapes are boxes alone.
        """
        if self.boxes:  # said once, for whoever labels boxes has no masks at all
            held = f"{self.boxes} of {self.shapes} {self.shape}s"
            raise InputError(f"{self.path}: {held} are boxes without a mask or polygon")
        found = [*self._whole, *self._numbered.values()]
        for video in self.videos:
            found += self._joined(video)
        if categories is None:
            categories = named_categories([*self.names, *(str(track.category) for track in found)])
        ids = {category.name: category.id for category in categories}
        tracks = [track.record(ids) for track in found]
        notes = [*self.notes, *numbering_notes(tracks)]
        if texts := sum(isinstance(number, str) and not _is_number(number) for _, number in self._numbered):
            notes.append(f"ids of {counted(texts, 'track')} are no numbers: counted")
        if self.without_area:
            notes.append(f"{counted(self.without_area, self.shape)} without an area (points, lines) left out")
        return TracksFile(numbered(tracks), tuple(self.videos), tuple(categories), info or {}, tuple(notes))

    def _joined(self, video: VideoEntry) -> Iterable[_Track]:
        """Tracks of the shapes that nobody numbered, which is said."""
        frames = [list(self._loose[video.id, t].values()) for t in range(video.length)]
        tracks: dict[int, _Track] = {}
        labelled = [[(str(one.category), mask) for one in shapes if (mask := one.masks[0])] for shapes in frames]
        for t, (shapes, numbers) in enumerate(zip(frames, joined(labelled), strict=True)):
            for one, number in zip(shapes, numbers, strict=True):
                track = tracks.setdefault(number, _Track(0, video.id, one.category, [None] * video.length))
                track.masks[t] = one.masks[0]
                track.crowd |= one.crowd
        if tracks and video.length > 1:
            shapes, made = counted(sum(map(len, frames)), self.shape), counted(len(tracks), "track")
            self.notes.append(f"{video.name}: {shapes} without {self.track_field} joined by label and overlap: {made}")
        return tracks.values()


def annotated_notes(annotated: int, frames: int) -> tuple[str, ...]:
    """One sentence where just some frames of the source are annotated: only these are frames of the records.

    In the others nobody knows whether an object is out of sight. YouTube-VIS, too, lists every fifth frame alone.
    """
    if annotated == frames:
        return ()
    return (f"{annotated} of {counted(frames, 'frame')} are annotated: the others are left out, as no frames at all",)


def _id_of(number: int | str | None) -> int:
    """The id where it is a number, else 0: such tracks are counted behind the others."""
    if isinstance(number, str):
        return int(number) if _is_number(number) else 0
    return number or 0


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 16
