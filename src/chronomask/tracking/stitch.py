"""From clips to a video: tubes of overlapping clips become tracks.

Legend: T frames of a clip, O frames shared with earlier clips, h w pixels at stride 4, A tracks, K tubes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Int16, Int64

from chronomask.assignment import assign
from chronomask.config import StitchConfig
from chronomask.state import State, nested, part
from chronomask.tracking.memory import Look, TrackMemory, Visit


def overlaps(
    old: Int64[np.ndarray, "O h w"], new: Int16[np.ndarray, "O h w"], ids: Sequence[int], tubes: int
) -> Float[np.ndarray, "A K"]:
    """IoU on the shared frames of every track of `ids`, which ascend (rows), with every new tube (columns)."""
    pairs = np.searchsorted([0, *ids], old) * (tubes + 1) + new
    counts = np.bincount(pairs.ravel(), minlength=(len(ids) + 1) * (tubes + 1)).reshape(len(ids) + 1, tubes + 1)
    shared = counts[1:, 1:]
    union = counts.sum(1)[1:, None] + counts.sum(0)[None, 1:] - shared
    return shared / np.maximum(union, 1)


class Stitcher:
    """Gives every tube its track id, clip after clip.

    Tubes join the tracks of the frames shared with the clips before by an optimal assignment on IoU. One that joins
    none, and covers none, may continue a track that was lost from sight (see `TrackMemory`), or else starts one. In
    the map of tracks that is kept for the next clip, the older clip wins on shared frames, and a tube that continues no
    track of those frames keeps what it left free. What is shown there is the mean of both (`segmenter.found.painted`).
    """

    def __init__(self, config: StitchConfig) -> None:
        self.config = config
        self.memory = TrackMemory(config)
        self.next_id = 1
        self.seen = 0
        self.recent: Int64[np.ndarray, "T h w"] | None = None

    def add(
        self, labels: Int16[np.ndarray, "T h w"], looks: Sequence[Look], visits: Sequence[Visit], shared: int
    ) -> tuple[list[int], set[int]]:
        """Joins one clip.

        Args:
            labels: 0 or k + 1 inside tube k.
            looks: of the K tubes.
            visits: of the K tubes.
            shared: O, how many of its first frames are the last ones of the frames seen so far.

        Returns:
            The track id of every tube, and which of these ids were in none of the shared frames.
        """
        old = None if self.recent is None or not shared else self.recent[-shared:]
        joined, covering = ({}, set()) if old is None else self._joined(old, labels[:shared], looks)
        continued = set(joined.values())
        joined |= self.memory.recall(looks, visits, set(range(len(looks))) - set(joined) - covering, continued)
        for tube in range(len(looks)):
            if tube not in joined:
                joined[tube] = self.next_id
                self.next_id += 1
        ids = [joined[tube] for tube in range(len(looks))]
        for number, look, visit in zip(ids, looks, visits, strict=True):
            self.memory.note(number, look, visit)
        self.seen += len(labels) - shared
        self.memory.forget(self.seen, ids)
        new = set(ids) - continued
        tracks = np.array([0, *ids])[labels]
        if old is not None:
            tracks[:shared] = merge(old, tracks[:shared], new)
        self.recent = tracks
        return ids, new

    def _joined(
        self, old: Int64[np.ndarray, "O h w"], labels: Int16[np.ndarray, "O h w"], looks: Sequence[Look]
    ) -> tuple[dict[int, int], set[int]]:
        """Track ids by tube where a tube joins a track of the shared frames; and the tubes that might join one."""
        known = (np.flatnonzero(np.bincount(old.ravel())[1:]) + 1).tolist()
        iou = overlaps(old, labels, known, len(looks))
        for row, tube in np.argwhere(iou > self.config.minimum_iou):
            # Where an object is hidden, what hides it must not inherit the track.
            if self.memory.likeness(known[row], looks[tube]) < self.config.minimum_likeness:
                iou[row, tube] = 0
        good = iou > self.config.minimum_iou
        joined = {k: known[row] for row, k in assign(iou) if good[row, k]}
        return joined, set(np.flatnonzero(good.any(0)).tolist())

    def state(self) -> State:
        """All of it, for `restore`."""
        recent = np.zeros((0, 0, 0), np.int64) if self.recent is None else self.recent
        numbers = {"next_id": np.array(self.next_id), "seen": np.array(self.seen)}
        return {**numbers, "recent": recent, **nested("memory", self.memory.state())}

    def restore(self, state: State) -> None:
        """Puts the stitcher where it was."""
        self.next_id, self.seen = int(state["next_id"]), int(state["seen"])
        self.recent = state["recent"] if len(state["recent"]) else None
        self.memory.restore(part(state, "memory"))


def merge(
    older: Int[np.ndarray, "*shape"], newer: Int[np.ndarray, "*shape"], new: set[int]
) -> Int[np.ndarray, "*shape"]:
    """Track ids on shared frames: the older clip's, and new tracks on the pixels that it left free."""
    return np.where((older == 0) & np.isin(newer, sorted(new)), newer, older)
