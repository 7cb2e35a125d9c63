"""The sound of one file on its way into another, beside the frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import av
import av.container

from chronomask.errors import InputError
from chronomask.video.decoding import open_container, sound_stream

COPIED = {
    "mp4": frozenset({"aac", "alac", "flac", "mp3", "opus"}),
    "mov": frozenset({"aac", "alac", "mp3", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le"}),
    "webm": frozenset({"opus", "vorbis"}),
}
"""By container, codecs that it carries and its players know; any other sound is encoded anew ..."""

ENCODERS = {"mp4": "aac", "mov": "aac", "webm": "libopus"}
"""... by these."""

_RATE = 48_000
"""Samples a second of sound that is encoded anew."""


class SoundTrack:
    """The best sound of a file, moved into a video that is being written, a bit at a time so that nothing piles up.

    Sound that cannot be read ends early, or has a gap; the pictures go on.
    """

    def __init__(self, source: str, output: av.container.OutputContainer) -> None:
        """Open the file and announce its sound to the output, of which nothing may have been written yet.

        Raises:
            InputError: the file cannot be opened, or holds no sound.
        """
        # Not by its address, which may hold a password.
        self._input = open_container(source, "the sound of the source")
        stream = sound_stream(self._input)
        if stream is None:
            self._input.close()
            raise InputError("the sound of the source: there is none that can be decoded")
        self._clock = (self._input.start_time or 0) / av.time_base
        self._output, self._source = output, stream
        container = output.format.name
        self._encodes = stream.codec_context.name not in COPIED[container]
        self._stream: av.AudioStream
        if self._encodes:
            self._layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
            encoded = output.add_stream(ENCODERS[container], rate=_RATE, layout=self._layout)
            assert isinstance(encoded, av.AudioStream), "the encoders are of sound"
            self._stream = encoded
        else:
            self._stream = output.add_stream_from_template(stream)
        self._packets: Iterator[tuple[float, av.Packet]] | None = None
        self._next: tuple[float, av.Packet] | None = None

    def advance(self, origin: float, until: float) -> None:
        """Write the sound of origin <= time < until.

        Args:
            origin: when the output begins, in seconds on the clock of the source; the same at every call.
            until: in the same clock; must not go back.
        """
        if self._packets is None:
            self._packets = (self._encoded if self._encodes else self._copied)(self._clock + origin)
        while (part := self._next or next(self._packets, None)) is not None:
            self._next = part
            if part[0] >= until - origin:
                return
            self._next = None
            self._output.mux(part[1])

    def close(self, finish: bool) -> None:
        """Release the source; with `finish` what the encoder still holds is written before."""
        if finish and self._encodes and self._packets is not None:
            with suppress(av.error.EOFError):  # its end was reached, and the encoder emptied
                self._output.mux(self._stream.encode(None))
        self._input.close()

    def _copied(self, start: float) -> Iterator[tuple[float, av.Packet]]:
        """Packets from `start` on, each with its seconds after that."""
        last = -1
        for packet in self._demuxed():
            if packet.pts is None or packet.dts is None or packet.time_base is None:
                continue
            shift = round(start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            # Times that go back, as at joints of careless cuts, are an error in mp4.
            if packet.pts >= 0 and packet.dts > last:
                last = packet.dts
                packet.stream = self._stream
                yield float(packet.pts * packet.time_base), packet

    def _encoded(self, start: float) -> Iterator[tuple[float, av.Packet]]:
        resampler = av.AudioResampler("fltp", self._layout, _RATE)
        for packet in self._demuxed():
            try:
                frames = self._source.decode(packet)
            except av.FFmpegError:
                continue
            for frame in frames:
                if frame.pts is None or frame.time_base is None:
                    continue
                frame.pts -= round(start / frame.time_base)
                if frame.pts >= 0:
                    for even in resampler.resample(frame):
                        yield from self._timed(self._stream.encode(even))
        yield from self._timed(self._stream.encode(None))

    def _timed(self, packets: list[av.Packet]) -> Iterator[tuple[float, av.Packet]]:
        for packet in packets:
            yield float((packet.pts or 0) * packet.time_base), packet

    def _demuxed(self) -> Iterator[av.Packet]:
        packets = self._input.demux(self._source)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, OSError, av.FFmpegError):
                return
            yield packet
