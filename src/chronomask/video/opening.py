"""From what a user types to a source of frames."""

from __future__ import annotations

import glob
import math
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from chronomask.errors import InputError
from chronomask.video.decoding import open_container
from chronomask.video.files import VideoFile
from chronomask.video.images import IMAGE_SUFFIXES, ImageFiles, images_of_folder, images_of_glob, open_image_file
from chronomask.video.source import DEFAULT_FPS, Selection, VideoSource
from chronomask.video.streams import SILENCE, Stream, open_camera


def open_source(
    path: str | Path,
    fps: float = DEFAULT_FPS,
    selection: Selection = Selection(),  # noqa: B008  (frozen)
) -> VideoSource:
    """Open a video file, a folder or glob of images, one image, a camera or an address, and decode its first frame.

    Images are taken in natural order (frame2 before frame10) and upright, as their EXIF orientation says. Pages of a
    TIFF and pictures of an animation are frames, also where they lie in a folder.

    Args:
        path: of the file or folder; a pattern such as `frames/*.png` (`**` matches folders of any depth); `0`, `1`,
            ... or `camera:NAME` for a camera; an address such as `rtsp://host/stream`. A file of that name goes first.
        fps: frames a second of images; everything else, single animations too, brings its own.
        selection: which of the frames are looked at; all by default.

    Raises:
        InputError: naming file and cause, when there is nothing there or it holds no frames that can be decoded.
    """
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps must be above 0, not {fps}")
    text, path = str(path), Path(path)
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
