"""What files and streams share: opening with FFmpeg, and decoding whatever can be decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import av
import av.container
import av.video
from av.stream import Disposition

from chronomask.bounds import RATES
from chronomask.device import cores
from chronomask.errors import InputError
from chronomask.video.source import DEFAULT_FPS


def open_container(
    address: str,
    shown: str,
    file_format: str | None = None,
    options: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> av.container.InputContainer:
    """Open anything that FFmpeg can read.

    Args:
        address: a path, a URL, the name of a device.
        shown: how messages name it.
        file_format: FFmpeg's name of a format or kind of device, guessed by default.
        options: of FFmpeg's protocol or device.
        timeout: seconds of silence after which a stream counts as ended; None for files.

    Raises:
        InputError: it cannot be opened, or holds text.
    """
    try:
        container = av.open(address, format=file_format, options=dict(options or {}), timeout=timeout)
    except (OSError, av.FFmpegError, ValueError) as error:
        # FFmpeg's complaints about the content are ValueErrors; all else is permission, a busy device, the network.
        content = isinstance(error, ValueError | EOFError)
        what = "not a video, or one that was cut off" if content else "cannot be opened"
        raise InputError(f"{shown}: {what}: {cause(error)}") from error
    if container.format.name == "tty":  # FFmpeg would play any .txt as a film of its letters
        container.close()
        raise InputError(f"{shown}: not a video but text")
    return container


def video_stream(container: av.container.InputContainer, shown: str) -> av.video.VideoStream:
    """The first stream of moving pictures.

    Raises:
        InputError: there is none, or nothing here decodes it.
    """
    for stream in container.streams.video:
        # The cover of a song is a video stream of one picture.
        if stream.codec_context is None:
            raise InputError(f"{shown}: cannot be decoded: its codec is not known, or it is protected (DRM)")
        if not stream.disposition & Disposition.attached_pic:
            # The other cores have the network to compute; and every thread holds a frame or two, of 12 MB in 4K.
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = max(1, cores() // 2)
            return stream
    raise InputError(f"{shown}: holds no video stream")


def sound_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """The best stream of sound that can be decoded, if there is one."""
    known = [stream for stream in container.streams.audio if stream.codec_context is not None]
    best = container.streams.best("audio")
    return next((stream for stream in known if stream == best), known[0] if known else None)


def frame_rate(stream: av.video.VideoStream) -> float:
    """Frames a second, the average where the rate varies."""
    rates = (stream.average_rate, stream.guessed_rate)
    # Recordings of browsers, which do not count their frames, claim a rate of 1000, the resolution of their clock.
    low, high = RATES[0], RATES[1] if stream.frames else 480
    return next((float(rate) for rate in rates if rate and low <= rate <= high), DEFAULT_FPS)


def decoded(
    container: av.container.InputContainer, stream: av.video.VideoStream, note: Callable[[str], None]
) -> Iterator[av.VideoFrame]:
    """Everything that decodes; what does not is told to `note` and passed over, as players do."""
    packets = container.demux(stream)
    bad = 0
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (OSError, av.FFmpegError) as error:
            note(f"cannot be read to its end: {cause(error)}")
            packet = None
        try:
            frames = stream.decode(packet)  # None flushes
        except av.FFmpegError as error:
            frames = []
            bad += 1
            note(f"{bad} packet{'s' * (bad > 1)} could not be decoded: {cause(error)}")
        yield from frames
        if packet is None:
            return


def cause(error: Exception) -> str:
    """What FFmpeg or the system says, without the path that they add."""
    if isinstance(error, av.error.ExitError):  # FFmpeg's "immediate exit requested" is ours, after `timeout`
        return "nothing came for too long"
    return getattr(error, "strerror", None) or str(error)
