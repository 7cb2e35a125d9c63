"""A list that grows line by line in a file, and of which no line is lost or halved whenever the process is killed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chronomask.errors import InputError
from chronomask.runs.kept_spool import difference


class Log:
    """Entries that json can hold, each behind a checksum; the first line says what they depend on.

    Attributes:
        entries: those that earlier runs wrote.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], overwrite: bool) -> None:
        """Opens the log, or begins it where there is none. A last line that was being written is cut off.

        Args:
            path: of the file; its folder exists.
            header: what the entries depend on (source, weights, settings).
            overwrite: begin anew where the log has another header.

        Raises:
            InputError: the log has another header, and `overwrite` is not said; or it is damaged.
        """
        lines, whole = read_lines(path)
        now = json.loads(json.dumps(header))
        if lines and lines[0] != now:
            if not overwrite:
                raise InputError(f"{path}: {difference(lines[0], now)}; give the same, or start anew by --overwrite")
            lines, whole = [], 0
        self.entries = lines[1:]
        self._file = path.open("ab")
        self._file.truncate(whole)
        if not lines:
            self.add(header)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Writes one line, which is there when this returns."""
        text = json.dumps(entry, separators=(",", ":")).encode()
        self._file.write(b"%08x %s\n" % (zlib.crc32(text), text))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """What is in a log, header first, and the bytes of its whole lines; nothing where there is no file.

    Raises:
        InputError: it is damaged.
    """
    entries, whole = [], 0
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        if not line.endswith(b"\n"):
            break  # it was, or is, being written
        text = line[9:-1]
        if line[:9] != b"%08x " % zlib.crc32(text):
            raise InputError(f"{path}: is damaged; delete its folder to start anew")
        entries.append(json.loads(text))
        whole += len(line)
    return entries, whole
