"""Video from frames: H.264 for everybody, and codings with an alpha channel for editors.

Legend: H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import av
import av.container
import numpy as np
from jaxtyping import UInt8

from chronomask.bounds import MAX_H264_SIDE, check_rate
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.video.sound import SoundTrack
from chronomask.video.source import VideoSource

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


@dataclass(frozen=True)
class Coding:
    """How video is written.

    Attributes:
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the encoder.
        pixels: the pixel format.
        options: of the encoder.
        ticks: time units a second.
        alpha: whether images are RGBA.
        decoder: that gives the alpha channel back, where the usual one drops it.
        matrix: of the colours: BT.709, BT.601, which browsers show closest to the pixels that were written, or BT.2020.
        own_colours: whether the colours are those of a video, which may be HDR.
    """

    container: Literal["mp4", "mov", "webm"]
    codec: str
    pixels: str
    options: Mapping[str, str]
    ticks: int = _TICKS
    alpha: bool = False
    decoder: str | None = None
    matrix: Literal["ITU709", "ITU601", "BT2020"] = "ITU709"
    own_colours: bool = True


_TAGS = {"ITU709": (1, 1, 1), "ITU601": (6, 6, 6), "BT2020": (9, 9, 18)}
"""How H.264 names the matrix, primaries and transfer of a standard: 6 is SMPTE 170M, which is BT.601; 18 is HLG."""

H264 = Coding(
    "mp4",
    "libx264",
    "yuv420p",
    # crf 20 is near transparent. The next slower preset, veryfast, makes files an eighth smaller in twice the time,
    # which two cores cannot spare beside the network.
    # Without B-frames, for mp4 takes the length of the track from the order of decoding: with them it cuts off the end
    # of a video whose last frames lie far apart.
    {"crf": "20", "preset": "superfast", "bf": "0"},
)
"""An mp4 that every browser and editor plays."""

MATTE = replace(H264, own_colours=False)
"""The same of a matte, whose grey must come back as it is."""

PRORES = Coding("mov", "prores_ks", "yuva444p10le", {}, alpha=True)
"""ProRes 4444 with straight alpha, for timelines. Any profile or alpha_bits asked for here may drop alpha silently."""

VP9 = Coding(
    "webm",
    "libvpx-vp9",
    "yuva420p",
    # Without look-ahead, which would hold 25 frames in memory for every track.
    {"crf": "24", "deadline": "realtime", "cpu-used": "6", "row-mt": "1", "lag-in-frames": "0"},
    ticks=1000,  # all that WebM knows
    alpha=True,
    decoder="libvpx-vp9",
)
"""WebM with alpha, small, for browsers."""

ALPHA_ERROR = 24
"""Alpha that comes back further off than this, from 0 to 255, in the mean of a picture, was not written."""


class VideoWriter:
    """Writes video, with its index in front where the container has one.

    The file appears, whole, when the block ends well; when it raises, nothing is left behind. Encoders drop alpha
    channels without a word: the first picture is read back before the rest is written.

    Pixels in yuv420p go by even sizes only. An odd width or height is padded by repeating the last column or row and
    not scaled: so pixel (x, y) of the video is pixel (x, y) of the masks.

        with VideoWriter("out.mp4", 1280, 720, fps=25.0) as writer:
            writer.write(image)
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: float,
        sound: str | None = None,
        coding: Coding = H264,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        """Args are checked here, the file is made on entering.

        Args:
            path: of the file.
            width: of the images, in pixels.
            height: of the images, in pixels.
            fps: frames a second where `write` is given no times.
            sound: a file whose sound goes with the frames, from the time of the first frame to the end of the last.
                Copied where the container carries it, else encoded anew.
            coding: how it is written.
            pixel_aspect: width of a pixel by its height, which players and editors stretch the picture by.

        Raises:
            InputError: as `check_video`.
        """
        check_video(path, width, height, fps)
        self._path, self._width, self._height, self._fps = Path(path), width, height, fps
        self._sound_of, self._sound, self._coding, self._pixel_aspect = sound, None, coding, pixel_aspect
        self._stack = ExitStack()
        self._first: float | None = None
        self._pts = -1

    @classmethod
    def like(cls, source: VideoSource, path: str | Path, coding: Coding = H264) -> VideoWriter:
        """Of pictures like those of a source, with its rate and its sound."""
        if source.hdr and coding.own_colours:
            coding = replace(coding, matrix="BT2020")
        size = (source.width, source.height)
        return cls(path, *size, source.fps, source.sound, coding, source.pixel_aspect)

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            aside = stack.enter_context(written_aside(self._path))
            self._container, self._stream = _opened(str(aside), self._coding, self._width, self._height, self._fps)
            self._stream.codec_context.sample_aspect_ratio = self._pixel_aspect
            stack.enter_context(self._container)
            if self._sound_of is not None:
                self._sound = SoundTrack(self._sound_of, self._container)
            # Before the container closes and the file is renamed.
            stack.push(self._flush)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def write(self, image: UInt8[np.ndarray, "H W _"], time: float | None = None) -> None:
        """Append a frame.

        Args:
            image: RGB, or RGBA where the coding has alpha, of the size the writer was made for.
            time: presentation time in seconds; only distances to the first frame's count, so that the video starts
                at 0. Times that do not grow are pushed on by the least step. None: 1/fps after the frame before.

        Raises:
            ValueError: an image of another size.
            RuntimeError: the encoder drops the alpha channel.
        """
        shape = (self._height, self._width, 4 if self._coding.alpha else 3)
        if image.shape != shape:
            raise ValueError(f"{self._path}: frame is {image.shape}, the video {shape}")
        if self._coding.alpha and self._pts < 0:
            _check_alpha(self._coding, image, self._path)
        step = round(self._coding.ticks / self._fps)
        if time is None:
            pts = self._pts + step if self._pts >= 0 else 0
        else:
            self._first = time - max(self._pts, 0) / self._coding.ticks if self._first is None else self._first
            pts = round((time - self._first) * self._coding.ticks)
        self._pts = max(pts, self._pts + 1)
        self._container.mux(self._stream.encode(_frame(image, self._coding, self._pts)))
        self._advance_sound(self._pts)

    def _advance_sound(self, pts: int) -> None:
        if self._sound is not None:
            origin = self._first or 0.0
            self._sound.advance(origin, origin + pts / self._coding.ticks)

    def _flush(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if self._pts < 0:
                    raise ValueError(f"{self._path}: no frame was written")
                self._container.mux(self._stream.encode(None))
                self._advance_sound(self._pts + round(self._coding.ticks / self._fps))
        finally:
            if self._sound is not None:
                self._sound.close(finish=kind is None)


def _opened(
    file: str | BytesIO, coding: Coding, width: int, height: int, fps: float
) -> tuple[av.container.OutputContainer, av.VideoStream]:
    """A video to write to, of which nothing is written yet."""
    # The index in front is put there in the end, by reading the file again, which memory cannot be.
    header = {"movflags": "+faststart"} if coding.container != "webm" and isinstance(file, str) else {}
    container = av.open(file, "w", format=coding.container, options=header)
    rate = Fraction(fps).limit_denominator(1001)
    stream = container.add_stream(coding.codec, rate=rate, options=dict(coding.options))
    assert isinstance(stream, av.VideoStream), "the codecs are of pictures"
    stream.width, stream.height = (width + _odd(width, coding), height + _odd(height, coding))
    stream.pix_fmt = coding.pixels
    if coding.alpha:
        stream.bit_rate = 0  # quality alone decides
    context = stream.codec_context
    context.time_base = Fraction(1, coding.ticks)
    # Untagged, players guess the matrix by the size of the picture, and colours shift.
    context.colorspace, context.color_primaries, context.color_trc = _TAGS[coding.matrix]
    context.color_range = 1  # 16-235, as video has it
    return container, stream


def _odd(side: int, coding: Coding) -> int:
    """Pixels to add to a side, so that the codec takes it."""
    return side % 2 if coding.codec == "libx264" else 0


def _frame(image: UInt8[np.ndarray, "H W _"], coding: Coding, pts: int) -> av.VideoFrame:
    height, width, channels = image.shape
    if (odd := (_odd(height, coding), _odd(width, coding))) != (0, 0):
        image = np.pad(image, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(image, format="rgba" if channels == 4 else "rgb24")
    frame = frame.reformat(format=coding.pixels, dst_colorspace=coding.matrix, dst_color_range="MPEG", threads=1)
    # ProRes takes these from its frames alone.
    _, frame.color_primaries, frame.color_trc = _TAGS[coding.matrix]
    frame.pts, frame.time_base = pts, Fraction(1, coding.ticks)
    return frame


def _check_alpha(coding: Coding, image: UInt8[np.ndarray, "H W 4"], path: Path) -> None:
    """Raises RuntimeError unless the alpha channel of a picture, written by itself, comes back."""
    file, (height, width) = BytesIO(), image.shape[:2]
    container, stream = _opened(file, coding, width, height, 25.0)
    with container:
        container.mux(stream.encode(_frame(image, coding, 0)))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as written:
        found = decoded_alpha(written, coding.decoder)
    if np.abs(found.astype(np.int16) - image[..., 3]).mean() > ALPHA_ERROR:
        raise RuntimeError(f"{path}: {coding.codec} of this FFmpeg drops the alpha channel")


def decoded_alpha(container: av.container.InputContainer, decoder: str | None) -> UInt8[np.ndarray, "H W"]:
    """The alpha channel of the first picture of a video.

    Args:
        decoder: FFmpeg's name of a decoder that knows of it, where the usual one does not.
    """
    stream = container.streams.video[0]
    context = av.CodecContext.create(decoder, "r") if decoder else stream.codec_context
    assert isinstance(context, av.VideoCodecContext), "the codecs are of pictures"
    for packet in container.demux(stream):
        for frame in context.decode(packet):
            return frame.to_ndarray(format="rgba")[..., 3]
    raise RuntimeError("no picture comes back")
