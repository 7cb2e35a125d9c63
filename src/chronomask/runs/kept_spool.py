"""A spool that outlives its process, for a run that goes on where it was killed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chronomask.errors import InputError, refusing
from chronomask.runs.spool import Spool
from chronomask.runs.spool_file import FRAME, MASKS, SCHEMA, Database, checksum, full_disk_named

_KEPT = """
    CREATE TABLE run (description TEXT, height INTEGER, width INTEGER, checksum INTEGER, snapshot BLOB);
"""


class KeptSpool(Spool):
    """A spool in a file of the caller's choice, which outlives the process, even one that is killed.

    When it is opened again it holds the frames up to the last `save`; later ones are gone, and come again when the
    segmentation continues from the snapshot. Closing keeps the file, and drops what was added after the last `save`;
    the caller removes it when the work is done. `chronomask.runs.resume` puts the two together.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: str | Path, description: Mapping[str, Any]) -> None:
        """Open the spool of a run, or begin it where there is no file.

        Args:
            path: of the file; its folder exists. While the spool is open, a journal lies beside it.
            description: what the run depends on (source, weights, settings): anything that json can hold.

        Raises:
            InputError: the file is no such spool, one of a run with another description, or it has changed since it was
                saved.
        """
        # Not what Spool begins with, which is a file to be thrown away.
        self.path, text = Path(path), json.dumps(description, sort_keys=True)
        with refusing(path, "not usable as an interrupted run, start anew by --overwrite"), full_disk_named():
            self._database = Database(self.path)
            try:
                self._open(text)
            except BaseException:
                self._database.close()
                raise

    def _open(self, description: str) -> None:
        if not self._database.execute("SELECT 1 FROM sqlite_master"):
            self._database.run_script(f"BEGIN; {SCHEMA} {_KEPT}")
            self._database.execute("INSERT INTO run VALUES (?, NULL, NULL, 0, NULL)", (description,))
            self._database.execute("COMMIT")
        [(before, height, width, saved, snapshot)] = self._database.execute(
            "SELECT description, height, width, checksum, snapshot FROM run"
        )
        if before != description:
            found = difference(json.loads(before), json.loads(description))
            raise InputError(f"{self.path}: {found}; give the same, or start anew by --overwrite")
        [(self._length,)] = self._database.execute("SELECT COUNT(*) FROM frames")
        self._size, self._checksum = None if height is None else (height, width), self._checksum_again()
        if saved != (0 if snapshot is None else self._sealed(snapshot)):
            raise InputError(f"{self.path}: has changed since it was saved; start anew by --overwrite")
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")  # nobody else may use it, from here to the end
        self._database.execute("BEGIN IMMEDIATE")
        # A damaged file may say that nobody may write to it.
        self._database.execute("UPDATE run SET checksum = checksum")

    def _sealed(self, snapshot: bytes) -> int:
        """The checksum of everything."""
        return zlib.crc32(repr(self._size).encode() + snapshot, self._checksum)

    def _checksum_again(self) -> int:
        """Of all frames, as they are in the file."""
        value = 0
        for position in range(self._length):
            [(index, time)] = self._database.execute(FRAME, (position,))
            value = checksum(value, index, time, self._database.execute(MASKS, (position,)))
        return value

    @property
    def snapshot(self) -> bytes | None:
        """What the last `save` was given; None before the first."""
        [(snapshot,)] = self._database.execute("SELECT snapshot FROM run")
        return snapshot

    def save(self, snapshot: bytes) -> None:
        """Make everything added so far permanent, together with the state that continues behind it.

        Raises:
            OSError: the disk is full (ENOSPC).
        """
        with full_disk_named():
            self._database.execute(
                "UPDATE run SET height = ?, width = ?, checksum = ?, snapshot = ?",
                (*(self._size or (None, None)), self._sealed(snapshot), snapshot),
            )
            self._database.execute("COMMIT")
        self._database.execute("BEGIN")

    def close(self) -> None:
        """Close the file, which stays. Closing twice is allowed."""
        self._database.close()


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first thing in which two runs differ, for a message."""
    key = next(key for key in sorted({*before, *now}) if before.get(key) != now.get(key))
    old, new = before.get(key), now.get(key)
    if isinstance(old, dict) and isinstance(new, dict):
        return f"{key}: {difference(old, new)}"
    return f"the interrupted run had {key} {old!r}, this one has {new!r}"
