"""Everything that one video in progress needs, in memory that does not grow with its length.

Legend: T frames of a clip, O pending frames, H W pixels of the source.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from chronomask.rle import Rle
from chronomask.segmenter.clips import Reading
from chronomask.segmenter.found import Painted, PaintedFrame
from chronomask.state import State, nested, part
from chronomask.tracking.tracker import Tracker


@dataclass(eq=False)
class PendingFrame:
    """A frame that the network has seen.

    Attributes:
        index: its number in the video.
        time: at which it is shown, in seconds.
        painted: the masks of its tracks so far.
        image: as it came, "H W 3", where that was asked for.
    """

    index: int
    time: float
    painted: PaintedFrame
    image: np.ndarray | None = None


@dataclass(eq=False)
class Stream:
    """The state of one video in progress, bounded by the clip length but for one summary a track.

    Attributes:
        tracker: joins the tubes of the clips to tracks.
        reading: how far the frames are read: some clips ahead of everything else, unless the source is live.
        batches: how many frames the last clips added, each, as far as features of them are left.
        pending: frames seen but not handed out, at most T.
        due: how many of the pending frames are final.
        finished: frames handed out.
    """

    tracker: Tracker
    reading: Reading = field(default_factory=Reading)
    batches: deque[int] = field(default_factory=deque)
    pending: deque[PendingFrame] = field(default_factory=deque)
    due: int = 0
    finished: int = 0

    def note_batch(self, frames: int, length: int) -> None:
        """Remembers the size of a batch, and forgets those from which no feature of the last T = `length` is left."""
        self.batches.append(frames)
        while sum(self.batches) - self.batches[0] >= length:
            self.batches.popleft()

    def state(self) -> State:
        """The state as of the last clip, for `restore`: frames that wait are not in it, nor are features."""
        height, width = self.reading.size or (0, 0)
        painted = [frame.painted.masks() for frame in self.pending]
        masks = [(frame, *mask) for frame, found in enumerate(painted) for mask in found.items()]
        return {
            "size": np.array([height, width], np.int64),
            "finished": np.array(self.finished),
            "batches": np.array(self.batches, np.int64),
            "index": np.array([frame.index for frame in self.pending], np.int64),
            "time": np.array([frame.time for frame in self.pending], np.float64),
            "painted": np.array([mask[:2] for mask in masks], np.int64).reshape(-1, 2),
            "counts": np.frombuffer(" ".join(code["counts"] for *_, code in masks).encode(), np.uint8),
            **nested("tracker", self.tracker.state()),
        }

    def restore(self, state: State) -> None:
        """Puts a fresh stream where it was."""
        self.tracker.restore(part(state, "tracker"))
        height, width = (int(side) for side in state["size"])
        self.reading.size = (height, width) if height else None
        self.batches, self.finished = deque(state["batches"].tolist()), int(state["finished"])
        painted: list[Painted] = [{} for _ in state["index"]]
        texts = state["counts"].tobytes().decode("ascii").split()
        for (frame, number), counts in zip(state["painted"].tolist(), texts, strict=True):
            painted[frame][number] = Rle(size=[height, width], counts=counts)
        done: Future[list[Painted]] = Future()
        done.set_result(painted)
        frames = enumerate(zip(state["index"].tolist(), state["time"].tolist(), strict=True))
        self.pending = deque(PendingFrame(*frame, PaintedFrame(done, number)) for number, frame in frames)
