"""What a browser plays: whether it can play a video as it is, when each frame is shown, and a copy of what it cannot.

Browsers find a frame by its time alone. Asked for the very time of a frame they show the one before it in up to half
of all cases, so a table has the middle between it and the next; nothing is computed from the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from PIL import Image

from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.progress import Progress, silent
from chronomask.video import Selection, VideoSource, VideoWriter
from chronomask.video.decoding import decoded, open_container, video_stream
from chronomask.video.upright import pixels_of
from chronomask.video.writer import H264
from chronomask.web.packets import write_packets

_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
_CODECS = ("h264", "vp8", "vp9", "av1")
"""What browsers play, by FFmpeg's names. HEVC, MPEG-4 part 2, ProRes and PNG are error 4 in Chromium."""

_FAR = 60
"""Frames from a key frame to the next, in the mean, from which on seeking takes long."""

_LONG = 600
"""Frames of a video in which that is worth a copy."""

PROXY = replace(
    H264,
    # A key frame every 12 frames: any frame is a few frames of decoding away.
    options={**H264.options, "crf": "23", "g": "12", "keyint_min": "12", "sc_threshold": "0"},
    matrix="ITU601",
)
_PROXY_SIDE = 1920
"""Pixels of the longest side of a copy. Masks lie over it at their own size."""

_MOMENT = 1e-3
"""Seconds; no two frames are closer."""


@dataclass(frozen=True)
class Look:
    """How a browser is to show a video.

    Attributes:
        copy: why a copy is made: "" for no reason, "needed" where browsers cannot play it, "wanted" for quick seeking.
        reason: the same in words.
        frames: number of frames, as far as the container says; None where only decoding tells.
    """

    copy: str
    reason: str
    frames: int | None


def looked_at(source: VideoSource) -> Look:
    """What is known of a source without decoding it."""
    path = _path(source)
    if path is None:
        return Look("needed", "it is a folder of images", source.length)
    with closing(open_container(str(path), source.name)) as container:
        stream = video_stream(container, source.name)
        name, codec = container.format.name, stream.codec_context.name
        start = (container.start_time or 0) / 1e6
        end = start + container.duration / 1e6 if container.duration else None
    packets = packet_times(path)
    if packets is None:
        return Look("needed", "its frames have no times of their own", None)
    times, keys = packets
    count = len(times)
    if name not in _CONTAINERS or not any(codec.startswith(known) for known in (*_CODECS, "libdav1d", "libvpx")):
        return Look("needed", f"browsers do not play {codec} in {name.partition(',')[0]}", count)
    if len(np.unique(times)) < count:
        return Look("needed", "some of its frames share a time", count)
    if _fragmented(path) or (end is not None and count and times[-1] + _MOMENT > end):
        return Look("needed", "browsers do not show its last frames", count)
    if count > _LONG and count / max(1, keys) > _FAR:
        return Look("wanted", "its key frames lie far apart", count)
    return Look("", "", count)


def packet_times(path: Path) -> tuple[Float64[np.ndarray, " T"], int] | None:
    """When each frame is shown, in seconds on the clock of the file, ascending, and the number of key frames.

    None where packets do not say. Nothing is decoded: half an hour of video takes a second.
    """
    times, keys = [], 0
    with closing(open_container(str(path), path.name)) as container:
        stream = video_stream(container, path.name)
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None:
                return None
            times.append(float(packet.pts * packet.time_base))
            keys += packet.is_keyframe
    return (np.sort(np.array(times, np.float64)), keys) if times else None


def decoded_times(path: Path) -> Float64[np.ndarray, " T"]:
    """The same of the frames that decode, for files whose packets are not their frames."""
    with closing(open_container(str(path), path.name)) as container:
        stream = video_stream(container, path.name)
        times = [frame.time for frame in decoded(container, stream, lambda _: None)]
    return np.array([time for time in times if time is not None], np.float64)


