"""What annotations refer to: the videos and the categories of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chronomask.annotations.content import Content
from chronomask.annotations.noun_phrases import asked_for
from chronomask.annotations.problems import Problems, shown
from chronomask.annotations.records import VideoEntry
from chronomask.annotations.row import Row
from chronomask.bounds import MAX_LENGTH
from chronomask.categories import Category
from chronomask.files import portable


@dataclass(frozen=True)
class Form:
    """What the two kinds of files call things.

    Attributes:
        entries: the list of videos, or of stills, which are videos of one frame.
        reference: the field of an annotation that says which of them it belongs to.
        masks: its field of masks: one a frame, or the only one.
        areas: its field of areas.
        boxes: its field of boxes, which nobody reads.
    """

    entries: str
    reference: str
    masks: str
    areas: str
    boxes: str


VIDEOS = Form("videos", "video_id", "segmentations", "areas", "bboxes")
STILLS = Form("images", "image_id", "segmentation", "area", "bbox")


@dataclass(frozen=True, eq=False)
class Listing:
    """What annotations refer to.

    Attributes:
        videos: by id, in the order of the file.
        categories: names by id, in the order of the file.
        broken: ids of videos that cannot be used; annotations of these are passed over.
    """

    videos: Mapping[int, VideoEntry]
    categories: Mapping[int, str]
    broken: frozenset[int] = frozenset()

    @property
    def named(self) -> tuple[Category, ...]:
        """The categories as records; an open vocabulary has tens of thousands, of which a few are used."""
        return tuple(Category(number, name) for number, name in self.categories.items())


def read_listing(content: Content, problems: Problems, form: Form = VIDEOS) -> Listing:
    """The videos and categories of a file, whose annotations are not looked at: test sets come without."""
    categories = read_categories(content, problems)
    names = set(categories.values())
    videos: dict[int, VideoEntry] = {}
    broken: set[int] = set()
    for _, row in content.rows(form.entries, problems):
        number = row.whole("id")
        if not row.sound:
            continue
        if number in videos or number in broken:
            # Two videos with one id are both lost, for nobody knows whose the annotations are.
            row.fault("id", f"{number} is the id of an earlier entry too")
        entry = (_still if form is STILLS else _video)(row, number)
        if strange := sorted(set(entry.labelled_classes or ()) - names):
            row.fault("labelled_classes", f"{shown(strange[0])} is the name of no category")
        if row.sound:
            videos[number] = entry
        else:
            videos.pop(number, None)
            broken.add(number)
    return Listing(asked_for(content, problems, videos, categories, broken), categories, frozenset(broken))


def frames_of(
    listing: Listing, problems: Problems, form: Form = VIDEOS
) -> Iterator[tuple[VideoEntry, tuple[str, ...]]]:
    """The videos with the names of their frames, for whoever needs their pixels; one that names none is a fault."""
    for place, video in enumerate(listing.videos.values()):
        if video.file_names is None:
            problems.error(f"{form.entries}[{place}].file_names", "missing, and with it where its frames are")
        else:
            yield video, video.file_names


def read_categories(content: Content, problems: Problems) -> dict[int, str]:
    """Names of the categories of a file by id, in its order."""
    found: dict[int, str] = {}
    names: set[str] = set()
    for _, row in content.rows("categories", problems):
        number = row.whole("id")
        if row.sound and number in found:
            row.fault("id", f"{number} is the id of an earlier entry too")
        name = row.text("name") if row.fields.get("name") not in (None, "") else None
        if not row.sound:
            continue
        if name is None:
            problems.warn(f"{row.place}.name", "missing")
        elif name in names:
            problems.warn(f"{row.place}.name", f"{name!r} is the name of an earlier category too")
        found[number] = name or f"class {number}"
        names.add(found[number])
    return found


def _video(row: Row, number: int) -> VideoEntry:
    names = tuple(map(portable, row.texts("file_names"))) if "file_names" in row else None
    # Training data may leave the length away where it names the frames.
    length = len(names) if names and "length" not in row else row.whole("length", 1, MAX_LENGTH)
    if names is not None and len(names) != length and row.sound:
        row.fault("file_names", f"{len(names)} names for a video of {length} frames")
    # YouTube-VIS itself has no names: there a video is known by the folder of its frames.
    name = str(row.fields.get("name") or (Path(names[0]).parent if names else f"video {number}"))
    fps = row.number("fps") if "fps" in row else None
    return VideoEntry(number, name, *row.size(), length, fps, names, _labelled(row))


def _still(row: Row, number: int) -> VideoEntry:
    name = portable(row.text("file_name"))
    return VideoEntry(number, name, *row.size(), 1, file_names=(name,), labelled_classes=_labelled(row))


def _labelled(row: Row) -> tuple[str, ...] | None:
    return row.texts("labelled_classes") if "labelled_classes" in row else None
