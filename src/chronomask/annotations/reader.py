"""The one reader of annotation and result files: json of YouTube-VIS and its relatives, and stills of COCO.

An annotation file is an object with `videos` (or `images`), `categories` and `annotations`. Results are the plain list
that servers take, or an annotation file whose annotations have a `score` (`tracks.json`). What every command can do
without may be missing: `length` where there are `file_names`, `iscrowd` (0), `areas` (those of the masks), the name of
a video or category, and all annotations, where they are held back. What is there must be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chronomask.annotations.content import Content, Source, coded, items, opened, whole_value
from chronomask.annotations.listing import STILLS, VIDEOS, Form, Listing, read_listing
from chronomask.annotations.masks import EncodedMasks
from chronomask.annotations.problems import Policy, Problems, shown
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row, is_number, is_whole
from chronomask.bounds import MAX_PIXELS
from chronomask.errors import InputError

Depth = Literal["encoded", "checked", "edges"]
"""What is done with the masks of a file."""


def form_of(content: Content) -> Form:
    """Whether a file is one of stills. Frames of videos listed as images, as COCO-like video sets have them, are."""
    return STILLS if "images" in content.head else VIDEOS


def opened_annotations(source: Source) -> Content:
    """Opens an annotation file.

    Raises:
        InputError: as `opened`, or it is a list of results.
    """
    content = opened(source)
    if content.listed == "results":
        raise InputError(f"{content.file}: an annotation file is needed, this is a list")
    return content


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read of a file: all of it, or under the policy to collect the sound part.

    Attributes:
        content: the file as it was opened.
        problems: what is wrong with it.
        listing: its videos and categories.
        tracks: by place of their entry in the file.
        robbed: ids of videos that lost an annotation.
        left_out: how many results the annotations that they are for have no place for.
    """

    content: Content
    problems: Problems
    listing: Listing
    tracks: Mapping[int, Track]
    robbed: frozenset[int]
    left_out: int = 0

    @property
    def file(self) -> TracksFile:
        """What was read, as records of videos, categories and tracks."""
        info = self.content.head.get("info")
        videos, categories = tuple(self.listing.videos.values()), self.listing.named
        return TracksFile(tuple(self.tracks.values()), videos, categories, info if isinstance(info, Mapping) else {})


def read(
    source: Source,
    policy: Policy = "raise",
    *,
    form: Form | None = None,
    against: Listing | None = None,
    results: bool = False,
    masks: Depth = "checked",
) -> Reading:
    """Reads an annotation file or results.

    Args:
        source: the file, or what it holds.
        policy: raise the first fault, or collect all.
        form: of the file; by what it lists if None.
        against: videos and categories that results are for. Without them, those of a plain list are guessed: sizes from
            its masks, and any whole number passes for a category.
        results: whether every track needs a score.
        masks: leave all as they stand in the file (`EncodedMasks`), or check them, so that segmentations are `Masks`;
            these may keep their edges, for whoever asks for overlaps.

    Raises:
        InputError: the file cannot be opened; under the policy to raise, also for the first fault, with its place.
    """
    content = opened(source)
    problems = Problems(content.file, policy)
    form = form or form_of(content)
    listing = Listing({}, {}) if content.listed == "results" else read_listing(content, problems, form)
    if against is not None:
        listing = against
    elif content.listed == "results":
        listing = _guessed(content)
    reader = _Tracks(content, problems, form, listing, results or content.listed == "results", masks)
    tracks = reader.all()
    return Reading(content, problems, listing, tracks, frozenset(reader.robbed))


