"""From what a user types to a source of frames."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from chronomask.bounds import check_rate
from chronomask.errors import InputError
from chronomask.video.arrays import Images
from chronomask.video.decoding import open_container
from chronomask.video.files import VideoFile
from chronomask.video.images import IMAGE_SUFFIXES, ImageFiles, images_of_folder, images_of_glob, open_image_file
from chronomask.video.source import DEFAULT_FPS, Selection, VideoSource
from chronomask.video.streams import SILENCE, Stream, open_camera

Source = str | Path | int | VideoSource | np.ndarray | Image.Image | Iterable[Any]
"""All that frames may come from; see `open_source`."""


def open_source(
    source: Source,
    fps: float = DEFAULT_FPS,
    selection: Selection = Selection(),  # noqa: B008  (frozen)
) -> VideoSource:
    """Open a video file, a folder or glob of images, a camera, an address or pictures in memory; decode a first frame.

    Images are taken in natural order (frame2 before frame10) and upright, as their EXIF orientation says. Pages of a
    TIFF and pictures of an animation are frames, also where they lie in a folder.

    Args:
        source: path of a file or folder; a pattern such as `frames/*.png` (`**` matches folders of any depth); `0`,
            `1`, ... or `camera:NAME` for a camera; an address such as `rtsp://host/stream` (a file of that name goes
            first). Or an array T H W 3 of uint8 RGB; a list or generator of arrays H W 3 or of Pillow's images; a list
            of paths of images. What is a source already is given back as it is.
        fps: frames a second of images; everything else, single animations too, brings its own.
        selection: which of the frames are looked at; all by default.

    Raises:
        InputError: naming file and cause, when there is nothing there or it holds no frames that can be decoded.
    """
    check_rate(fps)
    if isinstance(source, VideoSource):
        return source
    if isinstance(source, str | Path | int):
        return _open_named(str(source), fps, selection)
    if isinstance(source, np.ndarray | Image.Image):
        single = isinstance(source, Image.Image) or source.ndim == 3
        return Images([source] if single else source, fps, selection)
    if not isinstance(source, Iterable):
        raise InputError(f"a source is a path, a number or pictures, not {type(source).__name__}")
    if isinstance(source, Sequence) and source and all(isinstance(entry, str | Path) for entry in source):
        return ImageFiles(Path(source[0]).resolve().parent.name, [Path(entry) for entry in source], fps, selection)
    return Images(source, fps, selection)


def _open_named(text: str, fps: float, selection: Selection) -> VideoSource:
    path = Path(text)
    if not text:  # which as a path is the folder that one is in
        raise InputError("the name of the source is empty")
    if path.is_dir():
        return ImageFiles(path.resolve().name, images_of_folder(path), fps, selection)
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix in IMAGE_SUFFIXES and suffix != ".gif":  # whose frames FFmpeg gives their own times
            return open_image_file(path, fps, selection)
        return VideoFile(text, path.stem, text, selection)
    if text.isdecimal() or text.startswith("camera:"):
        return open_camera(text.removeprefix("camera:"), selection)
    if re.match(r"[a-z][a-z0-9+.-]*://", text, flags=re.IGNORECASE):
        return _open_address(text, selection)
    if glob.has_magic(text):
        files = images_of_glob(text)
        return ImageFiles(files[0].resolve().parent.name, files, fps, selection)
    raise InputError(f"{path}: {'not a file' if path.exists() else 'no such file'}")


def _open_address(address: str, selection: Selection) -> VideoSource:
    """A file behind an address can be read again, and its length is known; anything else is live."""
    parts = urlsplit(address)
    # Addresses of cameras carry passwords, which belong into no message.
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    name = re.sub(r"[^\w.-]+", "-", PurePosixPath(parts.path).stem or parts.hostname or "stream")
    # UDP loses packets of high rates; where a server speaks TCP too, that is asked for.
    options = {"rtsp_transport": "tcp"} if parts.scheme == "rtsp" else {}
    container = open_container(address, shown, options=options, timeout=SILENCE)
    if container.duration and parts.scheme in ("http", "https", "file"):
        container.close()
        return VideoFile(address, name, shown, selection)
    return Stream(container, name, shown, selection)
