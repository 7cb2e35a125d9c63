"""H.264 video from frames.

Legend: H W pixels.
"""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from jaxtyping import UInt8

from chronomask.bounds import MAX_H264_SIDE, check_rate
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.video.sound import SoundTrack

_TICKS = 90_000
"""Time units a second in written videos: a multiple of all usual frame rates, as in MPEG."""


def check_video(path: str | Path, width: int, height: int, fps: float) -> None:
    """Finds out before the work begins whether `VideoWriter` can write such a video.

    Raises:
        InputError: its frames are larger than H.264 has them, or there are too few or too many a second.
    """
    if not 1 <= min(width, height) <= max(width, height) <= MAX_H264_SIDE:
        raise InputError(f"{path}: frames of {width}x{height}: a side of H.264 has 1 to {MAX_H264_SIDE} pixels")
    check_rate(fps, f"{path}: a rate of")


class VideoWriter:
    """Writes an H.264 mp4 that every browser and editor plays: yuv420p, BT.709, index in front.

    The file appears, whole, when the block ends well; when it raises, nothing is left behind.

    H.264 in yuv420p holds even sizes only. An odd width or height is padded by repeating the last column or row and
    not scaled: so pixel (x, y) of the video is pixel (x, y) of the masks.

        with VideoWriter("out.mp4", 1280, 720, fps=25.0) as writer:
            writer.write(image)
    """

    def __init__(self, path: str | Path, width: int, height: int, fps: float, sound: str | None = None) -> None:
        """Args are checked here, the file is made on entering.

        Args:
            path: of the mp4.
            width: of the images, in pixels.
            height: of the images, in pixels.
            fps: frames a second where `write` is given no times.
            sound: a file whose sound goes with the frames, from the time of the first frame to the end of the last.
                Copied where mp4 carries it, else encoded as AAC.

        Raises:
            InputError: as `check_video`.
        """
        check_video(path, width, height, fps)
        self._path, self._width, self._height, self._fps = Path(path), width, height, fps
        self._sound_of, self._sound = sound, None
        self._stack = ExitStack()
        self._first: float | None = None
        self._pts = -1

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            aside = stack.enter_context(written_aside(self._path))
            self._container = stack.enter_context(
                av.open(str(aside), "w", format="mp4", options={"movflags": "+faststart"})
            )
            rate = Fraction(self._fps).limit_denominator(1001)
            # crf 20 is near transparent. The next slower preset, veryfast, makes files an eighth smaller in twice the
            # time, which two cores cannot spare beside the network.
            # Without B-frames, for mp4 takes the length of the track from the order of decoding: with them it cuts off
            # the end of a video whose last frames lie far apart.
            options = {"crf": "20", "preset": "superfast", "bf": "0"}
            stream = self._container.add_stream("libx264", rate=rate, options=options)
            stream.width, stream.height = self._width + self._width % 2, self._height + self._height % 2
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, _TICKS)
            # Untagged, players guess the matrix by the size of the picture, and colours shift.
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
            context.color_range = 1  # 16-235, as video has it
            self._stream = stream
            if self._sound_of is not None:
                self._sound = SoundTrack(self._sound_of, self._container)
            # Before the container closes and the file is renamed.
            stack.push(self._flush)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, image: UInt8[np.ndarray, "H W 3"], time: float | None = None) -> None:
        """Append a frame.

        Args:
            image: RGB of the size the writer was made for.
            time: presentation time in seconds; only distances to the first frame's count, so that the video starts
                at 0. Times that do not grow are pushed on by the least step. None: 1/fps after the frame before.

        Raises:
            ValueError: an image of another size.
        """
        if image.shape != (self._height, self._width, 3):
            raise ValueError(f"{self._path}: frame is {image.shape}, the video ({self._height}, {self._width}, 3)")
        step = round(_TICKS / self._fps)
        if time is None:
            pts = self._pts + step if self._pts >= 0 else 0
        else:
            self._first = time - max(self._pts, 0) / _TICKS if self._first is None else self._first
            pts = round((time - self._first) * _TICKS)
        self._pts = max(pts, self._pts + 1)
        if (odd := (self._height % 2, self._width % 2)) != (0, 0):
            image = np.pad(image, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1)
        frame.pts, frame.time_base = self._pts, Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))
        self._advance_sound(self._pts)

    def _advance_sound(self, pts: int) -> None:
        if self._sound is not None:
            origin = self._first or 0.0
            self._sound.advance(origin, origin + pts / _TICKS)

    def _flush(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if self._pts < 0:
                    raise ValueError(f"{self._path}: no frame was written")
                self._container.mux(self._stream.encode(None))
                self._advance_sound(self._pts + round(_TICKS / self._fps))
        finally:
            if self._sound is not None:
                self._sound.close(finish=kind is None)
