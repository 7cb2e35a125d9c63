"""Label maps: one number a pixel, 0 for the background. Colours are numbers of 24 bits, red the lowest 8.

Legend: T frames, H W pixels.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt, UInt8, UInt16
from PIL import Image

from chronomask import rle
from chronomask.annotations.records import VideoEntry
from chronomask.annotations.row import Row
from chronomask.errors import InputError, refusing
from chronomask.formats.folder import files_of, frame_stems
from chronomask.rle import Rle
from chronomask.video.pictures import opened


class PixelKind(NamedTuple):
    """The pixel formats that a format's label maps may have.

    Attributes:
        modes: Pillow's names of them.
        words: the same in words.
    """

    modes: Sequence[str]
    words: str


@dataclass(frozen=True)
class LabelledVideo:
    """What a folder of label maps holds.

    Attributes:
        width: in pixels.
        height: in pixels.
        length: number of frames.
        masks: by label, ascending: one entry a frame, None where the label does not occur.
    """

    width: int
    height: int
    length: int
    masks: Mapping[int, Sequence[Rle | None]]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


def read_label_maps(folder: Path, kind: PixelKind) -> LabelledVideo:
    """The PNG files of a folder, in natural order, as frames of one video.

    Args:
        folder: holds at least one.
        kind: the pixel formats that are allowed.

    Raises:
        InputError: naming a file of another pixel format or size, or one that cannot be read.
    """
    return read_frames(files_of(folder, ".png"), kind)


def read_frames(files: Sequence[Path], kind: PixelKind) -> LabelledVideo:
    """As `read_label_maps`, of at least one file in the order of time."""
    first = _read(files[0], kind)
    height, width = first.shape
    masks: dict[int, list[Rle | None]] = {}
    for frame, file in enumerate(files):
        labels = _read(file, kind)
        if labels.shape != first.shape:
            size = f"{labels.shape[1]}x{labels.shape[0]}"
            raise InputError(f"{file}: is {size}, but {files[0].name} is {width}x{height}")
        for label in np.unique(labels[labels > 0]).tolist():
            masks.setdefault(label, [None] * len(files))[frame] = rle.encode(labels == label)
    return LabelledVideo(width, height, len(files), dict(sorted(masks.items())))


def label_maps(
    video: VideoEntry, masks: Mapping[int, Sequence[Rle | None]]
) -> Iterator[tuple[str, UInt16[np.ndarray, "H W"]]]:
    """For every frame the name of its file, without an ending, and its label map. Masks are disjoint."""
    for frame, stem in enumerate(frame_stems(video)):
        labels = np.zeros((video.height, video.width), np.uint16)
        for label, segmentations in masks.items():
            mask = segmentations[frame]
            if mask is not None:
                labels[rle.decode(mask)] = label
        yield stem, labels


def pixels_in(row: Row, key: str, mode: str) -> UInt8[np.ndarray, "..."]:
    """The pixels, as Pillow's `mode` has them, of a PNG that a json holds as text in base64 or as a `data:` address.

    Raises:
        InputError: naming file, place and field of what is no such text or no picture.
    """
    where = f"{row.problems.file}: {row.place}.{key}"
    with refusing(where, "no PNG in base64"):
        content = base64.b64decode(row.text(key).rpartition(",")[2], validate=True)
    with opened(io.BytesIO(content), where) as image:
        return np.asarray(image.convert(mode))


def check_all_label_maps(folder: Path, kind: PixelKind) -> None:
    """Find out, by their headers alone, whether every PNG in a folder that shall be replaced may be a label map.

    Raises:
        InputError: naming a file of another pixel format, as photographs and screenshots have, or a broken one.
    """
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() == ".png":
            try:
                with _opened(file, kind):
                    pass
            except InputError as error:
                raise InputError(f"{folder}: is not replaced; name another folder. {error}") from error


def _read(file: Path, kind: PixelKind) -> UInt[np.ndarray, "H W"]:
    with _opened(file, kind) as image:
        pixels = np.asarray(image)
    if pixels.ndim == 3:
        return pixels[..., :3] @ np.array([1, 1 << 8, 1 << 16], np.uint32)
    return pixels.astype(np.uint16)


@contextmanager
def _opened(file: Path, kind: PixelKind) -> Generator[Image.Image, None, None]:
    with opened(file) as image:
        if image.mode not in kind.modes:
            raise InputError(f"{file}: must be {kind.words}, its pixels are of the kind {image.mode!r}")
        yield image
