"""What the two forms of MOTS (text and PNG) share: an object is class x 1000 + instance; 10000 is to be ignored.

Definition: Voigtlaender et al., MOTS: Multi-Object Tracking and Segmentation, CVPR 2019. Class names are not part of
it. They are kept in a file labels.txt, one name a line, whose line number (from 0, the background) is the class.

A track has the instance for its id where that is enough to tell the objects of a video apart, else the whole number.
What is to be ignored is so for every class, and becomes a crowd of each: that is how YouTube-VIS and COCO ignore.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from chronomask.annotations.records import Track, TracksFile, VideoEntry, united
from chronomask.categories import Category
from chronomask.errors import refusing
from chronomask.formats.collected import Collected
from chronomask.formats.numbering import numbered_in_video, objects_in
from chronomask.rle import Rle

INSTANCES = range(1, 1000)
"""Instance numbers that fit."""

IGNORED = Category(10, "ignore")
"""The class of regions that count neither as object nor as background."""

IGNORED_ID = 10000
"""The one object of that class."""

_KITTI = {1: "car", 2: "pedestrian"}


class Objects(NamedTuple):
    """The objects of a video by number: class, and one mask a frame."""

    classes: Mapping[int, int]
    masks: Mapping[int, Sequence[Rle | None]]


def labelled(file: TracksFile, video: VideoEntry) -> Iterator[tuple[int, int, Sequence[Rle | None]]]:
    """(id, class, masks) of every object of a video, as they are written."""
    for number, track in numbers_of(file, video):
        yield number, track.category_id, track.segmentations
    for track in file.of(video):
        if track.crowd:  # the same region for every class
            yield IGNORED_ID, IGNORED.id, track.segmentations
            break


def numbers_of(file: TracksFile, video: VideoEntry) -> list[tuple[int, Track]]:
    """The tracks of a video, crowds left out, with the numbers that they are written with.

    Ids that are such numbers already stay, others become the instance or, where they do not fit, are counted from 1.
    """
    own = objects_in(file, video)
    if all(_has_form(track.id, track.category_id) for track in own):
        return [(track.id, track) for track in own]
    return [(track.category_id * 1000 + n, track) for n, track in numbered_in_video(file, video, INSTANCES)]


def ids_of(numbers: Mapping[int, int]) -> dict[int, int]:
    """The ids of the tracks of a video by their numbers; `numbers` has the class of each."""
    instances = {number: number % 1000 for number in numbers}
    told_apart = len(set(instances.values())) == len(instances)
    if told_apart and all(_has_form(number, class_id) for number, class_id in numbers.items()):
        return instances
    return {number: number for number in numbers}


def _has_form(number: int, class_id: int) -> bool:
    return number // 1000 == class_id and number % 1000 in INSTANCES


def file_of(found: Collected, objects: Sequence[Objects], path: Path) -> TracksFile:
    """What was read of all videos, with the names in labels.txt of the folder `path`."""
    used = {class_id for own in objects for class_id in own.classes.values()}
    counted = sorted(used - {IGNORED.id}) or [IGNORED.id]
    for video, own in zip(found.videos, objects, strict=True):
        classes = {number: class_id for number, class_id in own.classes.items() if class_id != IGNORED.id}
        ids = ids_of(classes)
        for number, class_id in classes.items():
            found.add_track(video, ids[number], class_id, own.masks[number])
        if ignored := [own.masks[number] for number in own.classes.keys() - classes.keys()]:
            region = [united(masks) for masks in zip(*ignored, strict=True)]
            for class_id in counted:
                found.add_track(video, 0, class_id, region, crowd=True)
    return found.file(read_labels(path, counted if used else ()))


def read_labels(path: Path, used: Iterable[int]) -> tuple[Category, ...]:
    """Categories by id: of labels.txt in the folder `path`, else KITTI's names; with all that are used.

    Raises:
        InputError: labels.txt is no text.
    """
    file = path / "labels.txt"
    names = dict(_KITTI)
    if file.is_file():
        with refusing(file, "cannot be read as text"):
            lines = file.read_text(encoding="utf-8").splitlines()
        names = {number: name for number, name in enumerate(lines) if number and name.strip()}
    for number in used:
        names.setdefault(number, IGNORED.name if number == IGNORED.id else f"class {number}")
    return tuple(Category(number, name) for number, name in sorted(names.items()))


def write_labels(file: TracksFile, path: Path) -> None:
    """Write labels.txt into the folder `path`."""
    names = {0: "background", **file.names}
    lines = [names.get(number, "") for number in range(max(names) + 1)]
    (path / "labels.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
