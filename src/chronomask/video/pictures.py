"""The one place that opens still pictures: for training, `segment`, `predict`, label maps and reports alike.

A picture is what people see of it. It is upright as its EXIF orientation says, and so are annotations: an annotated
size is compared with the displayed one. Alpha is dropped, as decoders of video do. Brightness is scaled by the kind of
file and never stretched to what one picture holds, for frames of a video would flicker:

| stored | becomes |
|---|---|
| 16 bits a channel, or as many as a TIFF says | the highest 8 of them |
| floating point from 0 to 1 | 0 to 255 |
| floating point from 0 to 255 | 8 bits, rounded |
| other floating point, signed integers, integers of 32 bits | refused, for nothing says what is white |

Legend: H W pixels as displayed.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from chronomask.bounds import MAX_PIXELS
from chronomask.errors import InputError, refusing

_ORIENTATION = 0x0112
"""Tag of EXIF and TIFF; from 5 on it exchanges width and height."""

_TURNS = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}
"""Quarter turns, anticlockwise, that make a picture of an orientation upright, once 2, 4, 5 and 7 are mirrored."""

_MIRRORED = (2, 4, 5, 7)

_ANIMATED = ("GIF", "WEBP", "PNG")
"""Formats whose further pictures are frames. In JPEG files they are previews and gain maps."""

_WHAT = "cannot be read as an image"

_opening = threading.Lock()
"""Pillow's own limit, which warns of some sizes and names none, is a setting of the whole process."""


@contextmanager
def opened(file: Path | BytesIO, name: str = "") -> Generator[Image.Image, None, None]:
    """A picture as it is stored, its pixels not decoded yet.

    Args:
        file: a path, or an open file.
        name: how messages call it; the path by default.

    Raises:
        InputError: it is no picture, or one of more than MAX_PIXELS; inside the block where its pixels are broken.
    """
    name = name or str(file)
    with refusing(name, _WHAT):
        image = _open(file)
        with image:
            _check_pixels(image, name)
            yield image


class PictureFile:
    """The pictures of one file: one, the pages of a TIFF, or the frames of an animation.

    Attributes:
        file: where it lies.

    Raises:
        InputError: it is no picture, or too large.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._opened = opened(file)
        self._image = self._opened.__enter__()
        with refusing(file, _WHAT):
            self._pages = _pages(self._image)
            self._first = _stored(self._image)

    def close(self) -> None:
        """Closes the file; nothing can be read any more."""
        self._opened.__exit__(None, None, None)

    def __len__(self) -> int:
        return len(self._pages)

    def rate(self) -> float | None:
        """Frames a second of an animation, by its first frame; None where the file does not say."""
        if len(self) == 1:
            return None
        self.read(0)  # the frame's duration is known then
        duration = self._image.info.get("duration")
        return 1000 / duration if duration else None

    def size(self, number: int) -> tuple[int, int]:
        """(width, height) of a picture as displayed, in pixels."""
        width, height, orientation = self._look(number)
        return (height, width) if orientation >= 5 else (width, height)

    def read(self, number: int) -> UInt8[np.ndarray, "H W 3"]:
        """RGB pixels of a picture, 0-255; quick for one after the other.

        Raises:
            InputError: it is damaged, or nothing says what is white in it.
        """
        _, _, orientation = self._look(number)
        with refusing(self.file, _WHAT):
            self._image.seek(self._pages[number])
            self._image.load()
            pixels = _rgb(self._image, str(self.file))
            # Pillow turns a TIFF itself while it loads.
            return pixels if self._image.format == "TIFF" else _upright(pixels, orientation)

    def check_alone(self) -> None:
        """For a file that stands for one picture.

        Raises:
            InputError: it holds several.
        """
        if len(self) > 1:
            raise InputError(f"{self.file}: holds {len(self)} pictures where one is meant; save each as a file")

    def check_size(self, width: int, height: int) -> None:
        """The first picture against what annotations say.

        Raises:
            InputError: another size; the message names the displayed, the stored and the annotated one.
        """
        if (shown := self.size(0)) != (width, height):
            stored_width, stored_height, orientation = self._first
            how = why = ""
            if shown != (stored_width, stored_height):
                how = f" as displayed ({stored_width}x{stored_height} as stored, EXIF orientation {orientation})"
                why = "; annotations must be of the picture as displayed"
            raise InputError(
                f"{self.file}: {shown[0]}x{shown[1]} pixels{how}, the annotations say {width}x{height}{why}"
            )

    def _look(self, number: int) -> tuple[int, int, int]:
        """Stored width and height, and the orientation, of a picture. Frames of an animation all have the first's."""
        if self._image.format != "TIFF":
            return self._first
        with refusing(self.file, _WHAT):
            self._image.seek(self._pages[number])
            _check_pixels(self._image, str(self.file))
            return _stored(self._image)


