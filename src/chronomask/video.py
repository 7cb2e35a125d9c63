"""Frames from video files and folders of images; `VideoWriter` makes H.264 video of frames again.

Legend: H W pixels as displayed.
"""

from __future__ import annotations

import glob
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import av.video
import numpy as np
from av.stream import Disposition
from jaxtyping import UInt8
from PIL import Image, ImageOps

from chronomask.errors import InputError
from chronomask.video_writer import VideoWriter

__all__ = ["DEFAULT_FPS", "IMAGE_SUFFIXES", "Frame", "VideoSource", "VideoWriter", "open_source"]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
"""Endings, in small letters, by which a file in a folder or a glob counts as a frame."""

DEFAULT_FPS = 25.0
"""Frames a second of images, and of the rare video that does not say."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a source.

    Attributes:
        index: number in the source, from 0.
        time: presentation time in seconds, on the clock that all streams of a video file share.
        image: RGB pixels, 0-255, upright: the rotation noted in the file is already applied.
    """

    index: int
    time: float
    image: UInt8[np.ndarray, "H W 3"]


class VideoSource(ABC):
    """What a user names: a video file, a folder of frames, a glob. Made by `open_source`.

    Iterating yields one `Frame` at a time in constant memory, and decodes anew each time it is started.

    Attributes:
        name: of the file without its ending, or of the folder.
        width: in pixels, as displayed. Pixels that are not square stay as they are stored.
        height: in pixels, as displayed.
        fps: frames a second, the average where the rate varies.
        length: number of frames: exact for images, what the file claims for a video, None where it claims nothing.
        file_names: for images one path a frame, relative to the folder that holds them all; None for a video.
        damage: a sentence on what could not be decoded, None while nothing is known to be wrong. Set by iterating,
            and complete when the iteration has ended.
    """

    name: str
    width: int
    height: int
    fps: float
    length: int | None
    file_names: tuple[str, ...] | None = None
    damage: str | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """All frames in order, from the first."""


def open_source(path: str | Path, fps: float = DEFAULT_FPS) -> VideoSource:
    """Open a video file, a folder of images, a glob of images, or one image, and decode its first frame.

    Images are taken in natural order (frame2 before frame10) and upright, as their EXIF orientation says.

    Args:
        path: of the file or folder, or a pattern such as `frames/*.png` (`**` matches folders of any depth).
        fps: frames a second of images; a video file brings its own.

    Raises:
        InputError: naming file and cause, when there is nothing there or it holds no frames that can be decoded.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps must be above 0, not {fps}")
    text, path = str(path), Path(path)
    if path.is_dir():
        return _ImageFiles(path.resolve().name, _images_of_folder(path), fps)
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return _ImageFiles(path.stem, [path], fps)
        return _VideoFile(path)
    if glob.has_magic(text):
        files = _images_of_glob(text)
        return _ImageFiles(files[0].resolve().parent.name, files, fps)
    raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")


def open_frames(name: str, files: Sequence[str | Path], fps: float = DEFAULT_FPS) -> VideoSource:
    """Open listed images as one video, in the order given.

    Raises:
        InputError: no file is named, one cannot be read, or their sizes differ.
    """
    if not files:
        raise InputError(f"video {name}: no frames are listed")
    return _ImageFiles(name, [Path(file) for file in files], fps)


def _images_of_folder(folder: Path) -> list[Path]:
    # A leading dot marks what systems put beside images (macOS: ._0001.jpg), not frames.
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    if not entries:
        raise InputError(f"{folder}: the folder is empty")
    files = [entry for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file()]
    if not files:
        raise InputError(f"{folder}: the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(files, key=_natural)


def _images_of_glob(pattern: str) -> list[Path]:
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]
    if not matches:
        raise InputError(f"{pattern}: no file matches")
    files = [match for match in matches if match.suffix.lower() in IMAGE_SUFFIXES and match.is_file()]
    if not files:
        raise InputError(
            f"{pattern}: matches {len(matches)} files, none of them an image ({', '.join(IMAGE_SUFFIXES)})"
        )
    return sorted(files, key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sorting key: runs of digits compare as numbers, all else as text."""
    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]


