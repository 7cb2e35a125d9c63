"""The fields of one track in an annotation or result file, parsed with every fault noted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from chronomask import rle
from chronomask.errors import InputError
from chronomask.evaluation.problems import Collector, shown
from chronomask.evaluation.tubes import Tube, mask_problems, read_tube
from chronomask.formats.ytvis import VideoEntry

_TOLERANCE = 1.0
"""Pixels by which stated areas and boxes may differ from those of the masks: tools round in different ways."""


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether a json value is a whole number; true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_id(entry: Mapping[str, Any], place: str, seen: set[int], found: Collector) -> bool:
    """Whether the entry has an id that is a whole number and new; notes it in `seen`."""
    number = entry.get("id")
    if not is_whole(number):
        found.error(f"{place}.id", "missing" if "id" not in entry else f"{shown(number)} is no whole number")
        return False
    if number in seen:
        found.error(f"{place}.id", f"{number} is the id of an earlier entry too")
        return False
    seen.add(number)
    if number == 0 and place.startswith("annotations"):
        found.warn(f"{place}.id", "0, which other evaluators take for unmatched")
    return True


def parse_flag(entry: Mapping[str, Any], place: str, found: Collector) -> bool:
    """`iscrowd`: 0 or 1."""
    flag = entry.get("iscrowd")
    if flag is None:
        found.error(f"{place}.iscrowd", "missing")
    elif flag not in (0, 1):
        found.error(f"{place}.iscrowd", f"{shown(flag)} is neither 0 nor 1")
    return flag == 1


def parse_score(entry: Mapping[str, Any], place: str, found: Collector) -> float | None:
    """`score`: a finite number; one outside [0, 1] warns."""
    score = entry.get("score")
    if not _is_number(score):
        found.error(f"{place}.score", "missing" if "score" not in entry else f"{shown(score)} is no finite number")
        return None
    if not 0 <= score <= 1:
        found.warn(f"{place}.score", f"{score} is outside [0, 1]")
    return float(score)


def parse_tube(
    entry: Mapping[str, Any],
    place: str,
    found: Collector,
    videos: Mapping[int, VideoEntry],
    categories: Mapping[int, str] | None,
) -> Tube | None:
    """`video_id`, `category_id` and `segmentations`; None if any of them is wrong.

    Without categories, any whole number passes for one.
    """
    video_id, category_id, masks = (entry.get(key) for key in ("video_id", "category_id", "segmentations"))
    video = _known(video_id, videos, "video_id", entry, place, found)
    category = _known(category_id, categories, "category_id", entry, place, found)
    if not isinstance(masks, list | tuple):
        missing = "segmentations" not in entry
        found.error(f"{place}.segmentations", "missing" if missing else f"{shown(masks)} is no list, one mask a frame")
        return None
    if video is None:
        return None
    if len(masks) != video.length:
        found.error(f"{place}.segmentations", f"{len(masks)} masks for a video of {video.length} frames")
        return None
    try:
        tube = read_tube(masks, video.height, video.width)
    except InputError:
        for t, message in mask_problems(masks, video.height, video.width):
            found.error(f"{place}.segmentations[{t}]", message)
        return None
    if not tube.areas.any():
        found.warn(f"{place}.segmentations", "no pixel in any frame")
    if found.thorough:
        _check_boxes(entry.get("bboxes"), tube, f"{place}.bboxes", found)
    return tube if category is not None else None


def _known(
    number: Any, known: Mapping[int, Any] | None, key: str, entry: Mapping[str, Any], place: str, found: Collector
) -> Any:
    """What the id stands for; None, and an error noted, if it stands for nothing."""
    if not is_whole(number):
        found.error(f"{place}.{key}", "missing" if key not in entry else f"{shown(number)} is no whole number")
    elif known is None:
        return number
    elif number not in known:
        found.error(f"{place}.{key}", f"{number} is no known {key.removesuffix('_id')}")
    else:
        return known[number]
    return None


def parse_areas(entry: Mapping[str, Any], place: str, found: Collector, tube: Tube | None) -> float | None:
    """`areas`: one number or null a frame, in pixels. Returns the mean of those that are neither null nor 0, else 0."""
    areas = entry.get("areas")
    if not isinstance(areas, list | tuple):
        found.error(f"{place}.areas", "missing" if areas is None else f"{shown(areas)} is no list")
        return None
    wrong = [t for t, area in enumerate(areas) if area is not None and not (_is_number(area) and area >= 0)]
    for t in wrong:
        found.error(f"{place}.areas[{t}]", f"{shown(areas[t])} is neither null nor a finite number from 0")
    if tube is None or wrong:
        return None
    if len(areas) != len(tube.areas):
        found.error(f"{place}.areas", f"{len(areas)} areas for a video of {len(tube.areas)} frames")
        return None
    stated = np.array([area or 0 for area in areas], np.float64)
    _warn_of_difference(np.abs(stated - tube.areas), stated, tube.areas, f"{place}.areas", found)
    return float(stated[stated > 0].mean()) if (stated > 0).any() else 0.0


def _check_boxes(boxes: Any, tube: Tube, place: str, found: Collector) -> None:
    if boxes is None:
        return
    if not isinstance(boxes, list | tuple) or len(boxes) != len(tube.masks):
        found.warn(place, f"{shown(boxes)} is no list of {len(tube.masks)} boxes")
        return
    for t, box in enumerate(boxes):
        whole = isinstance(box, list | tuple) and len(box) == 4 and all(map(_is_number, box))
        if box is not None and not whole:
            found.warn(f"{place}[{t}]", f"{shown(box)} is no box [x, y, width, height]")
            return
    stated = np.array([box or [0, 0, 0, 0] for box in boxes], np.float64)
    drawn = np.array([[0.0] * 4 if mask is None else rle.bbox(mask) for mask in tube.masks])
    _warn_of_difference(np.abs(stated - drawn).max(1), stated, drawn, place, found)


def _warn_of_difference(
    difference: np.ndarray, stated: np.ndarray, drawn: np.ndarray, place: str, found: Collector
) -> None:
    """One warning for the first frame that differs, and how many more do."""
    frames = np.flatnonzero(difference > _TOLERANCE)
    if len(frames):
        t = int(frames[0])
        more = f" ({len(frames) - 1} more frames disagree)" if len(frames) > 1 else ""
        found.warn(f"{place}[{t}]", f"{stated[t].tolist()}, the mask has {drawn[t].tolist()}{more}")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def stated_size(masks: Sequence[Any]) -> tuple[int, int] | None:
    """Height and width that the first mask with a sound `size` states."""
    for mask in masks:
        size = mask.get("size") if isinstance(mask, Mapping) else None
        if isinstance(size, list | tuple) and len(size) == 2 and all(is_whole(side) and side > 0 for side in size):
            return size[0], size[1]
    return None
