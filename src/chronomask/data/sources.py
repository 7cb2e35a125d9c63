"""Training data named on the command line: `FILE.json[,weight=0.4][,partial][,without=boat+hike]`."""

from __future__ import annotations

from math import inf
from pathlib import Path

from chronomask.data.categories import Category
from chronomask.data.coco import CocoImages
from chronomask.data.mixture import WeightedSource
from chronomask.data.reading import read_json
from chronomask.data.ytvis import YtvisVideos
from chronomask.errors import InputError


def open_training_source(specification: str, categories: tuple[Category, ...]) -> WeightedSource:
    """Opens one source of training data.

    Args:
        specification: an annotation file of COCO or YouTube-VIS form, whose images lie in `JPEGImages` or `images`
            beside it or in its own folder, and options: `weight=` its share of the clips (default 1), `partial` where
            not every object of a video is annotated, `without=` names of videos to leave out, joined by `+`.
        categories: the network's classes.

    Raises:
        InputError: an option is unknown, or the file cannot be used.
    """
    name, *options = specification.split(",")
    weight, partial, without = 1.0, False, []
    for option in options:
        key, _, value = option.partition("=")
        match key:
            case "weight":
                weight = _positive(value, specification)
            case "partial" if not value:
                partial = True
            case "without":
                without = value.split("+")
            case _:
                raise InputError(f"{specification}: unknown option {option!r}; known: weight=, partial, without=")
    path = Path(name)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the annotation file in it")
    if "videos" in read_json(path):
        videos = YtvisVideos(path, _images_beside(path), categories, complete=not partial)
        videos.without(without)
        return WeightedSource(videos, weight)
    if partial or without:
        raise InputError(f"{specification}: `partial` and `without` are for videos; stills say `labelled_classes`")
    return WeightedSource(CocoImages(path, _images_beside(path), categories), weight)


def _images_beside(annotations: Path) -> Path:
    for name in ("JPEGImages", "images"):
        if (annotations.parent / name).is_dir():
            return annotations.parent / name
    return annotations.parent


def _positive(text: str, specification: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < inf:
        raise InputError(f"{specification}: weight={text} is not a positive number")
    return value
