"""The one seat of a server: the process that answers at once, of the video that was asked about last."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from chronomask.errors import InputError
from chronomask.web.project import Project
from chronomask.web.seat import AROUND

SEAT = (sys.executable, "-m", "chronomask.web.seat")
"""Answers; see `chronomask.web.seat`."""

_IDLE = 180.0
"""Seconds after which a process that is asked nothing goes, with its memory."""

_LINE = 2**26
"""Bytes of the longest answer."""


class Seats:
    """Hands questions to the process, one at a time.

    Args:
        command: of the process.
        memory: bytes that it may have of its own, of a video that a browser sent.
    """

    def __init__(self, command: Sequence[str], memory: int) -> None:
        self._command, self._memory = command, memory
        self._turn = asyncio.Lock()
        self._for: tuple[str, str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._leaving: asyncio.TimerHandle | None = None

    async def ask(self, project: Project, question: str, frame: int, **more: Any) -> Mapping[str, Any]:
        """What it says of a frame of a project.

        Raises:
            InputError: there is no such frame, or it says why it cannot.
        """
        begin, since = _clip_around(project, frame)
        async with self._turn:
            if self._leaving is not None:
                self._leaving.cancel()
            await self._sit(project)
            answer = await self._answer({"do": question, "frame": frame, "begin": begin, "since": since, **more})
            self._leaving = asyncio.get_running_loop().call_later(_IDLE, self.leave)
        if "error" in answer:
            raise InputError(answer["error"])
        return answer

    def leave(self) -> None:
        """Ends the process, if there is one."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        self._process, self._for = None, None

    async def close(self) -> None:
        """The same, and waits until it is gone."""
        process = self._process
        if self._leaving is not None:
            self._leaving.cancel()
        self.leave()
        if process is not None:
            await process.wait()

    async def _sit(self, project: Project) -> None:
        state = project.state
        wanted = (project.id, state.model)
        if self._for == wanted and self._process is not None and self._process.returncode is None:
            return
        await self.close()
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, limit=_LINE
        )
        self._for = wanted
        request = {"source": state.source, "rate": state.fps, "selection": state.selection, "model": state.model}
        request["memory"] = self._memory if state.own else None
        answer = await self._answer(request)
        if "error" in answer:
            await self.close()
            raise InputError(answer["error"])

    async def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process is not None, "somebody sits"
        assert self._process.stdin is not None, "it is a pipe"
        assert self._process.stdout is not None, "it is a pipe"
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            await self.close()
            raise InputError("the model crashed over this frame; it is too large for this machine, or damaged")
        return json.loads(line)


def _clip_around(project: Project, frame: int) -> tuple[int, float]:
    """Number of the first frame of the clip around a frame, and seconds from frame 0 to it."""
    if not project.state.plays or not project.times.is_file():
        raise InputError(f"{project.state.name}: is being prepared")
    shown = np.fromfile(os.fspath(project.times), "<f8").reshape(2, -1)[0]
    if not 0 <= frame < len(shown):
        raise InputError(f"frame {frame}: the video has {len(shown)}, counted from 0")
    begin = max(0, frame - AROUND)
    return begin, float(shown[begin] - shown[0])
