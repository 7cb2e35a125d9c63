"""Data sets opened by path, and as the command line of `train` names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, get_args

from chronomask.annotations.content import opened
from chronomask.annotations.reader import STILLS, form_of
from chronomask.categories import Category
from chronomask.data.annotation_file import CocoImages, YtvisVideos
from chronomask.data.entries import EntryReader
from chronomask.data.layouts import annotations_in
from chronomask.data.mapping import Unmapped, read_mapping
from chronomask.data.mixture import WeightedSource
from chronomask.data.voc import VocImages
from chronomask.errors import InputError

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
) -> EntryReader:
    """Opens a data set, whatever its form.

    Args:
        path: a json file of COCO or YouTube-VIS form (OVIS has that), a list of images of VOC
            (`ImageSets/Segmentation/train.txt`), or a folder that holds one of these.
        categories: the network's classes; None for the data set's own.
        images: the folder that file names are relative to; looked for by default (`images_of`).
        mapping: a file of rules for category names (`read_mapping`).
        unmapped: what becomes of categories that are no class of the network.
        complete: whether every object is annotated; if not, everything outside the masks is unknown.
        skip_broken: leave out what is broken, with a message each in `skipped`.

    Raises:
        InputError: the path holds no data set or several, or, without `skip_broken`, one with faults.
    """
    rules = read_mapping(mapping, unmapped)
    found = annotations_in(path) if path.is_dir() else path
    if found.is_dir() or found.suffix == ".txt":
        return VocImages(found, categories, rules, images=images, complete=complete, skip_broken=skip_broken)
    content = opened(found)
    reader = CocoImages if form_of(content) is STILLS else YtvisVideos
    return reader(found, images, categories, rules, complete=complete, skip_broken=skip_broken, content=content)


def open_training_sources(
    specifications: Sequence[str], categories: Sequence[Category] | None, *, skip_broken: bool = False
) -> list[WeightedSource]:
    """Opens all sources of training data. Where none has a weight, those of a kind share `DEFAULT_SHARES` of it.

    Args:
        specifications: see `parse_source`.
        categories: the network's classes; None for the data set's own.
        skip_broken: leave out what is broken, with a message each in the reader's `skipped`.

    Raises:
        InputError: a specification cannot be understood, or its data not used.
    """
    parsed = [parse_source(specification) for specification in specifications]
    readers = [_open_source(source, categories, skip_broken) for source in parsed]
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
        without: names of entries to leave out.
        mapping, unmapped, images: as `open_reader` has them.
    """

    path: Path
    weight: float | None = None
    partial: bool = False
    without: tuple[str, ...] = ()
    mapping: Path | None = None
    unmapped: Unmapped = "object"
    images: Path | None = None


def parse_source(specification: str) -> SourceSpecification:
    """Understands `FILE_OR_FOLDER[,weight=0.4][,partial][,without=a+b][,mapping=FILE][,unmapped=drop][,images=FOLDER]`.

    Raises:
        InputError: an option is unknown, given twice, or has a wrong value.
    """
    path, *options = specification.split(",")
    fields: dict[str, Any] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key in fields:
            raise InputError(f"{specification}: {key} is given twice")
        match key:
            case "weight":
                fields[key] = _positive(value, specification)
            case "partial" if option == "partial":
                fields[key] = True
            case "without" if value:
                fields[key] = tuple(value.split("+"))
            case "mapping" | "images" if value:
                fields[key] = Path(value)
            case "unmapped" if value in get_args(Unmapped):
                fields[key] = value
            case _:
                raise InputError(
                    f"{specification}: {option!r} is no option; known are weight=NUMBER, partial, without=NAME+NAME,"
                    " mapping=FILE, unmapped=object|ignore|drop, images=FOLDER"
                )
    return SourceSpecification(Path(path), **fields)


def _open_source(source: SourceSpecification, categories: Sequence[Category] | None, skip_broken: bool) -> EntryReader:
    reader = open_reader(
        source.path,
        categories,
        images=source.images,
        mapping=source.mapping,
        unmapped=source.unmapped,
        complete=not source.partial,
        skip_broken=skip_broken,
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
