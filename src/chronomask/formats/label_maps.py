"""Label maps: one number a pixel, 0 where nobody is.

Legend: T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from chronomask import rle
from chronomask.errors import InputError
from chronomask.formats.folder import files_of, frame_stems
from chronomask.formats.tracks import VideoEntry
from chronomask.rle import Rle


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


def read_label_maps(folder: Path, modes: Sequence[str], wanted: str) -> LabelledVideo:
    """The PNG files of a folder, in natural order, as frames of one video.

    Args:
        folder: holds at least one.
        modes: Pillow's names of the pixel formats that are allowed.
        wanted: these formats in words.

    Raises:
        InputError: naming a file of another pixel format or size, or one that cannot be read.
    """
    files = files_of(folder, ".png")
    first = _read(files[0], modes, wanted)
    height, width = first.shape
    masks: dict[int, list[Rle | None]] = {}
    for frame, file in enumerate(files):
        labels = _read(file, modes, wanted)
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


def _read(file: Path, modes: Sequence[str], wanted: str) -> UInt16[np.ndarray, "H W"]:
    try:
        with Image.open(file) as image:
            if image.mode not in modes:
                raise InputError(f"{file}: must be {wanted}, its pixels are of the kind {image.mode!r}")
            return np.asarray(image).astype(np.uint16)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: cannot be read as an image: {error}") from error
