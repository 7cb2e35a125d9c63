"""What the two forms of MOTS (text and PNG) share: an object is class x 1000 + instance; 10000 is to be ignored.

Definition: Voigtlaender et al., MOTS: Multi-Object Tracking and Segmentation, CVPR 2019. Class names are not part of
it. They are kept in a file labels.txt, one name a line, whose line number (from 0, the background) is the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from chronomask.categories import Category
from chronomask.errors import InputError
from chronomask.formats.tracks import Track, TracksFile, VideoEntry, numbered_in_video
from chronomask.rle import Rle

INSTANCES = range(1, 1000)
"""Instance numbers that fit."""

IGNORED = Category(10, "ignore")
"""The class of regions that count neither as object nor as background."""

IGNORED_ID = 10000
"""The one object of that class."""

_KITTI = {1: "car", 2: "pedestrian"}


def labelled(file: TracksFile, video: VideoEntry) -> Iterator[tuple[int, int, Sequence[Rle | None]]]:
    """(id, class, masks) of every object of a video, as they are written."""
    for number, track in numbered_in_video(file, video, INSTANCES):
        yield track.category_id * 1000 + number, track.category_id, track.segmentations
    for track in file.tracks:
        if track.crowd and track.video_id == video.id:
            yield IGNORED_ID, IGNORED.id, track.segmentations


def track_of(number: int, category_id: int, video_id: int, masks: Sequence[Rle | None]) -> Track:
    """The track of an object; its id is the instance's (0 for the ignored), until tracks of all videos are numbered."""
    ignored = number == IGNORED_ID
    return Track(number % 1000, video_id, category_id, 1.0, tuple(masks), crowd=ignored)


def read_labels(path: Path, used: Iterable[int]) -> tuple[Category, ...]:
    """Categories by id: of labels.txt in the folder `path`, else KITTI's names; with all that are used.

    Raises:
        InputError: labels.txt is no text.
    """
    file = path / "labels.txt"
    names = dict(_KITTI)
    if file.is_file():
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: cannot be read as text: {error}") from error
        names = {number: name for number, name in enumerate(lines) if number and name.strip()}
    for number in used:
        names.setdefault(number, IGNORED.name if number == IGNORED.id else f"class {number}")
    return tuple(Category(number, name) for number, name in sorted(names.items()))


def write_labels(file: TracksFile, path: Path) -> None:
    """Write labels.txt into the folder `path`."""
    names = {0: "background", **{category.id: category.name for category in file.categories}}
    lines = [names.get(number, "") for number in range(max(names) + 1)]
    (path / "labels.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
