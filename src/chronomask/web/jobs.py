"""Long work: tasks in child processes, one after the other, with their progress."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Lane = Literal["quick", "copy", "long"]

CHILD = (sys.executable, "-m", "chronomask.web.child")
"""Does a task; see `chronomask.web.child`."""

_PATIENCE = 20.0
"""Seconds that a child has to end by itself after it was asked to."""

_REMEMBERED = 50
"""Jobs that have ended are listed as long as there are not so many newer ones."""

_LINE = 2**24
"""Bytes of the longest line that a child may print."""


@dataclass
class Job:
    """A task.

    Attributes:
        session, project: whose it is.
        kind: of work, for the page: "look", "segment", "draw", ...
        lane: of each, one job runs at a time; so quick work does not wait for long work.
        request: what the child is told.
        then: is given the result of a child, on the server; what it raises fails the job.
        after: is called in the end, however that came.
        task, done, total: what the child does just now, and how far it is.
        result: for the page.
        error: why it failed.
        outcome: how its child ended, if it said so; `state` follows when everything is put in order.
    """

    session: str
    project: str
    kind: str
    lane: Lane
    request: Mapping[str, Any]
    then: Callable[[Any], Any] | None = None
    after: Callable[[], None] | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    task: str = ""
    done: int = 0
    total: int | None = None
    result: Any = None
    error: str = ""
    outcome: State | None = None
    began: float | None = None
    process: asyncio.subprocess.Process | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @property
    def left(self) -> float | None:
        """Seconds, about; None while nobody can know."""
        if self.began is None or not self.total or self.done < 2:
            return None
        return max(0.0, (time.monotonic() - self.began) * (self.total - self.done) / self.done)

    def take(self, message: Mapping[str, Any]) -> None:
        """What a child printed."""
        if "task" in message:
            if message["task"] != self.task:
                self.began = time.monotonic()
            self.task, self.done, self.total = message["task"], message["done"], message["total"]
        elif "result" in message:
            self.result, self.outcome = message["result"], "done"
        elif "error" in message:
            self.error, self.outcome = message["error"], "failed"
        elif "cancelled" in message:
            self.outcome = "cancelled"


class Jobs:
    """All jobs of a server, the oldest first.

    Args:
        command: of the child process.
    """

    def __init__(self, command: Sequence[str] = CHILD) -> None:
        self.all: dict[str, Job] = {}
        self._command = command
        self._runners: set[asyncio.Task] = set()
        self._turns = {lane: asyncio.Lock() for lane in get_args(Lane)}

    def add(self, job: Job) -> Job:
        """Begins it when it is its turn."""
        self.all[job.id] = job
        over = [old.id for old in self.all.values() if old.ended][:-_REMEMBERED]
        for number in over:
            del self.all[number]
        runner = asyncio.create_task(self._run(job))
        self._runners.add(runner)
        runner.add_done_callback(self._runners.discard)
        return job

    def of(self, session: str) -> list[Job]:
        return [job for job in self.all.values() if job.session == session]

    def ahead(self, job: Job) -> int:
        """How many others run or wait before a job that waits."""
        if job.state != "waiting":
            return 0
        others = [other for other in self.all.values() if other.lane == job.lane and not other.ended]
        return others.index(job)

    async def cancel(self, job: Job) -> None:
        """Asks it to end; one that waits ends at once."""
        if job.state == "waiting":
            job.state = "cancelled"
        elif job.process is not None and job.process.returncode is None:
            with suppress(ProcessLookupError):
                job.process.send_signal(signal.SIGINT)
            asyncio.get_running_loop().call_later(_PATIENCE, _kill, job.process)

    async def close(self) -> None:
        """Ends all children."""
        for job in self.all.values():
            if job.process is not None:
                _kill(job.process)
        for runner in list(self._runners):
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)

    async def _run(self, job: Job) -> None:
        try:
            async with self._turns[job.lane]:
                if job.state == "cancelled":
                    return
                job.state, job.task = "running", "starting"
                await self._do(job)
                if job.outcome == "done" and job.then is not None:
                    job.result = job.then(job.result)
        except ValueError as error:  # of what `then` was given
            job.outcome, job.error = "failed", str(error)
        except OSError as error:
            job.outcome, job.error = "failed", f"the results could not be kept: {error.strerror}"
        except Exception as error:
            job.outcome, job.error = "failed", f"the page's server failed: {error!r:.200}"
            raise
        finally:
            job.process = None
            if job.after is not None:
                job.after()
            job.state = job.outcome or "cancelled"
            job.request, job.then, job.after = {}, None, None  # which hold projects

    async def _do(self, job: Job) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe, limit=_LINE, start_new_session=True
        )
        assert process.stdin is not None, "it is a pipe"
        assert process.stdout is not None, "it is a pipe"
        assert process.stderr is not None, "it is a pipe"
        job.process = process
        errors = asyncio.create_task(_tail(process.stderr))
        try:
            process.stdin.write(json.dumps(job.request).encode() + b"\n")
            with suppress(ConnectionError):
                await process.stdin.drain()
            async for line in process.stdout:
                job.take(json.loads(line))
        finally:
            process.stdin.close()
            said = await _over(process, errors)
        if job.outcome is None:  # it ended without a word
            job.outcome, job.error = "failed", _why(process.returncode or 0, said)


async def _over(process: asyncio.subprocess.Process, errors: asyncio.Task[str]) -> str:
    """Waits until a child that has nothing more to say is gone; what it said of its errors."""
    try:
        await asyncio.wait_for(process.wait(), _PATIENCE)
    except BaseException:
        _kill(process)
        await process.wait()
        await errors
        raise
    return await errors


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()


async def _tail(stream: asyncio.StreamReader, length: int = 4000) -> str:
    """The end of what is printed."""
    end = b""
    while piece := await stream.read(65536):
        end = (end + piece)[-length:]
    return end.decode("utf-8", "replace")


def _why(code: int, said: str) -> str:
    if code == -signal.SIGKILL or code == -getattr(signal, "SIGXCPU", 24):
        return "it took longer, or more memory, than is allowed"
    if code < 0:
        return f"the decoder or model crashed (signal {-code}): the file is damaged, or too large for this machine"
    last = next((line for line in reversed(said.splitlines()) if line.strip()), f"exit code {code}")
    return f"it failed: {last}"
