"""A live source passes by once: what is to be drawn later is recorded meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from chronomask.errors import InputError
from chronomask.video import Frame, VideoSource, VideoWriter, open_source


class Recorded(VideoSource):
    """A live source whose frames are written down as they pass; ends early when it is asked to.

    Args:
        source: the live one.
        writer: takes every frame that is yielded.
        stop: asked before every frame whether to end; by default it never does.
    """

    again = False

    def __init__(self, source: VideoSource, writer: VideoWriter, stop: Callable[[], bool] = lambda: False) -> None:
        self.look_like(source)
        self.name, self.fps, self.length = source.name, source.fps, source.length
        self.selection, self.live = source.selection, source.live
        self._source, self._writer, self._stop = source, writer, stop

    def __iter__(self) -> Iterator[Frame]:
        empty = True
        for frame in self._source:
            empty = False
            self._writer.write(frame.image, frame.time)
            yield frame
            if self._stop():
                break
        self.damage = self._source.damage
        if empty:
            raise InputError(f"{self._source.damage or self.name}: not one frame came")


class Recording(VideoSource):
    """What is left of what passed by once: its recording, without the row and column that H.264 adds to odd sizes.

    Args:
        path: of the recording.
        source: what was recorded.
    """

    def __init__(self, path: Path, source: VideoSource) -> None:
        self._file = open_source(path)
        self.look_like(source)
        self.name, self.fps, self.length = source.name, source.fps, self._file.length
        self.selection = source.selection

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._file:
            yield Frame(frame.index, frame.time, frame.image[: self.height, : self.width])
