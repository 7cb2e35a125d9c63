"""Everything that one video in progress needs, in memory that does not grow with its length.

Legend: T frames of a clip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from chronomask.config import SegmentConfig
from chronomask.segmenter.clips import Reading
from chronomask.segmenter.found import Clip, FoundClip, FreshFrame, PaintedFrame, Stretch, View, levels_in
from chronomask.state import State, nested, part
from chronomask.tracking.cluster import Tube
from chronomask.tracking.tracker import Found, Tracker


class DueFrame(NamedTuple):
    """A frame that is final.

    Attributes:
        fresh: the frame.
        painted: its masks.
    """

    fresh: FreshFrame
    painted: PaintedFrame


@dataclass(eq=False)
class Stream:
    """The state of one video in progress, bounded by the clip length but for one summary a track.

    Attributes:
        tracker: joins the tubes of the clips to tracks.
        reading: how far the frames are read: some clips ahead of everything else, unless the source is live.
        batches: how many frames the last clips added, each, as far as features of them are left.
        pending: frames that later clips may have in them too, at most T.
        due: frames that are final, and not handed out.
        finished: frames handed out.
    """

    tracker: Tracker
    reading: Reading = field(default_factory=Reading)
    batches: deque[int] = field(default_factory=deque)
    pending: deque[Stretch] = field(default_factory=deque)
    due: deque[DueFrame] = field(default_factory=deque)
    finished: int = 0

    @property
    def waiting(self) -> int:
        """How many frames are pending."""
        return sum(len(stretch.frames) for stretch in self.pending)

    def take(self, clip: Clip, config: SegmentConfig) -> list[Stretch]:
        """Takes in the next clip; the frames that become final."""
        length, fresh = len(clip.found.labels), len(clip.fresh)
        ids = self.tracker.take(clip.found, clip.shared)
        start = length - fresh - self.waiting
        for stretch in self.pending:
            stretch.views.append(View(clip, ids, start))
            start += len(stretch.frames)
        self.pending.append(Stretch(clip.fresh, [View(clip, ids, length - fresh)]))
        self.batches.append(fresh)
        while sum(self.batches) - self.batches[0] >= config.clip_length:  # no feature of them is left
            self.batches.popleft()
        return self.final(config.held)

    def final(self, held: int = 0) -> list[Stretch]:
        """The first of the frames that are pending, which then are pending no more; the last `held` stay."""
        count, final = self.waiting - held, []
        while count > 0:
            stretch = self.pending.popleft()
            if (left := stretch.part(count, len(stretch.frames))).frames:
                self.pending.appendleft(left)
            final.append(stretch.part(0, count))
            count -= len(final[-1].frames)
        return final

    def state(self) -> State:
        """The state as of the last clip, for `restore`: frames that wait are not in it, nor are features."""
        height, width = self.reading.size or (0, 0)
        frames = [frame for stretch in self.pending for frame in stretch.frames]
        tubes, levels = [], [np.zeros(0, np.float32)]
        for number, (some, views) in enumerate(self.pending):
            for view, (clip, ids, start) in enumerate(views):
                for track, tube in zip(ids, clip.whole().found.tubes, strict=True):
                    tubes.append(
                        (number, view, track, *(edge for side in tube.box for edge in (side.start, side.stop)))
                    )
                    levels.append(tube.probability[start : start + len(some)].ravel())
        return {
            "size": np.array([height, width], np.int64),
            "finished": np.array(self.finished),
            "batches": np.array(self.batches, np.int64),
            "index": np.array([frame.index for frame in frames], np.int64),
            "time": np.array([frame.time for frame in frames], np.float64),
            "stretches": np.array([[len(some), len(views)] for some, views in self.pending], np.int64).reshape(-1, 2),
            "tubes": np.array(tubes, np.int64).reshape(-1, 7),
            "levels": np.concatenate(levels),
            **nested("tracker", self.tracker.state()),
        }

    def restore(self, state: State) -> None:
        """Puts a fresh stream where it was, but for the frames that were pending."""
        self.tracker.restore(part(state, "tracker"))
        height, width = (int(side) for side in state["size"])
        self.reading.size = (height, width) if height else None
        self.batches, self.finished = deque(state["batches"].tolist()), int(state["finished"])

    def restore_pending(self, state: State, seen: Sequence[FreshFrame]) -> None:
        """Puts back the frames that were pending: the last of those that have been read again."""
        last = seen[len(seen) - len(state["index"]) :]
        known = zip(last, state["index"].tolist(), state["time"].tolist(), strict=True)
        fresh = [replace(frame, index=index, time=time) for frame, index, time in known]
        levels, rows = state["levels"], state["tubes"]
        for number, (length, views) in enumerate(state["stretches"].tolist()):
            frames, fresh = fresh[:length], fresh[length:]
            stretch = Stretch(frames, [])
            for view in range(views):
                mine = (rows[:, :2] == (number, view)).all(1)
                own, rows = rows[mine], rows[~mine]
                parts = list(levels_in(own[:, 3:].reshape(-1, 2, 2), length, levels))
                levels = levels[sum(level.size for _, level in parts) :]
                tubes = [Tube(box, level, np.zeros(0, np.float32), 0.0) for box, level in parts]
                assert self.reading.size is not None, "there is a frame, and it has a size"
                found = Found(tubes, [], np.zeros((length, 0, 0), np.int16))
                clip = FoundClip(found, 0, frames, [frame.pixels for frame in frames], self.reading.size)
                stretch.views.append(View(clip, own[:, 2].tolist(), 0))
            self.pending.append(stretch)
        if len(rows) or fresh or len(levels):
            raise ValueError("tubes or frames are left over")
