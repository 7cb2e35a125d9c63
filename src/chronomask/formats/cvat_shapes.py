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
from chronomask.annotations.problems import Problems, shown
from chronomask.annotations.records import VideoEntry
from chronomask.annotations.row import Row, is_whole
from chronomask.errors import InputError
from chronomask.rle import Rle

_NUMBERS = {"id", "frame", "outside", "left", "top", "width", "height", "size", "start_frame"}


def row_of(texts: Mapping[str, str | None], place: str, problems: Problems) -> Row:
    """What xml says at some place, where numbers are texts: 12.0 is 12."""
    return Row({key: _number(text) if key in _NUMBERS else text for key, text in texts.items()}, place, problems)


def _number(text: str | None) -> str | int | float | None:
    try:
        number = float(text or "")
    except ValueError:
        return text or None
    return int(number) if number.is_integer() else number


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


def masks_of(shapes: Mapping[int, Row], video: VideoEntry) -> tuple[list[Rle | None], int]:
    """One mask a frame, and how many of them were made between two polygons.

    Args:
        shapes: of a track, by frame of the video, which a last one that is `outside` may exceed.
        video: what the track is of.

    Raises:
        InputError: naming track, frame and value.
    """
    row: list[Rle | None] = [None] * video.length
    moved = 0
    frames = sorted(shapes)
    for frame, following in zip(frames, [*frames[1:], video.length], strict=True):
        shape = shapes[frame]
        if shape.flag("outside"):
            continue
        row[frame:following] = [_mask(shape, video)] * (min(following, video.length) - frame)
        follower = shapes.get(following)
        if follower is not None and shape.text("shape") == follower.text("shape") == "polygon":
            first, second = _corners(shape), _corners(follower)
            if np.array_equal(first, second):
                continue
            for between in range(frame + 1, min(following, video.length)):
                share = (between - frame) / (following - frame)
                row[between] = _filled(shape, between_polygons(first, second, share), video)
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


def _mask(shape: Row, video: VideoEntry) -> Rle:
    return _run_lengths(shape, video) if shape.text("shape") == "mask" else _filled(shape, _corners(shape), video)


def _corners(shape: Row) -> Float64[np.ndarray, "_ 2"]:
    text = shape.text("points")
    points = [[_number(value) for value in point.split(",")] for point in text.split(";")]
    return np.array(Row({"points": points}, shape.place, shape.problems).points("points"), np.float64)


def _filled(shape: Row, polygon: Float64[np.ndarray, "_ 2"], video: VideoEntry) -> Rle:
    return shape.mask("points", [polygon.ravel().tolist()], video.width, video.height)


def _run_lengths(shape: Row, video: VideoEntry) -> Rle:
    left, top = shape.whole("left", 0), shape.whole("top", 0)
    width, height = shape.size()
    if left + width > video.width or top + height > video.height:
        frame = f"{video.width}x{video.height}"
        shape.fault("left", f"a mask of {width}x{height} at ({left}, {top}) leaves the frame of {frame}")
    texts = shape.text("rle").split(",")
    counts = [count for text in texts if is_whole(count := _number(text)) and count >= 0]
    if len(counts) < len(texts):
        shape.fault("rle", f"holds what is no run length: {shown(texts)}")
    if sum(counts) != width * height:
        shape.fault("rle", f"adds up to {sum(counts)}, not to {width} x {height} = {width * height}")
    mask = np.zeros((video.height, video.width), bool)
    mask[top : top + height, left : left + width] = np.repeat(np.arange(len(counts)) % 2, counts).reshape(height, width)
    return rle.encode(mask)
