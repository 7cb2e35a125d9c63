"""Workers that are processes of this machine. One that dies takes its own video with it, and no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple, Protocol, runtime_checkable

from chronomask.errors import InputError
from chronomask.fleet.task import Job, Outcome, Task, do
from chronomask.heap import share_heap

MOST_FAILURES = 5
"""Workers in a row that die before they can begin, after which no video is to blame."""

_BURIAL = 5.0
"""Seconds for a killed process to go: one that waits for a lost disk stays, and nobody waits for it."""


class Report(NamedTuple):
    """What a worker says of its task: also where nothing has come on, as a sign of life.

    Attributes:
        frames: done so far.
        outcome: of the task, when it has ended.
    """

    task: Task
    frames: int = 0
    outcome: Outcome | None = None


@runtime_checkable
class Workers(Protocol):
    """Some workers, wherever they are. Closed by who made them."""

    def free(self) -> int:
        """How many could begin a task now."""
        ...

    def give(self, task: Task) -> None:
        """Hands a task to one that is free."""
        ...

    def reports(self, seconds: float) -> Sequence[Report]:
        """What they say, as soon as one of them says something, or after so many seconds.

        Raises:
            InputError: no worker can begin, as with a model that cannot be used.
        """
        ...

    def end(self, task: Task) -> None:
        """Ends the worker that has a task, of which nothing more is reported; another one takes its place."""
        ...

    def close(self) -> None:
        """Ends all of them at once."""
        ...


@dataclass(eq=False)
class _Process:
    process: BaseProcess
    connection: Connection
    task: Task | None = None
    ready: bool = False


class LocalWorkers:
    """So many processes, each with its share of the cores. One that has died is replaced when there is work for it."""

    def __init__(self, job: Job, count: int, threads: int) -> None:
        self._job, self._count, self._threads = job, count, threads
        self._context = multiprocessing.get_context("spawn")  # engines do not survive a fork
        self._processes: list[_Process] = []
        self._failures = 0

    def free(self) -> int:
        return self._count - sum(one.task is not None for one in self._processes)

    def give(self, task: Task) -> None:
        one = next((one for one in self._processes if one.task is None), None) or self._started()
        one.task = task
        with suppress(OSError):  # it died since: `reports` finds that out
            one.connection.send(task)

    def reports(self, seconds: float) -> list[Report]:
        there = {one.connection: one for one in self._processes}
        found = [self._report(there[connection]) for connection in wait(list(there), seconds)]  # ty: ignore[invalid-argument-type]
        return [report for report in found if report is not None]

    def end(self, task: Task) -> None:
        one = next(one for one in self._processes if one.task == task)
        one.process.kill()
        self._buried(one)

    def close(self) -> None:
        for one in self._processes:
            one.process.kill()  # whatever it does, the next run goes on behind it
        while self._processes:
            self._buried(self._processes[0])

    def _report(self, one: _Process) -> Report | None:
        try:
            said = one.connection.recv()
        except (EOFError, OSError):
            return self._died(one)
        if isinstance(said, InputError):
            raise said
        task, one.ready, self._failures = one.task, True, 0
        assert task is not None, "it speaks of what it was given"
        if not isinstance(said, Outcome):
            return Report(task, said)
        one.task = None
        return Report(task, said.frames, said)

    def _died(self, one: _Process) -> Report | None:
        """What comes of the task of a process that is gone, where it had one."""
        death = self._buried(one)
        if one.task is None:
            return None
        if one.ready:
            return Report(one.task, outcome=Outcome(error=f"the process that worked on it {death}", again=True))
        self._failures += 1
        if self._failures == MOST_FAILURES:
            hint = 'a script that calls `batch` must do so below `if __name__ == "__main__":`'
            raise InputError(f"no worker can begin: the process {death} ({hint})")
        self.give(one.task)
        return None

    def _started(self) -> _Process:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._job, self._threads), daemon=True)
        with _without_ctrl_c():
            process.start()
        theirs.close()  # so that ours ends with the process
        self._processes.append(_Process(process, ours))
        return self._processes[-1]

    def _buried(self, one: _Process) -> str:
        """Takes a dead process out; how it died."""
        self._processes.remove(one)
        one.connection.close()
        one.process.join(_BURIAL)
        return death_of(one.process.exitcode or 0)


@contextmanager
def _without_ctrl_c() -> Generator[None, None, None]:
    """What is started in the block never hears of Ctrl-C, which goes to all processes: the first one decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def death_of(code: int) -> str:
    """What an exit code says."""
    if code >= 0:
        return f"ended with exit code {code}"
    hint = ", perhaps for want of memory" if -code == getattr(signal, "SIGKILL", 9) else ""
    return f"was killed by {signal.Signals(-code).name}{hint}"


def _work(connection: Connection, job: Job, threads: int) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be kept away from the beginning
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    share_heap()
    try:
        segmenter = job.opened()
    except InputError as error:
        connection.send(InputError(str(error)))
        return
    while True:
        connection.send(do(segmenter, job, connection.recv(), connection.send))


def _end_with_parent() -> None:
    """A worker of a batch that was killed must not go on behind its back."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are started by a batch"
    wait([parent.sentinel])
    os._exit(1)
