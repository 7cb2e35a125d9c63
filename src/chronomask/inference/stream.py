"""Everything that one video in progress needs, in memory that does not grow with its length.

Legend: T frames of a clip, H W pixels of the source, h w stride-4 cells.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import torch

from chronomask.inference.clips import Reading
from chronomask.inference.memory import Look, Remembered
from chronomask.inference.snapshot import Snapshot
from chronomask.inference.stitch import Stitcher
from chronomask.inference.tracks import TrackSummary


@dataclass(eq=False)
class PendingFrame:
    """A frame that the network has seen.

    Attributes:
        index: its number in the video.
        time: at which it is shown, in seconds.
        painted: its track ids so far, as soon as a worker has painted them; "H W".
    """

    index: int
    time: float
    painted: Future[np.ndarray]


@dataclass(eq=False)
class Stream:
    """The state of one video in progress, bounded by the clip length but for one summary a track.

    Attributes:
        stitcher: gives tubes their track ids.
        reading: how far the frames are read: some clips ahead of everything else, unless the source is live.
        batches: how many frames the last clips added, each, as far as features of them are left.
        pending: frames seen but not handed out, at most T.
        due: how many of the pending frames are final.
        finished: frames handed out.
        tracks: by id.
    """

    stitcher: Stitcher
    reading: Reading = field(default_factory=Reading)
    batches: deque[int] = field(default_factory=deque)
    pending: deque[PendingFrame] = field(default_factory=deque)
    due: int = 0
    finished: int = 0
    tracks: dict[int, TrackSummary] = field(default_factory=dict)

    def note_batch(self, frames: int, length: int) -> None:
        """Remembers the size of a batch, and forgets those from which no feature of the last T = `length` is left."""
        self.batches.append(frames)
        while sum(self.batches) - self.batches[0] >= length:
            self.batches.popleft()

    def snapshot(self, settings: str) -> Snapshot:
        """The state as of the last clip: frames that wait are not in it."""
        height, width = self.reading.size or (0, 0)
        labels = [frame.painted.result() for frame in self.pending]
        recent, tracks = self.stitcher.recent, list(self.tracks.values())
        memory = self.stitcher.memory.tracks
        no_vectors = np.zeros((0, 0), np.float32)
        return Snapshot(
            settings=settings,
            height=height,
            width=width,
            position=self.finished + len(self.pending),
            batches=np.array(self.batches, np.int64),
            pending_index=np.array([frame.index for frame in self.pending], np.int64),
            pending_time=np.array([frame.time for frame in self.pending], np.float64),
            pending_labels=_stacked(labels, np.zeros((0, height, width), np.int16)),
            recent=np.zeros((0, 0, 0), np.int64) if recent is None else recent.numpy(),
            next_id=self.stitcher.next_id,
            memory_seen=np.array([(i, track.last) for i, track in memory.items()], np.int64).reshape(-1, 2),
            memory_place=np.array([(*track.end, track.area) for track in memory.values()], np.float64).reshape(-1, 3),
            memory_feature=_stacked([track.look.feature for track in memory.values()], no_vectors),
            memory_classes=_stacked([track.look.classes for track in memory.values()], no_vectors),
            track_ids=np.array([track.id for track in tracks], np.int64),
            class_evidence=_stacked([track.class_evidence for track in tracks], no_vectors),
            object_evidence=np.array([track.object_evidence for track in tracks], np.float64),
            pixels=np.array([track.pixels for track in tracks], np.float64),
        )

    @classmethod
    def restored(cls, snapshot: Snapshot, stitcher: Stitcher) -> Stream:
        """The stream of a snapshot; features are still missing. The stitcher is a fresh one."""
        stitcher.next_id = snapshot.next_id
        stitcher.seen = snapshot.position
        if len(snapshot.recent):
            stitcher.recent = torch.from_numpy(snapshot.recent)
        for (number, last), (y, x, area), feature, classes in zip(
            snapshot.memory_seen.tolist(),
            snapshot.memory_place.tolist(),
            snapshot.memory_feature,
            snapshot.memory_classes,
            strict=True,
        ):
            stitcher.memory.tracks[number] = Remembered(Look(feature, classes), last, (y, x), area)
        pending = zip(snapshot.pending_index, snapshot.pending_time, snapshot.pending_labels, strict=True)
        summaries = zip(
            snapshot.track_ids, snapshot.class_evidence, snapshot.object_evidence, snapshot.pixels, strict=True
        )
        return cls(
            stitcher,
            Reading((snapshot.height, snapshot.width) if snapshot.position else None),
            batches=deque(snapshot.batches.tolist()),
            pending=deque(PendingFrame(int(i), float(time), _done(x)) for i, time, x in pending),
            finished=snapshot.finished,
            tracks={int(i): TrackSummary(int(i), classes, float(o), float(p)) for i, classes, o, p in summaries},
        )


def _done(painted: np.ndarray) -> Future[np.ndarray]:
    """What needs no more work."""
    future: Future[np.ndarray] = Future()
    future.set_result(painted)
    return future


def _stacked(arrays: list[np.ndarray], if_none: np.ndarray) -> np.ndarray:
    return np.stack(arrays) if arrays else if_none