class _Tracks:
    """The annotations of a file, read one after the other."""

    def __init__(
        self, content: Content, problems: Problems, form: Form, listing: Listing, scored: bool, masks: Depth
    ) -> None:
        self.content, self.problems, self.form, self.listing = content, problems, form, listing
        self.scored, self.masks = scored, masks
        self.boxes = 0
        self.ids: set[int] = set()
        self.robbed: set[int] = set()

    def all(self) -> dict[int, Track]:
        """All tracks by the place of their entry; those with faults are left out."""
        if self.content.held_back and self.scored:
            self.problems.error(self.content.listed, "missing, and so there are no results")
        found = {}
        for index, row in self.content.rows(self.content.listed, self.problems):
            number = row.fields.get(self.form.reference)
            if is_whole(number) and number in self.listing.broken:
                continue
            track = self.track(row, index)
            if track is not None and row.sound:
                found[index] = track
            elif is_whole(number):
                self.robbed.add(number)
        if self.boxes:
            message = f"{self.boxes} of {len(self.content.entries or ())} are boxes without a mask"
            self.problems.error(self.content.listed, f"{message} ({self.form.masks})")
        return found

    def track(self, row: Row, index: int) -> Track | None:
        """The track of one entry; None where its masks are wrong."""
        number = self._id(row, index)
        crowd, merged = row.flag("iscrowd"), row.flag("merged")
        video_id = row.known(self.form.reference, self.listing.videos)
        category_id = row.known("category_id", self.listing.categories)
        # What a person drew is sure.
        score = row.number("score") if self.scored or "score" in row else 1.0
        video = self.listing.videos.get(video_id)
        class_score = row.number("class_score") if "class_score" in row else None
        encoded = self._encoded(row, video)
        areas = self._areas(row, video)
        if video is None or encoded is None:
            return None
        place = f"{row.place}.{self.form.masks}" + ("" if self.form is STILLS else "[{}]")
        masks = EncodedMasks(encoded, video.height, video.width, self.content.file, place)
        checked = masks if self.masks == "encoded" else masks.checked(self.problems, self.masks == "edges")
        if checked is None:
            return None
        return Track(number, video_id, category_id, score, checked, crowd, merged, areas, class_score)

    def _id(self, row: Row, index: int) -> int:
        """The id of an entry. Results need none, nor do annotations of stills, which nothing refers to."""
        if "id" not in row.fields and (self.scored or self.form is STILLS):
            return index + 1
        number = row.whole("id")
        if row.sound and number in self.ids:
            row.fault("id", f"{number} is the id of an earlier entry too")
        self.ids.add(number)
        return number

    def _encoded(self, row: Row, video: VideoEntry | None) -> list[Any] | None:
        """One encoded mask a frame, or None; None in place of all if there are not as many as frames."""
        value, key = row.fields.get(self.form.masks), self.form.masks
        if self.form is STILLS:
            if value is None or whole_value(value) == []:
                if self.form.boxes in row:
                    self.boxes += 1  # said once, for whoever labels boxes has no masks at all
                    return None
                row.fault(key, "missing" if key not in row.fields else f"{shown(whole_value(value))} holds no mask")
                return None
            return [value]
        # All at once is the faster way to masks that are all looked at.
        encoded = items(value if self.masks == "encoded" else coded(value))
        if encoded is None and value is None and self.form.boxes in row:
            self.boxes += 1
        elif encoded is None:
            wrong = f"{shown(whole_value(value))} is no list, one mask a frame"
            row.fault(key, "missing" if key not in row.fields else wrong)
        elif video is not None and len(encoded) != video.length:
            row.fault(key, f"{len(encoded)} masks for a video of {video.length} frames")
            return None
        return encoded

    def _areas(self, row: Row, video: VideoEntry | None) -> Sequence[float | None] | None:
        key = self.form.areas
        if key not in row:
            return None
        areas = [row.fields[key]] if self.form is STILLS else row.listed(key)
        for frame, area in enumerate(areas):
            if area is not None and not (is_number(area) and area >= 0):
                place = key if self.form is STILLS else f"{key}[{frame}]"
                row.fault(place, f"{shown(area)} is no number of pixels")
        if video is not None and len(areas) != video.length and row.sound:
            row.fault(key, f"{len(areas)} areas for a video of {video.length} frames")
        return tuple(None if area is None else float(area) for area in areas) if row.sound else None


def _guessed(content: Content) -> Listing:
    """The videos and categories that plain results name: each video is as its first result with a mask has it.

    Where none has a mask, width and height are 0.
    """
    videos: dict[int, VideoEntry] = {}
    categories: set[int] = set()
    for _, row in content.rows(content.listed, Problems(content.file, "collect")):
        number, category_id = row.fields.get("video_id"), row.fields.get("category_id")
        if is_whole(category_id):
            categories.add(category_id)
        if not is_whole(number) or (number in videos and videos[number].width):
            continue
        encoded = items(row.fields.get("segmentations")) or ()
        width, height = next(filter(None, map(_stated_size, encoded)), (0, 0))
        videos[number] = VideoEntry(number, f"video {number}", width, height, len(encoded))
    named = {number: f"class {number}" for number in sorted(categories)}
    return Listing(dict(sorted(videos.items())), named)


def _stated_size(mask: Any) -> tuple[int, int] | None:
    """Width and height that run lengths state."""
    mask = whole_value(mask)
    size = mask.get("size") if isinstance(mask, Mapping) else None
    whole = isinstance(size, list | tuple) and len(size) == 2 and all(is_whole(side) and side > 0 for side in size)
    return (size[1], size[0]) if whole and size[0] * size[1] <= MAX_PIXELS else None
