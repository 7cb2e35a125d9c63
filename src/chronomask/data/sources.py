"""Data sets opened by path, and as the command line of `train` names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, get_args

from chronomask.annotations.content import Content
from chronomask.annotations.listing import STILLS, VIDEOS
from chronomask.annotations.reader import form_of, opened_annotations, read
from chronomask.categories import Category
from chronomask.data.annotation_file import CocoImages, YtvisVideos
from chronomask.data.entries import EntryReader
from chronomask.data.layouts import VOC_OBJECTS, annotations_in, with_frames
from chronomask.data.mapping import Unmapped, read_mapping
from chronomask.data.protocol import WeightedSource
from chronomask.data.voc import VocImages
from chronomask.errors import InputError
from chronomask.formats.convert import capabilities
from chronomask.formats.labelme import is_labelme
from chronomask.formats.reading import opened_or_recognised, read_any
from chronomask.formats.recognise import recognise
from chronomask.formats.vos import is_all_there_is

DEFAULT_SHARES: dict[type[EntryReader], float] = {YtvisVideos: 0.6, CocoImages: 0.3, VocImages: 0.1}
"""Shares of the clips where no source has a weight: those of the published recipe (section 5.3)."""


def open_reader(
    path: Path,
    categories: Sequence[Category] | None,
    *,
    images: Path | None = None,
    mapping: Path | None = None,
    unmapped: Unmapped = "object",
    complete: bool = True,
    skip_broken: bool = False,
    stills: bool = False,
) -> EntryReader:
    """Opens a data set, whatever its form.

    Args:
        path: a json file of COCO or YouTube-VIS form (OVIS has that), a list of images of VOC
            (`ImageSets/Segmentation/train.txt`), a folder that holds one of these, or a file or folder of any other
            format (`formats`), whose faults `skip_broken` does not pass over.
        categories: the network's classes; None for the data set's own.
        images: the folder that file names are relative to; looked for by default (`images_of`). Formats without names
            of frames need it: it holds a folder of pictures for each video then.
        mapping: a file of rules for category names (`read_mapping`).
        unmapped: what becomes of categories that are no class of the network.
        complete: whether every object is annotated; if not, everything outside the masks is unknown.
        skip_broken: leave out what is broken, with a message each in `skipped`.
        stills: whether pictures of a LabelMe folder are separate ones, and no frames of a video.

    Raises:
        InputError: the path holds no data set or several, or, without `skip_broken`, one with faults.
    """
    rules = read_mapping(mapping, unmapped)
    found = _annotations_at(path, images)
    if (found / VOC_OBJECTS).is_dir() or found.suffix == ".txt":
        return VocImages(found, categories, rules, images=images, complete=complete, skip_broken=skip_broken)
    notes: list[str] = []
    held, title = opened_or_recognised(found), None
    if stills and held != "labelme":
        raise InputError(f"{path}: stills is for LabelMe folders, which say nowhere whether their pictures are a video")
    if isinstance(held, Content):
        form = form_of(held)
        reading = read(opened_annotations(held), "collect" if skip_broken else "raise", form=form, masks="encoded")
    else:
        reading = with_frames(read_any(found, masks="encoded", stills=stills, note=notes.append), images)
        form = STILLS if all(video.length == 1 for video in reading.listing.videos.values()) else VIDEOS
        title = capabilities(held).title
    kind = CocoImages if form is STILLS else YtvisVideos
    reader = kind(found, images, categories, rules, complete=complete, skip_broken=skip_broken, reading=reading)
    if reader.held_back:
        notes.append(f"{found}: no ground truth: it names {form.entries} and categories alone")
    reader.title, reader.notes = title or kind.title, notes
    return reader


def _annotations_at(path: Path, images: Path | None) -> Path:
    """The one file in a folder that is of COCO, YouTube-VIS or VOC form, or the folder itself if it has a format."""
    if not path.is_dir() or is_all_there_is(path):
        return path
    try:
        return annotations_in(path)
    except InputError:
        if _has_format(path, images):
            return path
        raise


def _has_format(folder: Path, images: Path | None) -> bool:
    try:
        format = recognise(folder)
    except InputError:
        return False
    if format == "kitti-step":  # any photographs in colour look like that, and without `images` it is of no use
        return images is not None
    return format != "labelme" or is_labelme(folder)


def open_training_sources(
    specifications: Sequence[str], categories: Sequence[Category] | None, *, skip_broken: bool = False
) -> list[WeightedSource]:
    """Opens all sources of training data. Where none has a weight, those of a kind share `DEFAULT_SHARES` of it.

    Args:
        specifications: see `parse_source`.
        categories: the network's classes; None for the data set's own.
        skip_broken: leave out what is broken, with a message each in the reader's `skipped`.

    Raises:
        InputError: a specification cannot be understood, or its data not used; one holds no ground truth.
    """
    parsed = [parse_source(specification) for specification in specifications]
    readers = [_opened(source, categories, skip_broken) for source in parsed]
    for reader in readers:
        reader.need_truth()
    if any(source.weight is not None for source in parsed):
        weights = [1.0 if source.weight is None else source.weight for source in parsed]
    else:
        kinds = Counter(type(reader) for reader in readers)
        weights = [DEFAULT_SHARES[type(reader)] / kinds[type(reader)] for reader in readers]
    return [WeightedSource(reader, weight) for reader, weight in zip(readers, weights, strict=True)]


@dataclass(frozen=True)
class SourceSpecification:
    """One source of training data, as named on the command line.

    Attributes:
        path: what `open_reader` takes.
        weight: its share of the clips, relative to the others'; None where not given.
        partial: not every object is annotated.
        stills: pictures are separate ones, as `open_reader` has it.
        without: names of entries to leave out.
        mapping, unmapped, images: as `open_reader` has them.
    """

    path: Path
    weight: float | None = None
    partial: bool = False
    stills: bool = False
    without: tuple[str, ...] = ()
    mapping: Path | None = None
    unmapped: Unmapped = "object"
    images: Path | None = None


def files_of(specifications: Sequence[str]) -> list[Path]:
    """All that sources name to be read but the frames, which their files name.

    Raises:
        InputError: as `parse_source`.
    """
    parsed = [parse_source(specification) for specification in specifications]
    return [path for source in parsed for path in (source.path, source.mapping) if path is not None]


def parse_source(specification: str) -> SourceSpecification:
    """Understands a path and options behind commas.

    These are `PATH[,weight=0.4][,partial][,stills][,without=a+b][,mapping=FILE][,unmapped=drop][,images=FOLDER]`.
    A path with commas of its own that exists is taken whole.

    Raises:
        InputError: an option is unknown, given twice, or has a wrong value.
    """
    path, *options = [specification] if Path(specification).exists() else specification.split(",")
    fields: dict[str, Any] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key in fields:
            raise InputError(f"{specification}: {key} is given twice")
        match key:
            case "weight":
                fields[key] = _positive(value, specification)
            case "partial" | "stills" if option == key:
                fields[key] = True
            case "without" if value:
                fields[key] = tuple(value.split("+"))
            case "mapping" | "images" if value:
                fields[key] = Path(value)
            case "unmapped" if value in get_args(Unmapped):
                fields[key] = value
            case _:
                raise InputError(
                    f"{specification}: {option!r} is no option; known are weight=NUMBER, partial, stills,"
                    " without=NAME+NAME, mapping=FILE, unmapped=object|ignore|drop, images=FOLDER"
                )
    return SourceSpecification(Path(path), **fields)


def open_source(
    specification: str,
    categories: Sequence[Category] | None,
    *,
    images: Path | None = None,
    skip_broken: bool = False,
) -> EntryReader:
    """Opens one data set as the command line names it, see `parse_source`; `images` comes before what it says."""
    source = parse_source(specification)
    return _opened(replace(source, images=images or source.images), categories, skip_broken)


def _opened(source: SourceSpecification, categories: Sequence[Category] | None, skip_broken: bool) -> EntryReader:
    reader = open_reader(
        source.path,
        categories,
        images=source.images,
        mapping=source.mapping,
        unmapped=source.unmapped,
        complete=not source.partial,
        skip_broken=skip_broken,
        stills=source.stills,
    )
    reader.without(source.without)
    return reader


def _positive(text: str, specification: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < inf:
        raise InputError(f"{specification}: weight={text} is not a positive number")
    return value
