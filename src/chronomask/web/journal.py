"""Steps of correction, each on disk before anybody is told that it is saved."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Step = tuple[str, ...]
"""Operations as `editing` spells them, done and undone together."""


@dataclass
class Journal:
    """Steps, and how many of them count: those behind were undone, and can be done again.

    The file is only ever added to, a line a change. A process that is killed in the middle of a line leaves half of it
    at the end, which nobody was told of, and which is dropped.

    Attributes:
        path: of the file.
        steps: all that can be reached by undo and redo.
        done: how many of them count.
        revision: number of changes, ever.
    """

    path: Path
    steps: list[Step] = field(default_factory=list)
    done: int = 0
    revision: int = 0

    @classmethod
    def opened(cls, path: Path) -> Journal:
        """The journal of a file, which need not be there."""
        journal = cls(path)
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        for line in whole.splitlines():
            journal._take(json.loads(line))
        return journal

    def add(self, step: Sequence[str]) -> None:
        """A new step; what was undone before it is gone."""
        self._write({"step": list(step)})

    def undo(self) -> None:
        assert self.done > 0, "the caller asks `done`"
        self._write({"undo": True})

    def redo(self) -> None:
        assert self.done < len(self.steps), "the caller asks `done`"
        self._write({"redo": True})

    def _write(self, change: dict[str, Any]) -> None:
        line = json.dumps(change).encode() + b"\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            before = os.fstat(handle).st_size
            try:
                written = os.write(handle, line)
                if written < len(line):
                    raise OSError(28, "No space left on device", str(self.path))
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)
        self._take(change)

    def _take(self, change: dict[str, Any]) -> None:
        if "step" in change:
            self.steps[self.done :] = [tuple(change["step"])]
            self.done += 1
        else:
            self.done += 1 if "redo" in change else -1
        self.revision += 1
