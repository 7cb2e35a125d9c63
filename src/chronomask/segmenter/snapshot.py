"""The state of a segmentation between two clips, small enough to be written down every few seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chronomask import state
from chronomask.errors import refusing
from chronomask.state import State


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What `Segmenter.snapshot` gives and `Segmenter.restore` takes.

    It holds neither pixels nor features: `restore` gets the frames of `replay` again and runs them through the backbone
    in the same batches as before, so that the result equals that of an uninterrupted run to the last bit.

    Attributes:
        settings: of the segmenter, as json.
        stream: of the video in progress.
        where: what messages call it.
    """

    settings: str
    stream: State
    where: str = state.SNAPSHOT

    @property
    def position(self) -> int:
        """Frames taken in; the first frame to push after restoring."""
        return self.finished + len(self.stream["index"])

    @property
    def finished(self) -> int:
        """Frames handed out as final before the snapshot."""
        return int(self.stream["finished"])

    @property
    def replay(self) -> range:
        """Numbers (from 0, in the order in which they came) of the frames `restore` needs: fewer than two clips."""
        return range(self.position - int(self.stream["batches"].sum()), self.position)

    def to_bytes(self) -> bytes:
        """The snapshot as a compressed npz archive."""
        return state.to_bytes({"settings": np.array(self.settings), **state.nested("stream", self.stream)})

    @classmethod
    def from_bytes(cls, data: bytes, where: str = state.SNAPSHOT) -> Snapshot:
        """Inverse of `to_bytes`.

        Raises:
            InputError: the data are no snapshot, or one of another version of this package.
        """
        known = state.from_bytes(data, where)
        with refusing(where):
            snapshot = cls(str(known["settings"]), state.part(known, "stream"), where)
            if snapshot.replay.start < 0:
                raise ValueError("it needs frames from before the first")
        return snapshot
