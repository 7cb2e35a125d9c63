"""Pictures for people: tracks drawn over a frame, and contact sheets.

Legend: K tracks, H W pixels.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Int64, UInt8
from PIL import Image

_GOLDEN = 0.6180339887
_COLOURS = 60
_OPACITY = 0.45


def track_colour(track_id: int) -> tuple[int, int, int]:
    """RGB colour of a track, 0-255: the same for the same id, always; far apart for ids that follow each other.

    Hues advance by the golden ratio, which keeps any run of ids spread round the circle; brightness alternates,
    so that the hues that come close again after some turns still differ. Ids repeat after 60.
    """
    place = track_id % _COLOURS
    hue = (0.58 + place * _GOLDEN) % 1
    lightness = (0.58, 0.42, 0.70)[place % 3]
    red, green, blue = (round(255 * value) for value in colorsys.hls_to_rgb(hue, lightness, 0.85))
    return red, green, blue


def draw_tracks(
    image: UInt8[np.ndarray, "H W 3"],
    masks: Bool[np.ndarray, "K H W"],
    track_ids: Int64[np.ndarray, " K"],
    labels: Sequence[str],
) -> UInt8[np.ndarray, "H W 3"]:
    """Draw every track as a tinted area with an outline and a label in its own colour.

    Lines and letters grow with the picture. Labels stay inside it and give way to each other.

    Args:
        image: RGB, left as it is.
        masks: one a track; a track whose mask is empty is left out.
        track_ids: they choose the colours, see `track_colour`.
        labels: one a track, such as "3 cat 0.87". An empty text draws no label.

    Returns:
        A new RGB image.
    """
    assert len(masks) == len(track_ids) == len(labels), "one mask, id and label a track"
    boxes = [_box(mask) for mask in masks]
    seen = [place for place, box in enumerate(boxes) if box is not None]
    if not seen:
        return image.copy()
    style = _style(image.shape[0], image.shape[1])
    detections = style.supervision.Detections(
        xyxy=np.array([boxes[place] for place in seen], dtype=np.float32),
        mask=masks[seen],
        tracker_id=np.asarray(track_ids)[seen],
    )
    scene = style.outline.annotate(_tinted(image, detections), detections)
    named = [place for place in range(len(seen)) if labels[seen[place]]]
    if named:
        texts = [_drawable(labels[seen[place]]) for place in named]
        scene = style.label.annotate(scene, detections[named], labels=texts)
    return scene


def contact_sheet(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], columns: int, width: int) -> UInt8[np.ndarray, "H W 3"]:
    """Lay images out in rows, from the top left.

    Args:
        images: RGB, at least one; each is scaled to the width of its column, its own proportions kept.
        columns: images a row.
        width: of the whole sheet, in pixels.

    Raises:
        ValueError: no image, less than one column, or columns of no width.
    """
    gap = 4
    cell = (width - gap * (columns + 1)) // max(columns, 1)
    if not images or columns < 1 or cell < 1:
        raise ValueError(f"a contact sheet of {len(images)} images in {columns} columns and {width} pixels")
    small = [
        Image.fromarray(image).resize(
            (cell, max(1, round(cell * image.shape[0] / image.shape[1]))), Image.Resampling.BOX
        )
        for image in images
    ]
    rows = [small[start : start + columns] for start in range(0, len(small), columns)]
    heights = [max(image.height for image in row) for row in rows]
    sheet = Image.new("RGB", (width, sum(heights) + gap * (len(rows) + 1)), (32, 32, 32))
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for column, image in enumerate(row):
            sheet.paste(image, (gap + column * (cell + gap), top))
        top += height + gap
    return np.array(sheet)


@dataclass(frozen=True)
class _Style:
    """supervision, and its annotators in the sizes for one size of picture."""

    supervision: Any
    outline: Any
    label: Any


@lru_cache(maxsize=8)
def _style(height: int, width: int) -> _Style:
    import supervision as sv  # here, because it takes a while

    def colour(track_id: int) -> Any:
        # supervision hands colours on in OpenCV's order BGR; our pixels are RGB.
        red, green, blue = track_colour(track_id)
        return sv.Color(r=blue, g=green, b=red)

    palette = sv.ColorPalette([colour(track_id) for track_id in range(_COLOURS)])
    texts = sv.ColorPalette([_text_colour(sv, track_id) for track_id in range(_COLOURS)])
    by_track = sv.ColorLookup.TRACK
    side = (height * width) ** 0.5
    return _Style(
        supervision=sv,
        outline=sv.PolygonAnnotator(color=palette, thickness=max(1, round(side / 450)), color_lookup=by_track),
        label=sv.LabelAnnotator(
            color=palette,
            text_color=texts,
            text_scale=max(0.35, side / 1400),
            text_thickness=max(1, round(side / 900)),
            text_padding=max(2, round(side / 220)),
            text_position=sv.Position.TOP_LEFT,
            color_lookup=by_track,
            smart_position=True,
        ),
    )


def _tinted(image: UInt8[np.ndarray, "H W 3"], detections: Any) -> UInt8[np.ndarray, "H W 3"]:
    """What supervision's MaskAnnotator makes; that one goes over the whole picture for every mask."""
    flat = image.copy()
    for place in np.flip(np.argsort(detections.area)):  # where masks overlap, the smaller one is seen
        left, top, right, bottom = (int(value) for value in detections.xyxy[place])
        near = np.s_[top : bottom + 1, left : right + 1]
        mask = detections.mask[place][near]
        colour = np.full((*mask.shape, 3), track_colour(int(detections.tracker_id[place])), np.uint8)
        cv2.copyTo(colour, mask.view(np.uint8), flat[near])
    return cv2.addWeighted(flat, _OPACITY, image, 1 - _OPACITY, 0)


def _text_colour(sv: Any, track_id: int) -> Any:
    """Black or white, whichever reads better on the track's colour."""
    red, green, blue = track_colour(track_id)
    return sv.Color.BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else sv.Color.WHITE


def _box(mask: Bool[np.ndarray, "H W"]) -> tuple[int, int, int, int] | None:
    """First and last column and row of a mask, as (x1, y1, x2, y2); None for an empty one."""
    columns = np.flatnonzero(mask.any(axis=0))
    if columns.size == 0:
        return None
    rows = np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def _drawable(text: str) -> str:
    """OpenCV's letters are ASCII only; it would draw question marks for each byte of any other."""
    return text.encode("ascii", "replace").decode("ascii")
