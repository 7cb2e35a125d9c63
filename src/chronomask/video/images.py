"""Folders, globs and lists of images as videos.

Legend: H W pixels as displayed.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from chronomask.errors import InputError
from chronomask.files import natural
from chronomask.video.source import DEFAULT_FPS, Frame, Selection, VideoSource

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
"""Endings, in small letters, by which a file in a folder or a glob counts as a frame."""


_T = TypeVar("_T")


class ImageFiles(VideoSource):
    """Images of one size, one a frame.

    Args:
        files: in the order of the video.
        selection: which of them are looked at; image i is at i / fps seconds.
        strict: an image that cannot be read ends everything, for lists of which every entry counts. Else it is left
            out, of `file_names` too, and noted in `damage`.
    """

    def __init__(
        self,
        name: str,
        files: list[Path],
        fps: float = DEFAULT_FPS,
        selection: Selection = Selection(),  # noqa: B008  (frozen)
        strict: bool = False,
    ) -> None:
        numbers = [i for i in range(len(files)) if selection.begun(i / fps) and not selection.over(i / fps)]
        if not numbers:
            raise InputError(f"{name}: none of its {len(files)} images lies at {selection.start} seconds or later")
        self.name, self.fps, self.selection = name, fps / selection.every, selection
        self._files = [files[number] for number in numbers[:: selection.every]]
        self._times = [number / fps for number in numbers[:: selection.every]]
        self._strict = strict
        self._root = os.path.commonpath([file.parent for file in files])
        self._unreadable: dict[Path, str] = {}
        # Headers only, but all of them: better now than after an hour.
        sizes = {file: size for file in self._files if (size := self._read(file, _displayed_size))}
        first = next((image for file in sizes if (image := self._read(file, _read_image)) is not None), None)
        if first is None:
            raise InputError(next(iter(self._unreadable.values())))
        self.height, self.width = first.shape[:2]
        for file, size in sizes.items():
            self._check_size(file, size)
        self._note()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """See `VideoSource`."""
        index = 0
        for file, time in zip(self._files, self._times, strict=True):
            # The passed over are read too: which are unreadable decides what number the next one has.
            image = self._read(file, _read_image)
            self._note()
            if image is None:
                continue
            self._check_size(file, (image.shape[1], image.shape[0]))
            if index >= skip:
                yield Frame(index, time, image)
            index += 1

    def fingerprint(self) -> str:
        """Of names and sizes of the files."""
        entries = [f"{file.name} {file.stat().st_size}" for file in self._files]
        return hashlib.sha256("\n".join(entries).encode()).hexdigest()

    def _read(self, file: Path, reader: Callable[[Path], _T]) -> _T | None:
        try:
            return reader(file)
        except InputError as error:
            if self._strict:
                raise
            self._unreadable[file] = str(error)
            return None

    def _note(self) -> None:
        good = [file for file in self._files if file not in self._unreadable]
        self.length = len(good)
        self.file_names = tuple(Path(os.path.relpath(file, self._root)).as_posix() for file in good)
        if self._unreadable:
            first = next(iter(self._unreadable.values()))
            self.damage = f"{len(self._unreadable)} of {len(self._files)} images are left out: {first}"

    def _check_size(self, file: Path, size: tuple[int, int]) -> None:
        if size != (self.width, self.height):
            raise InputError(
                f"{file} is {size[0]}x{size[1]}, but {self._files[0]} is {self.width}x{self.height}:"
                " the frames of a video must have one size"
            )


def open_frames(name: str, files: Sequence[str | Path], fps: float = DEFAULT_FPS) -> VideoSource:
    """Open listed images as one video, in the order given.

    Raises:
        InputError: no file is named, one cannot be read, or their sizes differ.
    """
    if not files:
        raise InputError(f"video {name}: no frames are listed")
    return ImageFiles(name, [Path(file) for file in files], fps, strict=True)


def images_of_folder(folder: Path) -> list[Path]:
    # A leading dot marks what systems put beside images (macOS: ._0001.jpg), not frames.
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    if not entries:
        raise InputError(f"{folder}: the folder is empty")
    files = [entry for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file()]
    if not files:
        raise InputError(f"{folder}: the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(files, key=lambda file: natural(str(file)))


def images_of_glob(pattern: str) -> list[Path]:
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]
    if not matches:
        raise InputError(f"{pattern}: no file matches")
    files = [match for match in matches if match.suffix.lower() in IMAGE_SUFFIXES and match.is_file()]
    if not files:
        raise InputError(
            f"{pattern}: matches {len(matches)} files, none of them an image ({', '.join(IMAGE_SUFFIXES)});"
            " a pattern stands for the frames of one video"
        )
    return sorted(files, key=lambda file: natural(str(file)))


def _displayed_size(file: Path) -> tuple[int, int]:
    try:
        with Image.open(file) as image:
            width, height = image.size
            # A PNG without EXIF in front would be decoded whole, to look behind the pixels.
            exif = image.getexif() if image.format != "PNG" or "exif" in image.info else {}
            sideways = exif.get(0x0112, 1) in (5, 6, 7, 8)  # the tag of the orientation
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: cannot be read as an image: {error}") from error
    return (height, width) if sideways else (width, height)


def _read_image(file: Path) -> UInt8[np.ndarray, "H W 3"]:
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                # Pillow would cut 16-bit grey off at 255 instead of scaling it.
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            return np.array(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: cannot be read as an image: {error}") from error
