"""Frames of a running segmentation laid down on disk, to be read again by frame or by track.

Legend: K tracks of a frame, H W pixels.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Bool, Int64

from chronomask import rle
from chronomask.rle import Rle
from chronomask.structures import FrameResult

_SCHEMA = """
    PRAGMA journal_mode = OFF;  -- the file is thrown away after a crash, so nothing needs to survive one
    PRAGMA synchronous = OFF;
    CREATE TABLE frames (position INTEGER PRIMARY KEY, source_index INTEGER, time REAL);
    CREATE TABLE masks (track INTEGER, position INTEGER, place INTEGER, counts TEXT, PRIMARY KEY (track, position))
        WITHOUT ROWID;  -- kept in the order of tracks, so that a track is one stretch of the file
    CREATE INDEX by_frame ON masks (position, place);
"""


@dataclass(frozen=True, eq=False)
class SpooledFrame:
    """A frame read back.

    Attributes:
        index: number of the frame in its source.
        time: presentation time in seconds.
        track_ids: in the order in which they were added.
        masks: one a track.
    """

    index: int
    time: float
    track_ids: Int64[np.ndarray, " K"]
    masks: Bool[np.ndarray, "K H W"]


class Spool:
    """Run lengths of all frames in a temporary file: memory does not grow with the length of the video.

    The file is a SQLite database, because the second pass of the overlay reads it frame by frame, while tracks.json
    needs it track by track. Use it as a context manager; the file goes when the block ends, at the latest with
    the object.

        with Spool() as spool:
            for result in segmenter.segment(source):
                spool.add(result)
            for frame in spool: ...
            for track_id in spool.track_ids(): spool.segmentations(track_id)
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        """Open an empty spool.

        Args:
            folder: where the temporary file lies, the system's place for such files by default. Name one on a disk
                where that place is kept in memory.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="chronomask-", dir=folder)
        # A page may add frames in one thread and read them in another, one after the other.
        self._database = sqlite3.connect(
            Path(self._folder.name) / "spool.db", isolation_level=None, check_same_thread=False
        )
        self._database.executescript(_SCHEMA)
        # One transaction, never committed to: each frame on its own would cost a file operation.
        self._database.execute("BEGIN")
        self._length = 0
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of frames added."""
        return self._length

    def __iter__(self) -> Iterator[SpooledFrame]:
        """All frames in the order they were added; may be started again as often as wanted."""
        for position in range(self._length):
            yield self[position]

    def __getitem__(self, position: int) -> SpooledFrame:
        """The frame added as number `position`, from 0.

        Raises:
            IndexError: there is none.
        """
        if not 0 <= position < self._length:
            raise IndexError(f"frame {position} of {self._length}")
        index, time = self._database.execute(
            "SELECT source_index, time FROM frames WHERE position = ?", (position,)
        ).fetchone()
        rows = self._database.execute(
            "SELECT track, counts FROM masks WHERE position = ? ORDER BY place", (position,)
        ).fetchall()
        masks = np.zeros((len(rows), *self._known_size()), dtype=bool)
        for place, (_, counts) in enumerate(rows):
            masks[place] = rle.decode(self._rle(counts))
        return SpooledFrame(index, time, np.array([track for track, _ in rows], dtype=np.int64), masks)

    def add(self, result: FrameResult) -> None:
        """Lay down the next frame.

        Raises:
            ValueError: masks of another size than the frames before, or a track twice in the frame.
        """
        size = (result.masks.shape[1], result.masks.shape[2])
        if self._size not in (None, size):
            raise ValueError(f"frame {result.index} has masks of {size}, frames before it {self._size}")
        ids = [int(track) for track in result.track_ids]
        if len(set(ids)) != len(ids):
            raise ValueError(f"frame {result.index} holds a track twice: {ids}")
        self._size = size
        self._database.execute("INSERT INTO frames VALUES (?, ?, ?)", (self._length, result.index, result.time))
        self._database.executemany(
            "INSERT INTO masks VALUES (?, ?, ?, ?)",
            [
                (track, self._length, place, rle.encode(mask)["counts"])
                for place, (track, mask) in enumerate(zip(ids, result.masks, strict=True))
            ],
        )
        self._length += 1

    def track_ids(self) -> tuple[int, ...]:
        """Ids of all tracks, ascending."""
        return tuple(track for (track,) in self._database.execute("SELECT DISTINCT track FROM masks ORDER BY track"))

    def segmentations(self, track_id: int) -> list[Rle | None]:
        """One entry a frame added, None where the track is not in it; all None for an unknown id."""
        entries: list[Rle | None] = [None] * self._length
        for position, counts in self._database.execute(
            "SELECT position, counts FROM masks WHERE track = ?", (track_id,)
        ):
            entries[position] = self._rle(counts)
        return entries

    def close(self) -> None:
        """Remove the file. Closing twice is allowed."""
        self._database.close()
        self._folder.cleanup()

    def _known_size(self) -> tuple[int, int]:
        assert self._size is not None, "a spool that holds a frame knows its size"
        return self._size

    def _rle(self, counts: str) -> Rle:
        return Rle(size=list(self._known_size()), counts=counts)
