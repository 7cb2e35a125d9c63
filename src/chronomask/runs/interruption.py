"""Ctrl-C in the middle of long work."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interruption:
    """Inside the block Ctrl-C becomes a wish that the work asks for between two frames, so that nothing is torn.

    A second Ctrl-C interrupts at once. Where Ctrl-C means something else already, or another thread than the main one
    works, it keeps its meaning.

    Attributes:
        wanted: whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.wanted = False
        self._before: Any = None

    def __enter__(self) -> Interruption:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.wanted = True
        signal.signal(signal.SIGINT, self._before)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after everything that was final had been written.

    Attributes:
        frames: how many these are.
    """

    def __init__(self, frames: int) -> None:
        super().__init__(f"interrupted after {frames} frames")
        self.frames = frames
