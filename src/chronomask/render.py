"""Pictures for people: tracks drawn over a frame, and contact sheets.

Legend: K tracks, H W pixels.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int64, Shaped, UInt8
from PIL import Image

from chronomask.lettering import plate
from chronomask.morphology import dilated

_GOLDEN = 0.6180339887
_COLOURS = 60
_OPACITY = 115
"""Of an area, from 0 to 256."""
_PIXEL = np.dtype("V3")
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)

_Rectangle = tuple[int, int, int, int]
"""First column and row, and those behind the last."""

_Slices = tuple[slice, slice]
"""Rows and columns."""


_BESIDE = [(0, 0, -1), (1, 0, -1), (0, 1, 0), (1, 1, 0)]
_AWAY = [(x, 0, lines) for step in range(12) for lines in (step, -step - 2) for x in range(4)]
_PLACES = np.array(_BESIDE + _AWAY).T
"""Where a label may lie, the best place first: on top of the object, below it, then further away. Three numbers each:
which column begins it (the first of the object, the last less its width, the first less its width, the last); which
row (the first, the last); and by how many lines it is moved down."""


@lru_cache(maxsize=256)
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
        labels: one a track, such as "3 cat 87%". An empty text draws no label.

    Returns:
        A new RGB image.
    """
    assert len(masks) == len(track_ids) == len(labels), "one mask, id and label a track"
    boxes = [Image.fromarray(mask.view(np.uint8)).getbbox() for mask in masks]
    seen = [(place, box) for place, box in enumerate(boxes) if box is not None]
    side = (image.shape[0] * image.shape[1]) ** 0.5
    scene = np.array(image, order="C")
    pixels, colours = _pixels(scene), [track_colour(number) for number in track_ids.tolist()]
    # Where masks overlap, the smaller one is seen.
    for place, box in sorted(seen, key=lambda one: -np.count_nonzero(masks[one[0]])):
        near = np.s_[box[1] : box[3], box[0] : box[2]]
        np.copyto(pixels[near], _pixels(_tinted(image[near], colours[place])), where=masks[place][near])
    lines = _pixels(np.array(colours, np.uint8).reshape(-1, 3))
    for place, box in seen:
        near, line = _outline(masks[place], box, max(1, round(side / 450)))
        np.copyto(pixels[near], lines[place], where=line)
    # The oldest track first: its label shall not leap when another comes.
    named = sorted((int(track_ids[place]), labels[place], box) for place, box in seen if labels[place])
    taken: list[_Rectangle] = []
    for number, text, box in named:
        colour = track_colour(number)
        label = plate(text, max(9, round(side / 46)), max(2, round(side / 220)), colour, _ink(colour))
        left, top, right, bottom = _free_place(label.shape[1::-1], box, image.shape[1::-1], taken)
        scene[top:bottom, left:right] = label[: image.shape[0] - top, : image.shape[1] - left]
        taken.append((left, top, right, bottom))
    return scene


def fitted(size: Sequence[int], column: int) -> tuple[int, int]:
    """Width and height of a picture in a column: its own proportions, and at most eight times as tall as it is wide.

    Args:
        size: height and width of the picture itself.
        column: width of the column.
    """
    height, width = size
    scale = column * min(1 / width, 8 / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def contact_sheet(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], columns: int, width: int) -> UInt8[np.ndarray, "H W 3"]:
    """Lay images out in rows, from the top left.

    Args:
        images: RGB, at least one; each is scaled into its column, see `fitted`.
        columns: images a row.
        width: of the whole sheet, in pixels.

    Raises:
        ValueError: no image, less than one column, or columns of no width.
    """
    gap = 4
    cell = (width - gap * (columns + 1)) // max(columns, 1)
    if not images or columns < 1 or cell < 1:
        raise ValueError(f"a contact sheet of {len(images)} images in {columns} columns and {width} pixels")
    small = [Image.fromarray(image).resize(fitted(image.shape[:2], cell), Image.Resampling.BOX) for image in images]
    rows = [small[start : start + columns] for start in range(0, len(small), columns)]
    heights = [max(image.height for image in row) for row in rows]
    sheet = Image.new("RGB", (width, sum(heights) + gap * (len(rows) + 1)), (32, 32, 32))
    top = gap
    for row, height in zip(rows, heights, strict=True):
        for column, image in enumerate(row):
            sheet.paste(image, (gap + column * (cell + gap), top))
        top += height + gap
    return np.array(sheet)


