"""Pictures for people: tracks drawn over a frame, and contact sheets.

Legend: K tracks, H W pixels.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from PIL import Image

from chronomask.lettering import plate
from chronomask.morphology import dilated

_GOLDEN = 0.6180339887
_COLOURS = 60
_OPACITY = 0.45
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)

_Rectangle = tuple[int, int, int, int]
"""First column and row, and those behind the last."""


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
    plain = Image.fromarray(image)
    scene = plain.copy()
    # Where masks overlap, the smaller one is seen.
    for place, box in sorted(seen, key=lambda one: -np.count_nonzero(masks[one[0]])):
        left, top, right, bottom = box
        ground = Image.new("RGB", (right - left, bottom - top), track_colour(int(track_ids[place])))
        tinted = Image.blend(plain.crop(box), ground, _OPACITY)
        scene.paste(tinted, box, Image.fromarray(masks[place, top:bottom, left:right]))
    for place, box in seen:
        _draw_outline(scene, masks[place], box, track_colour(int(track_ids[place])), max(1, round(side / 450)))
    # The oldest track first: its label shall not leap when another comes.
    named = sorted((int(track_ids[place]), labels[place], box) for place, box in seen if labels[place])
    taken: list[_Rectangle] = []
    for number, text, box in named:
        colour = track_colour(number)
        label = plate(text, max(9, round(side / 46)), max(2, round(side / 220)), colour, _ink(colour))
        taken.append(_free_place(label.size, box, scene.size, taken))
        scene.paste(label, taken[-1][:2])
    return np.array(scene)


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


def _draw_outline(
    scene: Image.Image,
    mask: Bool[np.ndarray, "H W"],
    box: _Rectangle,
    colour: tuple[int, int, int],
    thickness: int,
) -> None:
    """A line along the edge of a mask; its middle runs through the outermost pixels."""
    outer, inner = thickness // 2, (thickness + 1) // 2
    left, top, right, bottom = box
    near = np.pad(mask[top:bottom, left:right], inner)
    line = dilated(near, outer) & dilated(~near, inner)
    place = (left - inner, top - inner, right + inner, bottom + inner)
    scene.paste(colour, place, Image.fromarray(line))


def _ink(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever reads better on a colour."""
    red, green, blue = colour
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else _WHITE


def _free_place(
    label: tuple[int, int], box: _Rectangle, picture: tuple[int, int], taken: Sequence[_Rectangle]
) -> _Rectangle:
    """Where a label lies best: beside its object, inside the picture, and on as little of other labels as may be.

    Args:
        label, picture: width and height.
    """
    width, height = label
    most_x, most_y = max(0, picture[0] - width), max(0, picture[1] - height)
    best, least = (0, 0, width, height), None
    for x, y in _places(label, box):
        x, y = min(max(0, x), most_x), min(max(0, y), most_y)
        place = (x, y, x + width, y + height)
        covered = sum(_common(place, other) for other in taken)
        if least is None or covered < least:
            best, least = place, covered
        if covered == 0:
            break
    return best


def _places(size: tuple[int, int], box: _Rectangle) -> Iterator[tuple[int, int]]:
    """Columns and rows for the corner of a label, the best first: on top of the object, below it, then further away."""
    (width, height), (left, top, right, bottom) = size, box
    yield left, top - height
    yield right - width, top - height
    yield left, bottom
    yield right - width, bottom
    for step in range(12):
        for y in (top + step * height, top - (step + 2) * height):
            for x in (left, right - width, left - width, right):
                yield x, y


def _common(one: _Rectangle, other: _Rectangle) -> int:
    """Pixels that two rectangles have in common."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height)
