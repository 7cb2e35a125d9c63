"""The shapes of a CVAT track as one mask a frame.

A mask holds its run lengths row by row, inside the box that `left`, `top`, `width` and `height` name. Between two
shapes of a track an object is in sight: polygons move from one to the other, corner by corner, all else stays.

Legend: N M corners.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float64

from chronomask import rle
from chronomask.annotations.records import VideoEntry
from chronomask.errors import InputError
from chronomask.rle import MAX_COORDINATE, Rle

_Polygon = Float64[np.ndarray, "_ 2"]


def attribute(where: str, element: Element, key: str) -> str:
    """An attribute that must be there."""
    value = element.get(key)
    if value is None:
        raise InputError(f"{where}: has no attribute '{key}'")
    return value


def whole(what: str, value: str | None, least: int, most: int = 2**40) -> int:
    """A whole number between two bounds, which CVAT may write as 12.0."""
    try:
        number = float(value) if value is not None else float("nan")
    except ValueError:
        number = float("nan")
    if not number.is_integer() or not least <= number <= most:
        bounds = f"from {least} to {most}" if number > most else f"from {least}"
        raise InputError(f"{what} must be a whole number {bounds}, not {value!r:.40}")
    return int(number)


def check_kinds(file: Path, tracks: Iterable[Element]) -> None:
    """Find out whether all shapes can be read.

    Raises:
        InputError: some cannot; one sentence for all of them.
    """
    kinds = Counter(shape.tag for track in tracks for shape in track)
    others = kinds.keys() - {"polygon", "mask"}
    if others:
        held = " and ".join(f"{kinds[kind]} <{kind}>" for kind in sorted(others))
        raise InputError(f"{file}: {held} of its {sum(kinds.values())} shapes have no mask; draw polygons or masks")


def masks_of(where: str, shapes: Mapping[int, Element], video: VideoEntry) -> tuple[list[Rle | None], int]:
    """One mask a frame, and how many of them were made between two polygons.

    Args:
        where: the track, for messages.
        shapes: by frame of the video, which a last one that is `outside` may exceed.
        video: what the track is of.

    Raises:
        InputError: naming track, frame and value.
    """
    row: list[Rle | None] = [None] * video.length
    moved = 0
    frames = sorted(shapes)
    for frame, following in zip(frames, [*frames[1:], video.length], strict=True):
        shape, place = shapes[frame], f"{where}: frame {attribute(where, shapes[frame], 'frame')}"
        if shape.get("outside") == "1":
            continue
        here = _mask(place, shape, video)
        row[frame:following] = [here] * (min(following, video.length) - frame)
        follower = shapes.get(following)
        if follower is not None and shape.tag == follower.tag == "polygon":
            first, second = _corners(place, shape), _corners(where, follower)
            if np.array_equal(first, second):
                continue
            for between in range(frame + 1, min(following, video.length)):
                share = (between - frame) / (following - frame)
                row[between] = _filled(place, between_polygons(first, second, share), video)
                moved += 1
    return row, moved


def between_polygons(
    first: Float64[np.ndarray, "N 2"], second: Float64[np.ndarray, "M 2"], share: float
) -> Float64[np.ndarray, "_ 2"]:
    """The polygon a share of the way, in [0, 1], from one to another.

    As in CVAT every corner goes to the one that lies nearest by its share of the way round, from the first corner on;
    corners of the second polygon that none goes to come from their nearest.
    """
    first, second = (np.vstack([polygon, polygon[:1]]) for polygon in (first, second))
    apart = np.abs(_way(first)[:, None] - _way(second)[None])
    pairs = {(here, int(there)) for here, there in enumerate(apart.argmin(1))}
    reached = {there for _, there in pairs}
    pairs |= {(int(apart[:, there].argmin()), there) for there in range(len(second)) if there not in reached}
    here, there = np.array(sorted(pairs)).T
    return first[here] + (second[there] - first[here]) * share


def _way(line: Float64[np.ndarray, "N 2"]) -> Float64[np.ndarray, " N"]:
    """How far every corner lies along a line, in [0, 1]."""
    way = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    return way / max(way[-1], 1e-12)


def _mask(where: str, shape: Element, video: VideoEntry) -> Rle:
    if shape.tag == "mask":
        try:
            return _read_mask(shape, video)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    return _filled(where, _corners(where, shape), video)


def _corners(where: str, shape: Element) -> _Polygon:
    points = attribute(f"{where}: <polygon>", shape, "points")
    try:
        found = np.array([[float(value) for value in point.split(",")] for point in points.split(";")]).reshape(-1, 2)
    except ValueError as error:
        raise InputError(f"{where}: points must be x,y;x,y;..., not {points!r:.80}") from error
    if not (abs(found) <= MAX_COORDINATE).all():
        raise InputError(f"{where}: points hold a coordinate beyond {MAX_COORDINATE:,.0f}: {points!r:.80}")
    return found


def _filled(where: str, polygon: _Polygon, video: VideoEntry) -> Rle:
    try:
        return rle.from_annotation([polygon.ravel().tolist()], video.height, video.width)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _read_mask(shape: Element, video: VideoEntry) -> Rle:
    left, top = (whole(key, shape.get(key), 0) for key in ("left", "top"))
    width, height = (whole(key, shape.get(key), 1) for key in ("width", "height"))
    if left + width > video.width or top + height > video.height:
        raise InputError(
            f"a mask of {width}x{height} at ({left}, {top}) leaves the frame of {video.width}x{video.height}"
        )
    text = attribute("<mask>", shape, "rle")
    counts = [whole("rle", value.strip(), 0) for value in text.split(",")]
    if sum(counts) != width * height:
        raise InputError(f"rle adds up to {sum(counts)}, not to {width} x {height} = {width * height}")
    mask = np.zeros((video.height, video.width), bool)
    mask[top : top + height, left : left + width] = np.repeat(np.arange(len(counts)) % 2, counts).reshape(height, width)
    return rle.encode(mask)
