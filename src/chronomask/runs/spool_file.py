"""How a spool lies in its file, which is a SQLite database."""

from __future__ import annotations

import errno
import sqlite3
import threading
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
    CREATE TABLE frames (position INTEGER PRIMARY KEY, source_index INTEGER, time REAL);
    CREATE TABLE masks (track INTEGER, position INTEGER, place INTEGER, counts TEXT, PRIMARY KEY (track, position))
        WITHOUT ROWID;  -- kept in the order of tracks, so that a track is one stretch of the file
    CREATE INDEX by_frame ON masks (position, place);
"""

FRAME = "SELECT source_index, time FROM frames WHERE position = ?"
MASKS = "SELECT track, counts FROM masks WHERE position = ? ORDER BY place"
STRETCH = "SELECT position, counts FROM masks WHERE track = ? AND position BETWEEN ? AND ?"

_CACHE = 512
"""KiB of pages that are kept, enough for the ends of all tracks: a long video fills the 2,000 of SQLite."""


class Database:
    """A connection that any thread may use.

    Python's own crashes the process when one thread closes it while another reads: whoever draws reads frames in a
    thread of its own, which may still be at it when an error ends the run.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE}")

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """The rows of one statement, all at once."""
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._lock:
            self._connection.executemany(statement, rows)

    def run_script(self, script: str) -> None:
        with self._lock:
            self._connection.executescript(script)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def checksum(before: int, index: int, time: float, masks: Sequence[tuple[int, str]]) -> int:
    """Of a frame and all before it."""
    return zlib.crc32(repr((int(index), float(time), masks)).encode(), before)


@contextmanager
def full_disk_named() -> Generator[None, None, None]:
    """SQLite's message for a full disk as the error that everybody else raises."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" not in str(error):
            raise
        raise OSError(errno.ENOSPC, "no space left for the masks of the frames so far") from error
