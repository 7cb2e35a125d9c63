"""What all annotation readers share: json, pixels, and one frame's masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int16, UInt8
from PIL import Image
from torch import Tensor

from chronomask import rle
from chronomask.data.categories import Category
from chronomask.errors import InputError
from chronomask.structures import NO_CLASS


def read_json(path: Path) -> dict[str, Any]:
    """An annotation file.

    Raises:
        InputError: the file is missing or no json object.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"{path}: not json: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: an annotation file is a json object, this is a {type(content).__name__}")
    return content


def read_pixels(path: Path, height: int, width: int) -> UInt8[Tensor, "3 H W"]:
    """An image of a known size as RGB 0-255.

    Raises:
        InputError: missing or corrupt image, or another size than annotated.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be read as an image: {error}") from error
    if pixels.shape[:2] != (height, width):
        raise InputError(f"{path}: {pixels.shape[1]}x{pixels.shape[0]} pixels, the annotations say {width}x{height}")
    return torch.from_numpy(pixels).permute(2, 0, 1)


def class_indices(file_categories: list[dict[str, Any]], categories: tuple[Category, ...]) -> dict[int, int]:
    """From a file's category ids to the network's indices, joined by name; NO_CLASS for names it does not know."""
    index_of = {category.name: index for index, category in enumerate(categories)}
    return {entry["id"]: index_of.get(entry["name"], NO_CLASS) for entry in file_categories}


def class_index(annotation: dict[str, Any], index_of: dict[int, int], file: Path) -> int:
    """The network's class index of an annotation; NO_CLASS where it merges several objects (rider and vehicle).

    Raises:
        InputError: its category is none of the file's.
    """
    category = annotation.get("category_id")
    if category not in index_of:
        place = f"{file}: annotation {annotation.get('id')}"
        raise InputError(f"{place}: category_id {category!r} is not among the file's categories")
    return NO_CLASS if annotation.get("merged") else index_of[category]


def paint(segmentations: list[Any], height: int, width: int, where: list[str]) -> Int16[Tensor, "H W"]:
    """The label map of one frame: 0 nobody, k + 1 the k-th segmentation; the smaller instance wins overlaps.

    Args:
        segmentations: polygons, run lengths of either kind, or None.
        where: the place of each, for errors.
    """
    masks = [None if s is None else mask_of(s, height, width, w) for s, w in zip(segmentations, where, strict=True)]
    labels = np.zeros((height, width), np.int16)
    areas = [0 if mask is None else int(mask.sum()) for mask in masks]
    for index in sorted(range(len(masks)), key=lambda i: -areas[i]):
        if (mask := masks[index]) is not None:
            labels[mask] = index + 1
    return torch.from_numpy(labels)


def mask_of(segmentation: Any, height: int, width: int, where: str) -> Bool[np.ndarray, "H W"]:
    """One decoded mask; errors name its place."""
    try:
        return rle.decode(rle.from_annotation(segmentation, height, width))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