def write_times(path: Path, media: Path, length: int, selection: Selection | None, progress: Progress = silent) -> int:
    """Writes the table of the frames that tracks speak of: two rows of float64, little-endian.

    The first is the time of each frame, the second the time at which it is asked for. The packets of the file are
    written beside it.

    Args:
        path: of the table.
        media: the file that the browser plays.
        length: number of frames that tracks speak of; 0 for all.
        selection: which frames of the file these are; None where the file has no others.

    Returns:
        Number of frames in the table.

    Raises:
        InputError: the file has fewer frames.
    """
    packets = packet_times(media)
    with closing(open_container(str(media), media.name)) as container:
        start = (container.start_time or 0) / 1e6
    table = None if packets is None else _table(packets[0], start, selection)
    if table is None or (length and table.shape[1] != length):
        for times in progress([decoded_times(media)], "counting frames", 1):
            table = _table(times, start, selection)
    assert table is not None, "one way or the other"
    if table.shape[1] < max(1, length):
        raise InputError(f"{media.name}: {table.shape[1]} frames can be shown, the tracks speak of {length}")
    table = table[:, : length or None]
    with written_aside(path) as aside:
        aside.write_bytes(np.ascontiguousarray(table).astype("<f8").tobytes())
    write_packets(path.with_suffix(".json"), media)
    return table.shape[1]


def _table(times: Float64[np.ndarray, " T"], start: float, selection: Selection | None) -> Float64[np.ndarray, "2 K"]:
    # Behind the last one there is half of the time before it: Chromium, which says 0.863 s of a frame in Matroska,
    # shows it from 0.87 s on. Beyond the end it shows the last frame too.
    half = np.diff(times) / 2
    asked = times + np.append(half, half[-1:] if len(half) else _MOMENT)
    numbered = ((time, number) for number, time in enumerate((times - start).tolist()))
    kept = slice(None) if selection is None else [number for *_, number in selection.of(numbered)]
    return np.stack([times, asked])[:, kept]


def write_copy(path: Path, source: VideoSource, progress: Progress) -> tuple[int, int, int]:
    """Writes a copy that every browser plays and enters at any frame quickly; without sound.

    Returns:
        Number of frames, and the width and height of the picture in it. Sides of the file itself are even.
    """
    shrink = min(1.0, _PROXY_SIDE / max(source.width, source.height))
    width, height = (max(1, round(side * shrink)) for side in (source.width, source.height))
    count = 0
    with VideoWriter(path, width, height, source.fps, coding=PROXY, pixel_aspect=source.pixel_aspect) as writer:
        for frame in progress(source, "preparing for the browser", source.length):
            image = frame.image
            if shrink < 1:
                image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
            writer.write(image, frame.time)
            count += 1
    return count, width, height


def thumbnails(
    media: Path, wanted: Sequence[tuple[str, float, Sequence[float]]], folder: Path, progress: Progress
) -> list[str]:
    """Small square pictures of parts of frames.

    Args:
        media: the file that the browser plays.
        wanted: for each a name, the time of its frame, and left, upper, right and lower edge of the part, from 0 to 1.
        folder: for files NAME.jpg.

    Returns:
        Names of those that were made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with closing(open_container(str(media), media.name)) as container:
        stream = video_stream(container, media.name)
        for name, time, box in progress(sorted(wanted, key=lambda one: one[1]), "thumbnails", len(wanted)):
            assert stream.time_base is not None, "streams of files have one"
            container.seek(int(time / stream.time_base), stream=stream)
            for frame in decoded(container, stream, lambda _: None):
                if frame.time is not None and frame.time >= time - _MOMENT / 2:
                    image = Image.fromarray(pixels_of(frame, (frame.width, frame.height)))
                    _square(image, box).save(folder / f"{name}.jpg", quality=82)
                    made.append(name)
                    break
    return made


def _square(image: Image.Image, box: Sequence[float], side: int = 112) -> Image.Image:
    """A part of a picture with some room around it, moved into the picture where it reaches beyond."""
    left, top, right, bottom = (edge * size for edge, size in zip(box, (*image.size, *image.size), strict=True))
    whole = min(1.2 * max(right - left, bottom - top, 8), *image.size)
    x, y = (
        min(max(0.0, (low + high - whole) / 2), size - whole)
        for low, high, size in ((left, right, image.width), (top, bottom, image.height))
    )
    return image.resize((side, side), box=(x, y, x + whole, y + whole))


def _path(source: VideoSource) -> Path | None:
    """The file of a video; None for images."""
    return source.files[0] if source.file_names is None and len(source.files) == 1 else None


def _fragmented(path: Path) -> bool:
    """Whether an mp4 is in fragments, of which Chromium shows the last frames at wrong times or not at all."""
    with path.open("rb") as file:
        size = path.stat().st_size
        place = 0
        while place + 16 <= size:
            file.seek(place)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if not kind.isalnum():
                return False
            if kind == b"moof":
                return True
            length = int.from_bytes(head[8:], "big") if length == 1 else length
            if length < 8:
                return False
            place += length
    return False