def read_picture(file: Path, size: tuple[int, int] | None = None) -> UInt8[np.ndarray, "H W 3"]:
    """RGB pixels, 0-255, of a file that stands for one picture.

    Args:
        file: where it lies.
        size: (width, height) in pixels that annotations say; None where nothing does.

    Raises:
        InputError: missing or damaged picture, several pictures, another size, or nothing says what is white.
    """
    with closing(PictureFile(file)) as picture:
        picture.check_alone()
        if size is not None:
            picture.check_size(*size)
        return picture.read(0)


def pixels_of(image: Image.Image, name: str) -> UInt8[np.ndarray, "H W 3"]:
    """RGB pixels, 0-255, of a picture that somebody has opened, upright.

    Args:
        image: as Pillow gives it.
        name: how messages call it.

    Raises:
        InputError: it is damaged, or nothing says what is white in it.
    """
    with refusing(name, _WHAT):
        image.load()
        pixels = _rgb(image, name)
        return pixels if image.format == "TIFF" else _upright(pixels, _stored(image)[2])


def _open(file: Path | BytesIO) -> Image.Image:
    """Opens a picture without Pillow's own bound: its size is checked before a pixel is decoded."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check_pixels(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InputError(f"{name}: {width}x{height} pixels are more than the {MAX_PIXELS:,} that a picture may have")


def _pages(image: Image.Image) -> list[int]:
    """Places of the pictures that count."""
    total = getattr(image, "n_frames", 1)
    if image.format == "TIFF" and total > 1:
        return [number for number in range(total) if not _is_extra(image, number)] or [0]
    if image.format in _ANIMATED:
        # The first picture of an animated PNG may be for programs that show no animations.
        return list(range(bool(total > 1 and image.info.get("default_image")), total))
    return [0]


def _is_extra(image: Image.Image, number: int) -> bool:
    """Whether a page of a TIFF is a smaller version, or the mask, of another."""
    image.seek(number)
    tags: Any = getattr(image, "tag_v2", {})
    return bool(tags.get(254, 0) & 5)


def _stored(image: Image.Image) -> tuple[int, int, int]:
    """Width and height before a picture is turned, and its orientation, 1 to 8."""
    width, height = image.size
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        # Depending on its version, Pillow exchanges the sides when it opens the file.
        width, height, orientation = tags[256], tags[257], tags.get(_ORIENTATION, 1)
    elif image.info.keys().isdisjoint(("exif", "Raw profile type exif")):
        # Behind the pixels of a PNG it would need all of them decoded; browsers disregard it there too.
        orientation = 1
    else:
        orientation = image.getexif().get(_ORIENTATION, 1)
    return width, height, orientation if orientation in _TURNS else 1


def _upright(pixels: UInt8[np.ndarray, "h w 3"], orientation: int) -> UInt8[np.ndarray, "H W 3"]:
    if orientation == 1:
        return pixels
    seen = pixels[:, ::-1] if orientation in _MIRRORED else pixels
    return np.ascontiguousarray(np.rot90(seen, _TURNS[orientation]))


def _rgb(image: Image.Image, name: str) -> UInt8[np.ndarray, "H W 3"]:
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")):
        return _grey(np.asarray(image) >> _bits(image) - 8)
    if mode == "F":
        return _grey(_of_floats(np.asarray(image), name))
    if mode == "I":
        raise InputError(f"{name}: signed integers or 32 bits, of which nothing says what is white; save 8 or 16 bits")
    if mode in ("P", "PA", "La", "RGBa"):
        image = image.convert("LA" if mode == "La" else "RGBA")
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _grey(values: np.ndarray) -> UInt8[np.ndarray, "H W 3"]:
    return np.repeat(values.astype(np.uint8)[..., None], 3, 2)


def _bits(image: Image.Image) -> int:
    """Bits of a 16-bit picture that are in use."""
    tags: Any = getattr(image, "tag_v2", {})
    return min(16, max(8, tags.get(258, (16,))[0]))


def _of_floats(values: np.ndarray, name: str) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255):  # NaN fails too
        raise InputError(
            f"{name}: floating point from {low:g} to {high:g}; only 0 to 1 and 0 to 255 can be read; save 8 or 16 bits"
        )
    return np.rint(values * (255 if high <= 1 else 1))
