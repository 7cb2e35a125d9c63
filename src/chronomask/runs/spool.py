"""Frames of a running segmentation laid down on disk, to be read again by frame or by track.

Legend: K tracks of a frame, H W pixels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar, overload

from chronomask.errors import InputError
from chronomask.outputs.frames import CodedFrame, DecodedFrame
from chronomask.results import FrameResult
from chronomask.rle import Rle
from chronomask.runs.spool_file import FRAME, MASKS, SCHEMA, STRETCH, Database, checksum, full_disk_named

_THROWN_AWAY = """
    PRAGMA journal_mode = OFF;  -- the file is thrown away after a crash, so nothing needs to survive one
    PRAGMA synchronous = OFF;
"""


class SpooledMasks(Sequence[Rle | None]):
    """The masks of a track in a spool, read when they are looked at: those of an hour would take megabytes.

    Args:
        spool: stays open for as long as masks are looked at.
        track_id: of the track.
    """

    _AT_ONCE = 500

    def __init__(self, spool: Spool, track_id: int) -> None:
        self._spool, self._track_id = spool, track_id
        self._start, self._known = 0, list[Rle | None]()

    def __len__(self) -> int:
        return len(self._spool)

    @overload
    def __getitem__(self, frame: int) -> Rle | None: ...
    @overload
    def __getitem__(self, frame: slice) -> list[Rle | None]: ...
    def __getitem__(self, frame: int | slice) -> Rle | list[Rle | None] | None:
        if isinstance(frame, slice):
            return [self[place] for place in range(len(self))[frame]]
        if not self._start <= frame < self._start + len(self._known):
            place = range(len(self))[frame]
            self._start = place - place % self._AT_ONCE
            self._known = self._spool.stretch(self._track_id, self._start, self._AT_ONCE)
            frame = place
        return self._known[frame - self._start]

    def __iter__(self) -> Iterator[Rle | None]:
        """In half the time that it takes to ask for one after the other."""
        for start in range(0, len(self), self._AT_ONCE):
            yield from self._spool.stretch(self._track_id, start, self._AT_ONCE)

    def __eq__(self, other: object) -> bool:
        """Whether it holds the same masks, in whatever kind of list."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # as a list


SpoolType = TypeVar("SpoolType", bound="Spool")


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

    timed = True

    def __init__(self, folder: str | Path | None = None) -> None:
        """Open an empty spool.

        Args:
            folder: where the temporary file lies, the system's place for such files by default. Name one on a disk
                where that place is kept in memory.

        Raises:
            InputError: there is no such folder.
        """
        if folder is not None and not Path(folder).is_dir():
            raise InputError(f"{folder}: no such folder, for temporary files")
        self._folder = tempfile.TemporaryDirectory(prefix="chronomask-", dir=folder)
        self._length, self._checksum = 0, 0
        self._size: tuple[int, int] | None = None
        self._database = Database(Path(self._folder.name) / "spool.db")
        self._database.run_script(_THROWN_AWAY + SCHEMA)
        # One transaction, never committed to: each frame on its own would cost a file operation.
        self._database.execute("BEGIN")

    def __enter__(self: SpoolType) -> SpoolType:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of frames added."""
        return self._length

    def __iter__(self) -> Iterator[DecodedFrame]:
        """All frames in the order they were added; may be started again as often as wanted."""
        for position in range(self._length):
            yield self[position]

    def __getitem__(self, position: int) -> DecodedFrame:
        """The frame added as number `position`, from 0.

        Raises:
            IndexError: there is none.
        """
        return self.frame(position)

    def frame(self, position: int, tracks: Collection[int] | None = None) -> DecodedFrame:
        """As by brackets, but with the masks of some tracks alone, so that no others need to be made.

        Raises:
            IndexError: there is no such frame.
        """
        return self.coded(position, tracks).decoded(self._known_size())

    def coded(self, position: int, tracks: Collection[int] | None = None) -> CodedFrame:
        """As `frame`, for who needs no pixels.

        Raises:
            IndexError: there is no such frame.
        """
        if not 0 <= position < self._length:
            raise IndexError(f"frame {position} of {self._length}")
        [(index, time)] = self._database.execute(FRAME, (position,))
        rows = self._database.execute(MASKS, (position,))
        size = list(self._known_size())
        wanted = ((track, counts) for track, counts in rows if tracks is None or track in tracks)
        return CodedFrame(index, time, {track: Rle(size=size, counts=counts) for track, counts in wanted})

    def add(self, result: FrameResult) -> None:
        """Lay down the next frame.

        Raises:
            ValueError: masks of another size than the frames before.
            OSError: the disk is full (ENOSPC).
        """
        size = result.masks.size
        if self._size not in (None, size):
            raise ValueError(f"frame {result.index} is of size {size}, frames before it {self._size}")
        self._size = size
        coded = enumerate(zip(result.tracks, result.masks.codes, strict=True))
        rows = [(info.id, self._length, place, code["counts"]) for place, (info, code) in coded]
        with full_disk_named():
            self._database.execute("INSERT INTO frames VALUES (?, ?, ?)", (self._length, result.index, result.time))
            self._database.execute_many("INSERT INTO masks VALUES (?, ?, ?, ?)", rows)
        self._checksum = checksum(self._checksum, result.index, result.time, [(row[0], row[3]) for row in rows])
        self._length += 1

    @property
    def folder(self) -> Path:
        """Where the temporary file lies; all in it goes with it."""
        return Path(self._folder.name)

    def track_ids(self) -> tuple[int, ...]:
        """Ids of all tracks, ascending."""
        return tuple(track for (track,) in self._database.execute("SELECT DISTINCT track FROM masks ORDER BY track"))

    def rename(self, ids: Mapping[int, int]) -> None:
        """Gives tracks the ids of others, which are seen in other frames.

        A `KeptSpool` that is not saved afterwards forgets it when it is closed: a run goes on with the old ids.
        """
        with full_disk_named():
            # Of two masks in one frame, which there are not, the one that has the id would stay.
            self._database.execute_many(
                "UPDATE OR IGNORE masks SET track = ? WHERE track = ?", [(new, old) for old, new in ids.items()]
            )

    def segmentations(self, track_id: int) -> SpooledMasks:
        """One entry a frame added, None where the track is not in it; all None for an unknown id."""
        return SpooledMasks(self, track_id)

    def stretch(self, track_id: int, start: int, count: int) -> list[Rle | None]:
        """Some of these entries, from number `start` on."""
        masks: list[Rle | None] = [None] * max(0, min(count, self._length - start))
        for position, counts in self._database.execute(STRETCH, (track_id, start, start + count - 1)):
            masks[position - start] = Rle(size=list(self._known_size()), counts=counts)
        return masks

    def close(self) -> None:
        """Remove the file. Closing twice is allowed."""
        self._database.close()
        self._folder.cleanup()

    def _known_size(self) -> tuple[int, int]:
        assert self._size is not None, "a spool that holds a frame knows its size"
        return self._size
