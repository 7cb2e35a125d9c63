"""Folders, globs and lists of images as videos.

Legend: H W pixels as displayed.
"""

from __future__ import annotations

import glob
import hashlib
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import UInt8

from chronomask.errors import InputError
from chronomask.files import natural, spoken
from chronomask.video.pictures import PictureFile
from chronomask.video.source import DEFAULT_FPS, Frame, Selection, VideoSource

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".gif")
"""Endings, in small letters, by which a file in a folder or a glob counts as a frame."""

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".mxf", ".vob", ".y4m", ".gif"),
)
"""Endings, in small letters, by which a file in a folder counts as a video."""

_OF_ONE = (".jpg", ".jpeg", ".bmp", ".ppm")
"""Endings of files that hold one picture, and need not be opened to know it."""

_T = TypeVar("_T")


class _Place(NamedTuple):
    """Where a frame lies: its file, and its number there."""

    file: Path
    number: int


class _Album:
    """Pictures of many files; the one that was read last stays open, for the next may lie in it too."""

    def __init__(self) -> None:
        self._last: PictureFile | None = None

    def close(self) -> None:
        if self._last is not None:
            self._last.close()

    def file(self, path: Path) -> PictureFile:
        if self._last is None or self._last.file != path:
            self.close()
            self._last = None  # should the next not open
            self._last = PictureFile(path)
        return self._last

    def size(self, place: _Place) -> tuple[int, int]:
        return self.file(place.file).size(place.number)

    def read(self, place: _Place) -> UInt8[np.ndarray, "H W 3"]:
        return self.file(place.file).read(place.number)


class ImageFiles(VideoSource):
    """Images of one size, one a frame; pages of a TIFF and pictures of an animation are frames too.

    Args:
        files: in the order of the video.
        selection: which of their images are looked at; image i is at i / fps seconds.
        strict: an image that cannot be read, and a file of several, ends everything, for lists of which every entry
            counts. Else it is left out, of `file_names` too, and noted in `damage`.
        annotated: (width, height) that annotations say; any by default.
    """

    def __init__(
        self,
        name: str,
        files: list[Path],
        fps: float = DEFAULT_FPS,
        selection: Selection = Selection(),  # noqa: B008  (frozen)
        strict: bool = False,
        annotated: tuple[int, int] | None = None,
    ) -> None:
        self._strict, self.files = strict, files
        self._unreadable: dict[_Place, str] = {}
        with closing(_Album()) as album:
            places = [place for file in files for place in self._places_in(album, file)]
            chosen = list(selection.of((number / fps, place) for number, place in enumerate(places)))
            if not chosen:
                raise InputError(f"{name}: none of its {len(places)} images lies at {selection.start} seconds or later")
            self.name, self.fps, self.selection = spoken(name), fps / selection.every, selection
            self._times, self._places = [time for _, time, _ in chosen], [place for *_, place in chosen]
            self._names = None if len(places) > len(files) else _names([place.file for place in self._places], files)
            # Headers only, but all of them: better now than after an hour.
            sizes = {place: size for place in self._places if (size := self._read(album.size, place))}
            if annotated is not None:
                for place in sizes:
                    album.file(place.file).check_size(*annotated)
            read = (self._read(album.read, place) for place in sizes)
            first = next((image for image in read if image is not None), None)
        if first is None:
            raise InputError(next(iter(self._unreadable.values())))
        self.height, self.width = first.shape[:2]
        for place, size in sizes.items():
            self._check_size(place, size)
        self._note()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames(0, 0)

    def times(self) -> list[float]:
        """See `VideoSource`."""
        placed = zip(self._places, self._times, strict=True)
        return [time for place, time in placed if place not in self._unreadable]

    def frames_from(self, skip: int, time: float | None) -> Iterator[Frame]:
        """See `VideoSource`. Without a time all before are read: which cannot be decides what number the next has."""
        return self.frames(skip) if time is None else self._frames(bisect_left(self._times, time), skip)

    def _frames(self, begin: int, index: int) -> Iterator[Frame]:
        """The frames from a place on, of which the first has this number."""
        with closing(_Album()) as album:
            for place, time in islice(zip(self._places, self._times, strict=True), begin, None):
                known = len(self._unreadable)
                image = self._read(album.read, place)
                if image is None:
                    if len(self._unreadable) > known:  # for it looks at the names of all
                        self._note()
                    continue
                self._check_size(place, (image.shape[1], image.shape[0]))
                yield Frame(index, time, image)
                index += 1

    def fingerprint(self) -> str:
        """A text made of names and sizes of the files."""
        entries = [
            f"{file.name} {file.stat().st_size}" + (f" {number}" * (number > 0)) for file, number in self._places
        ]
        return hashlib.sha256(os.fsencode("\n".join(entries))).hexdigest()

    def _places_in(self, album: _Album, file: Path) -> list[_Place]:
        if file.suffix.lower() in _OF_ONE:
            return [_Place(file, 0)]
        try:
            opened = album.file(file)
        except InputError:
            return [_Place(file, 0)]  # is said, or raised, if it is looked at
        if self._strict:
            opened.check_alone()
        return [_Place(file, number) for number in range(len(opened))]

    def _read(self, reader: Callable[[_Place], _T], place: _Place) -> _T | None:
        try:
            return reader(place)
        except InputError as error:
            if self._strict:
                raise
            self._unreadable.setdefault(place, str(error))
            return None

    def _note(self) -> None:
        self.length = len(self._places) - len(self._unreadable)
        if self._names is not None:
            named = zip(self._places, self._names, strict=True)
            self.file_names = tuple(name for place, name in named if place not in self._unreadable)
        if self._unreadable:
            first = next(iter(self._unreadable.values()))
            self.damage = f"{len(self._unreadable)} of {len(self._places)} images are left out: {first}"

    def _check_size(self, place: _Place, size: tuple[int, int]) -> None:
        if size != (self.width, self.height):
            raise InputError(
                f"{place.file} is {size[0]}x{size[1]}, but {self._places[0].file} is {self.width}x{self.height}:"
                " the frames of a video must have one size"
            )


