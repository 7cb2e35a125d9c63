"""What all readers of annotations share: json, pixels, masks and the label map of one frame.

Legend: H W pixels.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int16, UInt8
from PIL import Image
from torch import Tensor

from chronomask import rle
from chronomask.errors import InputError


class FrameLabels(NamedTuple):
    """What is known of the pixels of one frame, as the fields of `Clip` have it.

    Attributes:
        labels: 0 nobody, k + 1 the k-th instance.
        ignore: pixels that enter no loss term.
        unknown: pixels of which nobody said that they are background.
    """

    labels: Int16[Tensor, "H W"]
    ignore: Bool[Tensor, "H W"]
    unknown: Bool[Tensor, "H W"]


def read_json(path: Path) -> dict[str, Any]:
    """A json object, its run lengths and polygons packed: plain lists of numbers take up to ten times the memory.

    Raises:
        InputError: the file is missing or no json object.
    """
    try:
        content = json.loads(path.read_bytes(), object_hook=_packed)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not json: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: a json object is needed, this is a {type(content).__name__}")
    return content


def read_pixels(path: Path, height: int, width: int) -> UInt8[Tensor, "3 H W"]:
    """An image of a known size as RGB 0-255. Orientation tags are not obeyed, for annotations are of stored pixels.

    Raises:
        InputError: missing or corrupt image, or another size than annotated.
    """
    pixels = np.array(open_image(path).convert("RGB"))
    if pixels.shape[:2] != (height, width):
        raise InputError(f"{path}: {pixels.shape[1]}x{pixels.shape[0]} pixels, the annotations say {width}x{height}")
    return torch.from_numpy(pixels).permute(2, 0, 1)


def open_image(path: Path) -> Image.Image:
    """An image with its pixels decoded.

    Raises:
        InputError: missing or corrupt image.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as an image: {error}") from error


def paint(masks: Sequence[Bool[np.ndarray, "H W"] | None], height: int, width: int) -> Int16[Tensor, "H W"]:
    """The label map of one frame: 0 nobody, k + 1 the k-th mask; the smaller instance wins overlaps."""
    labels = np.zeros((height, width), np.int16)
    areas = [0 if mask is None else np.count_nonzero(mask) for mask in masks]
    for index in sorted(range(len(masks)), key=lambda i: -areas[i]):
        if (mask := masks[index]) is not None:
            labels[mask] = index + 1
    return torch.from_numpy(labels)


def mask_of(segmentation: Any, height: int, width: int, where: str) -> Bool[np.ndarray, "H W"]:
    """One decoded mask. Polygons are clipped at the frame.

    Raises:
        InputError: broken run lengths or polygons, or a polygon that lies wholly outside the frame.
    """
    try:
        plain = _unpacked(segmentation)
        mask = rle.decode(rle.from_annotation(plain, height, width))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    for polygon in plain if isinstance(plain, list) else ():
        x, y = polygon[0::2], polygon[1::2]
        if max(x) < 0 or min(x) > width or max(y) < 0 or min(y) > height:
            raise InputError(
                f"{where}: a polygon lies outside the frame of {width}x{height} pixels:"
                f" x {min(x)} to {max(x)}, y {min(y)} to {max(y)}"
            )
    return mask


def _packed(entry: dict[str, Any]) -> dict[str, Any]:
    """Hook of the json parser: numbers of masks as arrays."""
    if isinstance(counts := entry.get("counts"), list):
        entry["counts"] = _array("i", counts)
    if isinstance(polygons := entry.get("segmentation"), list):
        entry["segmentation"] = _packed_polygons(polygons)
    if isinstance(masks := entry.get("segmentations"), list):
        entry["segmentations"] = [_packed_polygons(mask) if isinstance(mask, list) else mask for mask in masks]
    return entry


def _packed_polygons(polygons: list[Any]) -> list[Any]:
    return [_array("d", polygon) if isinstance(polygon, list) else polygon for polygon in polygons]


def _array(code: str, numbers: list[Any]) -> Any:
    try:
        return array(code, numbers)
    except (TypeError, OverflowError):
        return numbers  # refused, with its place, when the mask is decoded


def _unpacked(segmentation: Any) -> Any:
    if isinstance(segmentation, dict):
        counts = segmentation.get("counts")
        return {**segmentation, "counts": counts.tolist()} if isinstance(counts, array) else segmentation
    if isinstance(segmentation, list):
        return [polygon.tolist() if isinstance(polygon, array) else polygon for polygon in segmentation]
    return segmentation
