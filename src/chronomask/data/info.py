"""What is in a data set, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from rich.table import Table

from chronomask.categories import LITE, NO_CLASS, OBJECT
from chronomask.claims import check_frames
from chronomask.data.entries import EntryReader
from chronomask.data.mapping import joined
from chronomask.data.protocol import InstanceInfo
from chronomask.data.sources import open_source
from chronomask.errors import InputError
from chronomask.progress import Progress, silent

SMALL, LARGE = 32**2, 96**2
"""COCO's bounds: smaller than the first is small, from the second on large; in pixels."""

_SIZES = 6
"""So many sizes are printed."""


@dataclass(frozen=True)
class ClassCount:
    """One class of a data set.

    Attributes:
        name: in the data set.
        instances: annotations that are instances of it, merged ones included.
        crowds: annotations whose pixels are ignored.
        entries: stills or videos with at least one of either.
        lite: the bundled model's class for it, `object` for one without a class.
    """

    name: str
    instances: int
    crowds: int
    entries: int
    lite: str


@dataclass(frozen=True)
class Areas:
    """Instances by area in pixels (mean over their frames): as annotated or, where the file does not say, as drawn."""

    small: int
    medium: int
    large: int
    unknown: int


@dataclass(frozen=True)
class DatasetInfo:
    """What `dataset info` prints.

    Attributes:
        annotations, images: where they were found.
        form: the kind of files.
        entries: stills or videos.
        frames: of all entries.
        instances: annotated objects, merged ones included.
        masks: frames of instances in which they are annotated.
        crowds: annotations whose pixels are ignored.
        classless: instances that are used as objects without a class: merged ones, and those named `object`.
        partial: entries in which not every class of the data set is labelled.
        empty: entries without an instance.
        unseen: instances without a pixel: empty, or hidden by smaller ones; None if pixels were not looked at.
        sizes: (width, height, entries), most frequent first.
        lengths: frames of the shortest, the median and the longest entry; None without entries.
        areas: see Areas.
        classes: most frequent first.
        problems: what training would stop at, one message each.
        notes: what reading took for granted or left out.
    """

    annotations: str
    images: str
    form: str
    entries: int
    frames: int
    instances: int
    masks: int
    crowds: int
    classless: int
    partial: int
    empty: int
    unseen: int | None
    sizes: tuple[tuple[int, int, int], ...]
    lengths: tuple[int, float, int] | None
    areas: Areas
    classes: tuple[ClassCount, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def dataset_info(
    path: Path,
    *,
    images: Path | None = None,
    pixels: bool = True,
    writes: Sequence[Path] = (),
    progress: Progress = silent,
) -> DatasetInfo:
    """Counts what a data set holds and collects its faults; nothing is left out because something else is broken.

    Args:
        path: what `open_source` takes.
        images: folder of the images; looked for by default.
        pixels: decode every image and mask, which finds the faults that lie there.
        writes: files that will be written with what is found; none of them may be an image of the data set.
        progress: shows how far the decoding is.

    Raises:
        InputError: there is no data set at `path`, its file cannot be read at all, or an image would be replaced.
    """
    reader = open_source(str(path), None, images=images, skip_broken=True)
    check_frames(writes, reader.images, reader.frames)
    problems = list(reader.skipped)
    looked = _Looked(reader, pixels, problems)
    for index in progress(range(len(reader)), "checking", len(reader)):
        looked.at(index)
    if not len(reader):
        problems.append(f"{path}: no still and no video that could be used")
    lengths = [reader.length(index) for index in range(len(reader))]
    sizes = Counter(reader.size(index) for index in range(len(reader)))
    instances = [info for infos in looked.annotated for info in infos if not info.crowd]
    return DatasetInfo(
        annotations=str(reader.annotations),
        images=str(reader.images),
        form=reader.title,
        entries=len(reader),
        frames=sum(lengths),
        instances=len(instances),
        masks=sum(info.frames for info in instances),
        crowds=sum(info.crowd for infos in looked.annotated for info in infos),
        classless=sum(info.class_id == NO_CLASS for info in instances),
        partial=sum(not entry.complete for entry in reader.entries),
        empty=sum(all(info.crowd for info in infos) for infos in looked.annotated),
        unseen=looked.areas.count(0.0) if pixels else None,
        sizes=tuple((width, height, count) for (height, width), count in sizes.most_common()),
        lengths=(min(lengths), float(median(lengths)), max(lengths)) if lengths else None,
        areas=_binned([d if info.area is None else info.area for info, d in zip(instances, looked.areas, strict=True)]),
        classes=_class_counts(looked.annotated, joined(reader.class_names, [category.name for category in LITE])),
        problems=tuple(problems),
        notes=tuple(reader.notes),
    )


class _Looked:
    """What was seen of a data set, entry by entry.

    Attributes:
        annotated: the annotations of every entry.
        areas: of every instance of all entries, the mean of the areas that its masks have where it is in sight, 0 if
            it never is; None if not all its frames were read.
    """

    def __init__(self, reader: EntryReader, pixels: bool, problems: list[str]) -> None:
        self.reader, self.pixels, self.problems = reader, pixels, problems
        self.annotated: list[list[InstanceInfo]] = []
        self.areas: list[float | None] = []

    def at(self, index: int) -> None:
        """One entry; its faults go to `problems`."""
        infos = self.reader.instances(index)
        self.areas += self._drawn(index, sum(not info.crowd for info in infos))
        self.annotated.append(infos)

    def _drawn(self, index: int, instances: int) -> list[float | None]:
        if not self.pixels:
            return [None] * instances
        total, shown = np.zeros(instances), np.zeros(instances)
        whole = True
        for frame in range(self.reader.length(index)):
            try:
                labels = self.reader.labels(index, frame).labels
                self.reader.pixels(index, frame)
            except InputError as error:
                self.problems.append(str(error))
                whole = False
                continue
            areas = np.bincount(labels.ravel(), minlength=instances + 1)[1:]
            total += areas
            shown += areas > 0
        return (total / np.maximum(shown, 1)).tolist() if whole else [None] * instances


def _binned(areas: Sequence[float | None]) -> Areas:
    known = [area for area in areas if area is not None]
    small, large = sum(area < SMALL for area in known), sum(area >= LARGE for area in known)
    return Areas(small, len(known) - small - large, large, len(areas) - len(known))


def _class_counts(annotated: Sequence[Sequence[InstanceInfo]], lite: Mapping[str, str]) -> tuple[ClassCount, ...]:
    every = [info for infos in annotated for info in infos]
    instances = Counter(info.name for info in every if not info.crowd)
    crowds = Counter(info.name for info in every if info.crowd)
    entries = Counter(name for infos in annotated for name in {info.name for info in infos})
    counts = [
        ClassCount(name, instances[name], crowds[name], entries[name], lite.get(name, OBJECT.name)) for name in entries
    ]
    return tuple(sorted(counts, key=lambda count: (-count.instances, count.name)))


def info_tables(info: DatasetInfo) -> list[Table]:
    """What people read: the whole, then the classes."""
    whole = Table(title=info.annotations, show_header=False)
    for name, value in _rows(info):
        whole.add_row(name, value)
    classes = Table("class", "instances", "crowds", "entries", "class of lite")
    for count in info.classes:
        numbers = (f"{count.instances:,}", f"{count.crowds:,}", f"{count.entries:,}")
        new = count.lite == OBJECT.name != count.name
        classes.add_row(count.name, *numbers, "new: none of lite's classes" if new else count.lite)
    return [whole, classes] if info.classes else [whole]


def _rows(info: DatasetInfo) -> Iterator[tuple[str, str]]:
    yield "form", info.form
    yield "images", info.images
    yield "entries", f"{info.entries:,}, {info.empty:,} without an instance"
    if info.lengths and info.lengths[2] > 1:
        shortest, middle, longest = info.lengths
        yield "frames", f"{info.frames:,}; {shortest} to {longest} a video, median {middle:g}"
    common = ", ".join(f"{width}x{height} ({count:,})" for width, height, count in info.sizes[:_SIZES])
    others = f", {len(info.sizes) - _SIZES} other sizes" if len(info.sizes) > _SIZES else ""
    yield "sizes", common + others
    yield "instances", f"{info.instances:,} with {info.masks:,} masks"
    areas = info.areas
    unknown = f", {areas.unknown:,} unknown" if areas.unknown else ""
    yield (
        "areas",
        f"{areas.small:,} small (< 32x32), {areas.medium:,} medium, {areas.large:,} large (>= 96x96)" + unknown,
    )
    if info.crowds:
        yield "crowds", f"{info.crowds:,}: ignored pixels"
    if info.classless:
        yield "classless", f"{info.classless:,}: instances that join several objects or are named `object`"
    if info.partial:
        yield (
            "partial",
            f"{info.partial:,} entries do not label every class: what lies outside their masks is unknown",
        )
    if info.unseen:
        yield (
            "unseen",
            f"{info.unseen:,}: instances without a pixel, for their masks are empty or hidden by smaller ones",
        )
