"""Where the packets of a video lie in its file, for pages that decode single frames by themselves.

A `video` element that is sent to a frame reads megabytes ahead and decodes frames that nobody asked for; a page with
WebCodecs reads and decodes what lies between the key frame and the wanted one, at a third of the cost.
"""

from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from chronomask.files import written_aside
from chronomask.video.decoding import decoded, open_container, video_stream


class Packets(NamedTuple):
    """The packets of H.264 in mp4.

    Attributes:
        description: the header of the decoder, in base64.
        rows: of a picture.
        offsets, sizes, times, keys: of every packet, in the order of decoding: number of its first byte, bytes, seconds
            at which it is shown on the clock of the file, and whether decoding can begin with it.
    """

    description: str
    rows: int
    offsets: list[int]
    sizes: list[int]
    times: list[float]
    keys: list[bool]


def write_packets(path: Path, media: Path) -> None:
    """Writes the packets of a file as json: null where a page is to leave decoding to its browser."""
    found = packets_of(media)
    with written_aside(path) as aside:
        aside.write_bytes(msgspec.json.encode(None if found is None else found._asdict()))


def packets_of(path: Path) -> Packets | None:
    """The packets of a file; None of other codecs and containers, and of pictures that are turned."""
    with closing(open_container(str(path), path.name)) as container, path.open("rb") as file:
        stream = video_stream(container, path.name)
        header = stream.codec_context.extradata or b""
        if "mp4" not in container.format.name or stream.codec_context.name != "h264" or header[:1] != b"\1":
            return None
        found = Packets(base64.b64encode(header).decode(), stream.height, [], [], [], [])
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.pts is None or packet.pos is None:
                return None
            if packet.is_keyframe:  # that positions are meant so is tried, though not for every packet
                file.seek(packet.pos)
                if file.read(packet.size) != bytes(packet):
                    return None
            found.offsets.append(packet.pos)
            found.sizes.append(packet.size)
            found.times.append(float(packet.pts * packet.time_base))
            found.keys.append(packet.is_keyframe)
    return None if _turned(path) else found


def _turned(path: Path) -> bool:
    with closing(open_container(str(path), path.name)) as container:
        frames = decoded(container, video_stream(container, path.name), lambda _: None)
        return next((bool(frame.rotation) for frame in frames), True)
