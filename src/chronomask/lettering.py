"""Plates with a line of text on them, in any script that some font of the system has."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

FONTS = (
    "NotoSans-Regular",
    "DejaVuSans",
    "LiberationSans-Regular",
    "Arial Unicode",
    "arial",
    "segoeui",
    "NotoSansCJK-Regular",
    "NotoSansSC-Regular",
    "SourceHanSans-Regular",
    "wqy-microhei",
    "wqy-zenhei",
    "DroidSansFallbackFull",
    "PingFang",
    "Hiragino Sans GB",
    "STHeiti Medium",
    "AppleSDGothicNeo",
    "msyh",
    "YuGothM",
    "malgun",
    "simsun",
    "NotoSansDevanagari-Regular",
    "NotoSansArabic-Regular",
    "NotoSansHebrew-Regular",
    "NotoSansThai-Regular",
    "Nirmala",
)
"""Names of files, the first first: fonts of many scripts that systems come with. Letters that the font of Pillow has
are drawn with that one."""

_UNASSIGNED = "\U0010fffe"
"""Belongs to no script for ever: a font draws what it draws for letters that it has not."""


@lru_cache(maxsize=256)
def plate(
    text: str, size: int, padding: int, colour: tuple[int, int, int], ink: tuple[int, int, int]
) -> UInt8[np.ndarray, "_ _ 3"]:
    """A line of text on a ground; RGB, not to be written to.

    Args:
        text: letters that no font has lose their accents, or are written as \\u732b.
        size: of the letters, in pixels.
        padding: around them, in pixels.
        colour, ink: RGB of the ground and of the letters, 0-255.
    """
    text, font = _drawable(text, size)
    left, _, right, _ = (round(side) for side in font.getbbox(text))
    # All plates of a size are of one height, whatever is written on them.
    ascent, descent = font.getmetrics()
    image = Image.new("RGB", (right - left + 2 * padding, ascent + descent + padding), colour)
    ImageDraw.Draw(image).text((padding - left, padding // 2), text, fill=ink, font=font)
    return np.asarray(image)


def _drawable(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """The text, or what can be written instead, and the font for it."""
    text = " ".join(text.split())
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    for shown in (text, plain):
        for font in _fonts(size):
            if not _missing(font, shown):
                return shown, font
    font = min(_fonts(size), key=lambda font: len(_missing(font, plain)))
    missing = _missing(font, plain)
    return "".join(ascii(letter)[1:-1] if letter in missing else letter for letter in plain), font


def _fonts(size: int) -> Iterator[ImageFont.FreeTypeFont]:
    """Pillow's own, and those of the list that are installed, in its order; looked for as far as they are needed."""
    return (font for name in (None, *FONTS) if (font := _font(name, size)) is not None)


@lru_cache(maxsize=64)
def _font(name: str | None, size: int) -> ImageFont.FreeTypeFont | None:
    """A font of the system, or Pillow's own; None if it is not there or cannot be read."""
    if name is None:
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont), "Pillow has FreeType in all its wheels"
        return font
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _missing(font: ImageFont.FreeTypeFont, text: str) -> set[str]:
    """The letters that a font has not."""
    none = _shape(font, _UNASSIGNED)
    return {letter for letter in set(text) - {" "} if _shape(font, letter) == none}


def _shape(font: ImageFont.FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask: Any = font.getmask(letter)
    return mask.size, bytes(mask)
