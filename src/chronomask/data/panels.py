"""Annotated frames as pictures for people.

Legend: K instances, H W pixels, h w of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch.nn import functional as F

from chronomask.render import draw_tracks, fitted
from chronomask.structures import Clip

PAPER = (32, 32, 32)
"""RGB of what lies round the pictures."""
BAR = 20
"""Height of the title of a picture, in pixels."""

_INK = (235, 235, 235)
_DOT = (90, 170, 255)

_MADE = (
    "made for training, and no fault: the view moves, objects are copied in, and sometimes",
    "a strip of another picture, which has no mask, hides an object for a while",
)

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, eq=False)
class Panel:
    """One frame to be drawn.

    Attributes:
        image: RGB.
        masks: of the instances.
        labels: one an instance, without its number.
        ignore: pixels that enter no loss term.
        unknown: pixels of which nobody said what they are.
        title: stands above the picture.
    """

    image: UInt8[np.ndarray, "H W 3"]
    masks: Bool[np.ndarray, "K H W"]
    labels: Sequence[str]
    ignore: Bool[np.ndarray, "H W"]
    unknown: Bool[np.ndarray, "H W"]
    title: str


def panels(clip: Clip, labels: Sequence[str], title: str) -> Iterator[Panel]:
    """The frames of a clip; `labels` are the names of its instances."""
    for t, frame in enumerate(clip.frames):
        image = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
        yield Panel(image, clip.masks[:, t].numpy(), labels, clip.ignore[t].numpy(), clip.unknown[t].numpy(), title)


def draw_panel(panel: Panel, width: int) -> Picture:
    """The frame in a column of a width, with its instances, marked regions, and the title above.

    Scaled first and drawn then, for letters and lines that are shrunk cannot be read.
    """
    width, height = fitted(panel.image.shape[:2], width)
    shrinks = width < panel.image.shape[1]
    image = cv2.resize(panel.image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    masks, ignore, unknown = (
        _scaled(masks, height, width) for masks in (panel.masks, panel.ignore[None], panel.unknown[None])
    )
    # Instances are known: only what surrounds them is not.
    image = _marked(image, ignore[0], unknown[0] & ~masks.any(0))
    numbers = np.arange(1, len(masks) + 1)
    labels = [f"{number} {label}" for number, label in zip(numbers, panel.labels, strict=True)]
    return np.vstack([_text_bar(panel.title, width), draw_tracks(image, masks, numbers, labels)])


def legend(width: int, made: bool = False) -> Picture:
    """What the marks mean, as a bar of a width.

    Args:
        made: whether the pictures are clips that were made for training, which hold what no photograph did.
    """
    bar = _text_bar("", width)
    about = [_text_bar(text, width) for text in _MADE] if made else []
    x = 6
    for text, marks in (
        ("instance: number and class in its colour", None),
        ("ignored: enters no loss", "ignore"),
        ("unknown: background or not, nobody said", "unknown"),
    ):
        if marks is not None:
            sample = np.full((BAR - 6, 2 * BAR, 3), 120, np.uint8)
            every, none = np.ones(sample.shape[:2], bool), np.zeros(sample.shape[:2], bool)
            sample = _marked(sample, *((every, none) if marks == "ignore" else (none, every)))
            shown = bar[3 : 3 + sample.shape[0], x : x + sample.shape[1]]
            shown[:] = sample[:, : shown.shape[1]]
            x += sample.shape[1] + 6
        x += _write(bar, text, x) + 24
    return np.vstack([bar, *about])


def _scaled(masks: Bool[np.ndarray, "K H W"], height: int, width: int) -> Bool[np.ndarray, "K h w"]:
    if not len(masks):
        return np.zeros((0, height, width), bool)
    return F.interpolate(torch.from_numpy(masks)[None].byte(), (height, width), mode="nearest-exact")[0].bool().numpy()


def _marked(image: Picture, ignore: Bool[np.ndarray, "h w"], unknown: Bool[np.ndarray, "h w"]) -> Picture:
    """Ignored pixels grey under stripes; a grid of dots on unknown ones, which may be all there is to see."""
    rows, columns = np.indices(ignore.shape)
    marked = image.copy()
    grey = image.mean(2, keepdims=True) * 0.5
    stripes = ((rows + columns) % 8 < 2)[..., None] * 110
    marked[ignore] = (grey + stripes).clip(0, 255).astype(np.uint8)[ignore]
    marked[unknown & ~ignore & (rows % 8 < 2) & (columns % 8 < 2)] = _DOT
    return marked


def _text_bar(text: str, width: int) -> Picture:
    bar = np.full((BAR, width, 3), PAPER, np.uint8)
    _write(bar, text, 6)
    return bar


def _write(bar: Picture, text: str, left: int) -> int:
    """Writes onto a bar, and returns the width of the text in pixels."""
    # OpenCV's letters are ASCII only.
    shown, font, size = text.encode("ascii", "replace").decode(), cv2.FONT_HERSHEY_SIMPLEX, 0.42
    cv2.putText(bar, shown, (left, BAR - 6), font, size, _INK, 1, cv2.LINE_AA)
    return cv2.getTextSize(shown, font, size, 1)[0][0]
