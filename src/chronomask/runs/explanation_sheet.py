"""An explanation of a frame as one picture for people.

Legend: H W pixels, h w cells.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float32
from PIL import Image, ImageDraw

from chronomask.lettering import plate
from chronomask.render import contact_sheet, draw_tracks, fitted
from chronomask.segmenter.explaining import Explanation

RAMP = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], np.float32)
"""Colours of 0, 1/4, 1/2, 3/4 and 1: ever brighter, so that they also tell in grey, and to those who see no red."""

WIDTH = 480
"""Pixels of a panel."""

COLUMNS = 3


def explanation_sheet(explained: Explanation) -> Image.Image:
    """The maps of a frame side by side, each under its name."""
    panels = [np.asarray(_titled(picture, title)) for title, picture in _panels(explained)]
    return Image.fromarray(contact_sheet(panels, COLUMNS, COLUMNS * WIDTH))


def _panels(explained: Explanation) -> Iterator[tuple[str, Image.Image]]:
    yield "tubes, and their seeds in this frame", _tubes(explained)
    yield "heat", _shaded(explained.heat)
    if explained.foreground is not None:
        yield "foreground", _shaded(explained.foreground)
    yield "embedding (one colour: one object)", Image.fromarray(explained.embedding)
    most = float(explained.deviation.max())
    yield f"deviation (bright: unsure; 0 to {most:.2f})", _shaded(explained.deviation / max(most, 1e-6))
    for stride, weights in explained.attention.items():
        low, high = float(weights.min()), float(weights.max())
        shades = (weights - low) / max(high - low, 1e-6)
        yield f"attention at stride {stride} ({low:.2f} to {high:.2f})", _shaded(shades)


def _tubes(explained: Explanation) -> Image.Image:
    """The picture with the tubes of the clip, each named, and with rings around the seeds."""
    picture = np.ascontiguousarray(explained.picture.transpose(1, 2, 0))
    height, width = picture.shape[:2]
    masks, numbers, labels = [], [], []
    for number, instance in enumerate(explained.instances):
        if instance.name:
            masks.append(_enlarged(explained.owners == number, (height, width)))
            numbers.append(number + 1)
            labels.append(f"{instance.name}, score {instance.score:.2f}")
    shown = draw_tracks(picture, np.array(masks, bool).reshape(-1, height, width), np.array(numbers, np.int64), labels)
    image = Image.fromarray(shown)
    pen = ImageDraw.Draw(image)
    for instance in explained.instances:
        if instance.frame == explained.frame:
            x, y = instance.x * width / explained.size[1], instance.y * height / explained.size[0]
            for radius, ink in ((5, (0, 0, 0)), (4, (255, 255, 255))):
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=ink)
    return image


def _enlarged(mask: Bool[np.ndarray, "h w"], size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    rows, columns = (np.arange(side) * cells // side for side, cells in zip(size, mask.shape, strict=True))
    return mask[np.ix_(rows, columns)]


def _shaded(values: Float32[np.ndarray, "h w"]) -> Image.Image:
    """Values from 0 to 1 in the colours of RAMP."""
    place = np.clip(values, 0, 1) * (len(RAMP) - 1)
    below = np.minimum(place.astype(int), len(RAMP) - 2)
    colours = RAMP[below] + (RAMP[below + 1] - RAMP[below]) * (place - below)[..., None]
    return Image.fromarray(colours.astype(np.uint8))


def _titled(image: Image.Image, title: str) -> Image.Image:
    """As large as it fits into a panel, under a line of text."""
    image = image.resize(fitted((image.height, image.width), WIDTH), Image.Resampling.NEAREST)
    head = Image.fromarray(plate(title, 14, 6, (20, 20, 20), (240, 240, 240)))
    panel = Image.new("RGB", (WIDTH, head.height + image.height), (20, 20, 20))
    panel.paste(head.crop((0, 0, min(WIDTH, head.width), head.height)), (0, 0))
    panel.paste(image, (0, head.height))
    return panel