def _names(chosen: Sequence[Path], files: Sequence[Path]) -> list[str]:
    """Of some of the files, relative to the folder that holds all of them."""
    root = os.path.commonpath([file.parent for file in files])
    return [spoken(Path(os.path.relpath(file, root)).as_posix()) for file in chosen]


def open_frames(name: str, files: Sequence[str | Path], annotated: tuple[int, int] | None = None) -> VideoSource:
    """Open listed images as one video, in the order given.

    Args:
        name: of the video.
        files: one a frame.
        annotated: (width, height) in pixels that annotations say.

    Raises:
        InputError: no file is named, one cannot be read or holds several pictures, or their sizes differ.
    """
    if not files:
        raise InputError(f"video {name}: no frames are listed")
    return ImageFiles(name, [Path(file) for file in files], strict=True, annotated=annotated)


def open_image_file(path: Path, fps: float, selection: Selection) -> VideoSource:
    """Open one file; an animation brings its own frames a second.

    Raises:
        InputError: it is no picture.
    """
    with closing(PictureFile(path)) as picture:
        rate = picture.rate()
    return ImageFiles(path.stem, [path], rate or fps, selection)


def images_of_folder(folder: Path) -> list[Path]:
    # A leading dot marks what systems put beside images (macOS: ._0001.jpg), not frames.
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    if not entries:
        raise InputError(f"{folder}: the folder is empty")
    files = [entry for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file()]
    # Beside frames an animation is a show of them.
    frames = [file for file in files if file.suffix.lower() != ".gif"]
    others = [] if frames else set(entries).difference(files)
    videos = [entry for entry in others if entry.suffix.lower() in VIDEO_SUFFIXES and entry.is_file()]
    if videos:
        raise InputError(
            f"{folder}: the folder holds videos and no frames of one; name them, such as {min(videos)}, or let"
            " `chronomask batch` take all"
        )
    if not files:
        raise InputError(f"{folder}: the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(frames or files, key=lambda file: natural(str(file)))


def images_of_glob(pattern: str) -> list[Path]:
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]
    if not matches:
        raise InputError(f"{pattern}: no file matches")
    files = [match for match in matches if match.suffix.lower() in IMAGE_SUFFIXES and match.is_file()]
    if not files:
        raise InputError(
            f"{pattern}: matches {len(matches)} files, none of them an image ({', '.join(IMAGE_SUFFIXES)});"
            " a pattern stands for the frames of one video; `chronomask batch` takes videos"
        )
    return sorted(files, key=lambda file: natural(str(file)))
