"""An engine that remembers what a network said of the frames of a video, and says it again.

So that settings of the tracker can be tried without computing the network, and what lies behind the network be timed.

Legend: N frames, T frames of a clip, H W pixels, h w = H/4 W/4, D channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # older source trees, which benchmarks/trees.py runs, have no engines
    from chronomask.engines.engine import Engine, FrameFeatures


class Recorder:
    """Stands in for an engine; see `Engine`. Frames and clips may come in any order, at the same time.

    Args:
        engine: is asked about what is new.
        fine: whether the finest level is kept too, which prompts ask for.

    Attributes:
        playing: whether everything is repeated from memory; a frame or clip that is new is an error then.
        silent: whether it says of every clip, in as many numbers, that there is nothing in it.
    """

    def __init__(self, engine: Engine, fine: bool = False) -> None:
        self._engine, self.description, self.info = engine, engine.description, engine.info
        self.threads, self.together = engine.threads, engine.together
        self.playing = self.silent = False
        self._features: dict[bytes, FrameFeatures] = {}
        self._fine: dict[int, np.ndarray | None] | None = {} if fine else None
        self._pixels: dict[tuple[int, ...], np.ndarray] = {}

    def prepare_thread(self) -> None:
        self._engine.prepare_thread()

    def threads_ready(self) -> None:
        self._engine.threads_ready()

    def encode(self, frames: np.ndarray) -> list[FrameFeatures]:
        """ "N 3 H W" """
        marks = [mark_of(frame) for frame in frames]
        if self.playing:
            return [self._features[mark] for mark in marks]
        found = self._engine.encode(frames)
        for mark, features in zip(marks, found, strict=True):
            kept = self._features.setdefault(mark, features._replace(decoded=()))  # the rest of it is large
            if self._fine is not None:
                self._fine[id(kept.look)] = self._engine.fine(features)
        looks = [self._features[mark].look for mark in marks]
        return [features._replace(look=look) for features, look in zip(found, looks, strict=True)]

    def fine(self, frame: FrameFeatures) -> np.ndarray | None:
        """ "C h w" """
        if self._fine is not None:
            return self._fine[id(frame.look)]
        assert frame.decoded, "it was to be kept, for it is repeated"
        return self._engine.fine(frame)

    def decode(self, frames: Sequence[FrameFeatures]) -> np.ndarray:
        """ "T D h w" """
        # By looks: they are kept here, so that no other frame's can take their place.
        clip = tuple(id(frame.look) for frame in frames)
        if not self.playing:
            self._pixels[clip] = np.array(self._engine.decode(frames))
            self._pixels[clip].setflags(write=False)  # it shall be the same when it is said again
        return np.zeros_like(self._pixels[clip]) if self.silent else self._pixels[clip]


def mark_of(frame: np.ndarray) -> bytes:
    """What tells a frame ("3 H W") from others: some of its pixels, for taking all of them would take time."""
    return np.asarray(frame)[:, ::8, ::8].tobytes()
