"""Keeping up with a live source: only the newest frames wait, late ones are dropped and counted."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from chronomask.errors import InputError
from chronomask.video import Frame, VideoSource

STOP_SECONDS = 1.0
"""How long the end of an iteration waits for the reading thread, which may hang in a camera that gives no frame."""


class Live(VideoSource):
    """A live source, read by a thread of its own, of which nobody need be in time to take every frame.

    At most `buffer` frames wait; when one more comes, the oldest is dropped. What is taken is numbered from 0 without
    gaps; gaps show in the times. All attributes are those of the source, and beside them:

    Attributes:
        taken: frames handed out.
        dropped: frames that came too late.
        delay: seconds between the arrival of the frame handed out last and its handing out.
        damage: of the source, and how many frames were dropped; known when the iteration has ended.
        stop: asked, as long as no frame comes, whether the iteration shall end; by default it shall not.
    """

    live, again = True, False

    def __init__(self, source: VideoSource, buffer: int = 4) -> None:
        """Reading begins with the iteration, of which there can be only one.

        Raises:
            InputError: a buffer of no frames.
        """
        if buffer < 1:
            raise InputError(f"buffer {buffer}: at least one frame must have room")
        self.look_like(source)
        self.name, self.fps, self.length = source.name, source.fps, None
        self.selection, self.sound = source.selection, source.sound
        self.taken, self.dropped, self.delay = 0, 0, 0.0
        self.stop: Callable[[], bool] = lambda: False
        self._source = source
        self._waiting: deque[tuple[float, Frame]] = deque(maxlen=buffer)
        self._change = threading.Condition()
        self._ended = self._stopped = False
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[Frame]:
        """The newest frames, until the source ends, or is silent and `stop` ends the waiting.

        Raises:
            Whatever the source raises, after the frames that came before.
        """
        reader = threading.Thread(target=self._read, name=f"reading {self.name}", daemon=True)
        reader.start()
        try:
            while (arrived := self._next()) is not None:
                self.delay = time.monotonic() - arrived[0]
                frame = Frame(self.taken, arrived[1].time, arrived[1].image)
                self.taken += 1
                yield frame
            if self._error is not None:
                raise self._error
        finally:
            self._stopped = True
            reader.join(STOP_SECONDS)
            late = f"{self.name}: {self.dropped} of {self.taken + self.dropped} frames came too late and were dropped"
            causes = [self._source.damage, late if self.dropped else None]
            self.damage = "; ".join(cause for cause in causes if cause) or None

    def _read(self) -> None:
        try:
            for frame in self._source:
                if self._stopped:
                    return
                with self._change:
                    self.dropped += len(self._waiting) == self._waiting.maxlen
                    self._waiting.append((time.monotonic(), frame))
                    self._change.notify()
        except Exception as error:  # handed to the thread that iterates
            self._error = error
        finally:
            with self._change:
                self._ended = True
                self._change.notify()

    def _next(self) -> tuple[float, Frame] | None:
        with self._change:
            # With a time limit, because on Windows a wait without one cannot be interrupted.
            while not (self._waiting or self._ended or self.stop()):
                self._change.wait(0.1)
            return self._waiting.popleft() if self._waiting else None
