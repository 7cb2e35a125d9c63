"""Cameras and streams: frames that pass by once."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import chain

import av
import av.container

from chronomask.errors import InputError
from chronomask.video.decoding import decoded, frame_rate, open_container, video_stream
from chronomask.video.source import Frame, Selection, VideoSource
from chronomask.video.upright import Upright

SILENCE = 10.0
"""Seconds without data after which a stream counts as ended."""


class Stream(VideoSource):
    """A camera, or a stream from an address; its clock starts with the first frame.

    Args:
        container: of the stream, opened; the source closes it when it has been iterated.
        name: see `VideoSource`.
        shown: how messages name it.
        selection: which of the frames are looked at.

    Raises:
        InputError: there is no picture in it.
    """

    live, again = True, False

    def __init__(self, container: av.container.InputContainer, name: str, shown: str, selection: Selection) -> None:
        self.name, self.selection, self.length = name, selection, None
        self._container, self._shown = container, shown
        stream = video_stream(container, shown)
        self.fps = frame_rate(stream) / selection.every
        frames = decoded(container, stream, self._note)
        first = next(frames, None)
        if first is None:
            raise InputError(f"{self.damage or shown}: not one frame could be decoded")
        self._upright = Upright(stream, first)
        self.look_like(self._upright)
        self._frames = chain([first], frames)

    def __iter__(self) -> Iterator[Frame]:
        with self._container:
            for index, moment, frame in self.selection.of(self._timed()):
                yield Frame(index, moment, self._upright(frame))

    def _timed(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """All frames, each with the seconds since the first."""
        first, began = None, time.monotonic()
        for frame in self._frames:
            # Some streams carry no times: then it is the moment of arrival that counts.
            now = time.monotonic() - began if frame.time is None else frame.time
            first = now if first is None else first
            yield now - first, frame

    def _note(self, damage: str) -> None:
        self.damage = f"{self._shown}: {damage}"


def open_camera(text: str, selection: Selection) -> Stream:
    """The camera of a number, or of the name that the system gives it (on Windows there are names only).

    Raises:
        InputError: there is no such camera, or another program uses it.
    """
    shown = f"camera {text}"
    file_format, address = camera_address(text, sys.platform)
    return Stream(open_container(address, shown, file_format), f"camera{text}", shown, selection)


def camera_address(text: str, platform: str) -> tuple[str, str]:
    """FFmpeg's kind of device, and the address of a camera there.

    Args:
        text: a number, or the camera's name.
        platform: as in `sys.platform`.
    """
    if platform == "darwin":
        return "avfoundation", text
    if platform == "win32":
        return "dshow", f"video={text}"
    return "v4l2", f"/dev/video{text}" if text.isdecimal() else text
