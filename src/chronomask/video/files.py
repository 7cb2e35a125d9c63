"""Video files, and files behind an address that can be read from any place."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import av
import av.container
import av.video

from chronomask.errors import InputError
from chronomask.files import spoken
from chronomask.video.decoding import decoded, frame_rate, open_container, sound_stream, video_stream
from chronomask.video.source import TICK, Frame, Selection, VideoSource
from chronomask.video.upright import Upright

_RUN_UP = 10.0
"""Seconds that are decoded before the start of a selection: formats without an index are entered between key frames."""

_PROBE = 1 << 20
"""Bytes at either end of a file that its fingerprint is taken of."""


class VideoFile(VideoSource):
    """A video that can be read from the beginning as often as wanted.

    Args:
        address: path or URL.
        name: see `VideoSource`.
        shown: how messages name it.
        selection: which of the frames are looked at.

    Raises:
        InputError: it is no video, or not one of the selected frames can be decoded.
    """

    def __init__(self, address: str, name: str, shown: str, selection: Selection) -> None:
        self.name, self.selection = spoken(name), selection
        self._address, self._shown = address, shown
        self.files = [Path(address)] if Path(address).is_file() else []
        with open_container(address, shown) as container:
            stream = video_stream(container, shown)
            rate = frame_rate(stream)
            self.fps = rate / selection.every
            self.length = _selected(_claimed_length(container, stream, rate), rate, selection)
            self.sound = None if sound_stream(container) is None else address
            first = next(decoded(container, stream, self._note), None)
            if first is None:
                raise InputError(f"{self.damage or shown}: not one frame could be decoded")
            self._upright = Upright(stream, first)
            self.look_like(self._upright)
        if selection.start > 0 and next(self.frames(), None) is None:
            raise InputError(f"{shown}: no frame lies at {selection.start} seconds or later")
        self.damage = None

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """See `VideoSource`. What is passed over is decoded but not converted."""
        return self._frames(skip, None)

    def frames_from(self, skip: int, time: float | None) -> Iterator[Frame]:
        """See `VideoSource`. The file is entered at a key frame some seconds before."""
        return self._frames(skip, time)

    def times(self) -> list[float] | None:
        """See `VideoSource`."""
        with open_container(self._address, self._shown) as container:
            stream = video_stream(container, self._shown)
            start, base = (container.start_time or 0) / av.time_base, stream.time_base
            stamps = [packet.pts for packet in container.demux(stream) if packet.size]
        if base is None or None in stamps or len(set(stamps)) < len(stamps):
            return None
        seconds = (float(stamp * base) - start for stamp in sorted(stamp for stamp in stamps if stamp is not None))
        return [time for _, time, _ in self.selection.of((time, None) for time in seconds)]

    def _frames(self, skip: int, near: float | None) -> Iterator[Frame]:
        self.damage = None
        before = 0 if near is None else skip * self.selection.every
        timed = self._timed(near, before)
        late = timed if near is None else ((time, frame) for time, frame in timed if time >= near - TICK)
        for index, time, frame in self.selection.of(late, before):
            if index >= skip:
                yield Frame(index, time, self._upright(frame))

    def fingerprint(self) -> str:
        """Of a file's size and both its ends; of an address what the file behind it claims."""
        path = Path(self._address)
        if not path.is_file():
            # Addresses hold passwords and tokens, and fingerprints are written into the results.
            address = hashlib.sha256(os.fsencode(self._address)).hexdigest()
            return f"{address} {self.width}x{self.height} {self.length}"
        size = path.stat().st_size
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(_PROBE))
            file.seek(max(0, size - _PROBE))
            digest.update(file.read(_PROBE))
        return f"{size} {digest.hexdigest()}"

    def _note(self, damage: str) -> None:
        self.damage = f"{self._shown}: {damage}"

    def _timed(self, near: float | None = None, before: int = 0) -> Iterator[tuple[float, av.VideoFrame]]:
        """Frames with their times in seconds, from the start of the selection, or a later time, or some way before.

        Args:
            near: the later time.
            before: frames of the file before that time.
        """
        begin = max(self.selection.start, near or 0.0)
        with ExitStack() as stack:
            container = stack.enter_context(open_container(self._address, self._shown))
            stream = video_stream(container, self._shown)
            start = (container.start_time or 0) / av.time_base
            frames = decoded(container, stream, self._note)
            entered = self._entered_late(container, stream, start, begin)
            if entered:
                frames = entered
            elif begin > _RUN_UP:
                container = stack.enter_context(open_container(self._address, self._shown))
                stream = video_stream(container, self._shown)
                frames = decoded(container, stream, self._note)
            count, end = before, 0.0
            for frame in frames:
                # Raw streams carry no times.
                time = end if frame.time is None else frame.time - start
                yield time, frame
                count += near is None or time >= near - TICK
                end = time + 1 / (self.fps * self.selection.every)
            if not entered or (near is not None and self.selection.start == 0):
                self._notice_cut(container, stream, count, start + end)

    def _entered_late(
        self, container: av.container.InputContainer, stream: av.video.VideoStream, start: float, begin: float
    ) -> Iterator[av.VideoFrame] | None:
        """Frames from shortly before a late time; None where the file cannot be entered there."""
        place = begin - _RUN_UP
        if place <= 0:
            return None
        try:
            container.seek(round((start + place) * av.time_base))
        except (OSError, av.FFmpegError):
            return None
        frames = decoded(container, stream, self._note)
        first = next(frames, None)
        if first is None or first.time is None or first.time - start > begin:
            return None
        return chain([first], frames)

    def _notice_cut(
        self, container: av.container.InputContainer, stream: av.video.VideoStream, frames: int, end: float
    ) -> None:
        """Some containers end early without an error. A count of frames is asked for beside the duration where there
        is one, for either alone may mislead: an edit list hides frames on purpose, a last frame may be held."""
        claimed = _claimed_end(container, stream)
        if self.damage or claimed is None or (stream.frames and frames >= stream.frames):
            return
        if claimed - end > max(0.5, 3 / self.fps):
            of = f" of {stream.frames}" if stream.frames else ""
            self._note(f"cut off: {frames}{of} frames, {claimed - end:.1f} s are missing")


def _claimed_end(container: av.container.InputContainer, stream: av.video.VideoStream) -> float | None:
    """When the pictures end, in seconds on the clock of the file; None where the file does not say."""
    if stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    # Matroska and Flash know the duration of the whole file, which may be that of the sound, and counts from 0.
    if container.duration and len(container.streams) == 1:
        return container.duration / av.time_base
    written = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))
    return 3600 * int(written[1]) + 60 * int(written[2]) + float(written[3]) if written else None


def _claimed_length(container: av.container.InputContainer, stream: av.video.VideoStream, fps: float) -> int | None:
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return round(float(stream.duration * stream.time_base) * fps)
    return round(container.duration / av.time_base * fps) if container.duration else None


def _selected(length: int | None, fps: float, selection: Selection) -> int | None:
    """How many of so many frames a selection takes, about."""
    if length is None or selection == Selection():
        return length
    first = math.ceil(selection.start * fps)
    last = length if selection.end is None else min(length, math.ceil(selection.end * fps))
    return max(1, math.ceil((last - first) / selection.every))