class _ImageFiles(VideoSource):
    def __init__(self, name: str, files: list[Path], fps: float) -> None:
        self.name, self.fps, self.length = name, fps, len(files)
        self._files = files
        root = os.path.commonpath([file.parent for file in files])
        self.file_names = tuple(Path(os.path.relpath(file, root)).as_posix() for file in files)
        first = _read_image(files[0])
        self.height, self.width = first.shape[:2]
        # Headers only, but all of them: better now than after an hour.
        for file in files:
            self._check_size(file, _displayed_size(file))

    def __iter__(self) -> Iterator[Frame]:
        for index, file in enumerate(self._files):
            image = _read_image(file)
            self._check_size(file, (image.shape[1], image.shape[0]))
            yield Frame(index, index / self.fps, image)

    def _check_size(self, file: Path, size: tuple[int, int]) -> None:
        if size != (self.width, self.height):
            raise InputError(
                f"{file} is {size[0]}x{size[1]}, but {self._files[0]} is {self.width}x{self.height}:"
                " the frames of a video must have one size"
            )


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


class _VideoFile(VideoSource):
    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.stem
        with self._open() as container:
            stream = self._stream(container)
            rates = (stream.average_rate, stream.guessed_rate)
            # Recordings of browsers claim a rate of 1000, the resolution of their clock.
            self.fps = next((float(rate) for rate in rates if rate and 0 < rate <= 480), DEFAULT_FPS)
            self.length = _claimed_length(container, stream, self.fps)
            first = next(self._decoded(container, stream), None)
            if first is None:
                raise InputError(
                    f"{path}: not one frame could be decoded" + (f": {self.damage}" if self.damage else "")
                )
            self._stored = (first.width, first.height)
            self.height, self.width = _upright(first, self._stored).shape[:2]
        self.damage = None

    def __iter__(self) -> Iterator[Frame]:
        self.damage = None
        with self._open() as container:
            stream = self._stream(container)
            start = (container.start_time or 0) / av.time_base
            index, end = 0, 0.0
            for frame in self._decoded(container, stream):
                # Raw streams carry no times.
                time = end if frame.time is None else frame.time - start
                yield Frame(index, time, _upright(frame, self._stored))
                index, end = index + 1, time + 1 / self.fps
            self._notice_cut(stream, index, start + end)

    def _open(self) -> av.container.InputContainer:
        try:
            container = av.open(str(self._path))
        except (OSError, av.FFmpegError) as error:
            raise InputError(f"{self._path}: not a video, or one that was cut off: {_cause(error)}") from error
        if container.format.name == "tty":  # FFmpeg would play any .txt as a film of its letters
            container.close()
            raise InputError(f"{self._path}: not a video but text")
        return container

    def _stream(self, container: av.container.InputContainer) -> av.video.VideoStream:
        for stream in container.streams.video:
            # The cover of a song is a video stream of one picture.
            if not stream.disposition & Disposition.attached_pic:
                stream.thread_type = "AUTO"
                return stream
        raise InputError(f"{self._path}: holds no video stream")

    def _decoded(
        self, container: av.container.InputContainer, stream: av.video.VideoStream
    ) -> Iterator[av.video.frame.VideoFrame]:
        """Everything that decodes; what does not is noted in `damage` and passed over, as players do."""
        packets = container.demux(stream)
        bad = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (OSError, av.FFmpegError) as error:
                self.damage = f"{self._path}: cannot be read to its end: {_cause(error)}"
                packet = None
            try:
                frames = stream.decode(packet)  # None flushes
            except av.FFmpegError as error:
                frames = []
                bad += 1
                self.damage = f"{self._path}: {bad} packets could not be decoded: {_cause(error)}"
            yield from frames
            if packet is None:
                return

    def _notice_cut(self, stream: av.video.VideoStream, frames: int, end: float) -> None:
        """Some containers end early without an error. Both signs are asked for, for either alone may mislead:
        an edit list hides frames on purpose, and a last frame may be held for seconds."""
        if self.damage or not stream.duration or not stream.time_base or frames >= stream.frames:
            return
        claimed = float(((stream.start_time or 0) + stream.duration) * stream.time_base)
        if claimed - end > max(0.5, 3 / self.fps):
            self.damage = (
                f"{self._path}: cut off: {frames} of {stream.frames} frames, {claimed - end:.1f} s are missing"
            )


def _claimed_length(container: av.container.InputContainer, stream: av.video.VideoStream, fps: float) -> int | None:
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return round(float(stream.duration * stream.time_base) * fps)
    return round(container.duration / av.time_base * fps) if container.duration else None


def _upright(frame: av.video.frame.VideoFrame, stored: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    # A stream may change its size on the way; masks of one video have one size.
    image = frame.to_ndarray(format="rgb24", width=stored[0], height=stored[1])
    # FFmpeg and NumPy both count anticlockwise.
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