def _tinted(image: UInt8[np.ndarray, "H W 3"], colour: tuple[int, int, int]) -> UInt8[np.ndarray, "H W 3"]:
    """The image behind a pane of a colour."""
    rows = image.reshape(len(image), -1) * np.uint16(256 - _OPACITY)  # long ones, which NumPy is quick with
    pane = np.array([colour], np.uint16) * np.uint16(_OPACITY) + np.uint16(128)
    rows += pane.repeat(image.shape[1], 0).reshape(-1)
    rows >>= 8
    return rows.astype(np.uint8).reshape(image.shape)


def _pixels(image: UInt8[np.ndarray, "*shape 3"]) -> Shaped[np.ndarray, "*shape"]:
    """The same memory, each pixel one value: to copy those takes a hundredth of the time that three values take."""
    return image.view(_PIXEL)[..., 0]


def _outline(mask: Bool[np.ndarray, "H W"], box: _Rectangle, thickness: int) -> tuple[_Slices, Bool[np.ndarray, "_ _"]]:
    """A line along the edge of a mask, and where it lies; its middle runs through the outermost pixels.

    Args:
        box: around the mask.
    """
    outer, inner = thickness // 2, (thickness + 1) // 2
    left, top, right, bottom = box
    padded = np.zeros((bottom - top + 2 * inner, right - left + 2 * inner), bool)
    padded[inner:-inner, inner:-inner] = mask[top:bottom, left:right]
    line = dilated(padded, outer) & dilated(~padded, inner)
    # What the frame cuts off is not drawn.
    top, left = top - inner, left - inner
    rows, columns = (
        slice(max(0, top), min(mask.shape[0], bottom + inner)),
        slice(max(0, left), min(mask.shape[1], right + inner)),
    )
    return (rows, columns), line[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def _ink(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = colour
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else _WHITE


def _meet(one: _Rectangle, other: _Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _free_place(
    label: tuple[int, int], box: _Rectangle, picture: tuple[int, int], taken: Sequence[_Rectangle]
) -> _Rectangle:
    """Where a label lies best: beside its object, inside the picture, and on as little of other labels as may be.

    Args:
        label, picture: width and height.
    """
    width, height = label
    columns, rows = (box[0], box[2] - width, box[0] - width, box[2]), (box[1], box[3])
    for column, row, lines in _PLACES[:, :9].T.tolist():  # one of them nearly always, in a tenth of the time of all
        left = max(0, min(columns[column], picture[0] - width))
        top = max(0, min(rows[row] + height * lines, picture[1] - height))
        place = left, top, left + width, top + height
        if not any(_meet(place, other) for other in taken):
            return place
    x, y = np.array(columns)[_PLACES[0]], np.array(rows)[_PLACES[1]] + height * _PLACES[2]
    x, y = (
        np.minimum(values, max(0, most)).clip(0) for values, most in ((x, picture[0] - width), (y, picture[1] - height))
    )
    left, top, right, bottom = np.array(taken, np.int64).reshape(-1, 4, 1).swapaxes(0, 1)
    wide = np.minimum(x + width, right) - np.maximum(x, left)
    high = np.minimum(y + height, bottom) - np.maximum(y, top)
    best = (wide.clip(0) * high.clip(0)).sum(0).argmin()  # of equally good ones the first
    return int(x[best]), int(y[best]), int(x[best]) + width, int(y[best]) + height
