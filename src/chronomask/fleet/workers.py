"""Workers that are processes of this machine. One that dies takes its own video with it, and no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple, Protocol, runtime_checkable

from chronomask.errors import InputError
from chronomask.fleet.task import Job, Outcome, Task, do
from chronomask.heap import share_heap


class Report(NamedTuple):
    """What a worker says of its task.

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

    def close(self) -> None:
        """Ends all of them at once."""
        ...


@dataclass(eq=False)
class _Process:
    process: BaseProcess
    connection: Connection
    task: Task | None = None


class LocalWorkers:
    """So many processes, each with its share of the cores. One that has died is replaced when there is work for it."""

    def __init__(self, job: Job, count: int, threads: int) -> None:
        self._job, self._count, self._threads = job, count, threads
        self._context = multiprocessing.get_context("spawn")  # engines do not survive a fork
        self._processes: list[_Process] = []

    def free(self) -> int:
        return self._count - sum(one.task is not None for one in self._processes)

    def give(self, task: Task) -> None:
        one = next((one for one in self._processes if one.task is None), None) or self._started()
        one.task = task
        with suppress(OSError):  # it died since: `reports` finds that out
            one.connection.send(task)

    def reports(self, seconds: float) -> list[Report]:
        busy = {one.connection: one for one in self._processes}
        found = []
        for connection in wait(list(busy), seconds):
            one, said = busy[connection], None  # ty: ignore[invalid-argument-type]
            try:
                said = one.connection.recv()
            except (EOFError, OSError):
                said = Outcome(error=self._buried(one), again=True)
            if isinstance(said, InputError):
                raise said
            if one.task is None:
                continue  # it died while nobody needed it
            if isinstance(said, Outcome):
                found.append(Report(one.task, said.frames, said))
                one.task = None
            else:
                found.append(Report(one.task, said))
        return found

    def close(self) -> None:
        for one in self._processes:
            one.process.kill()  # whatever it does, the next run goes on behind it
        while self._processes:
            self._buried(self._processes[0])

    def _started(self) -> _Process:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._job, self._threads), daemon=True)
        process.start()
        theirs.close()  # so that ours ends with the process
        self._processes.append(_Process(process, ours))
        return self._processes[-1]

    def _buried(self, one: _Process) -> str:
        """Takes a dead process out; how it died."""
        self._processes.remove(one)
        one.connection.close()
        one.process.join()
        return f"the process that worked on it {death_of(one.process.exitcode or 0)}"


def death_of(code: int) -> str:
    """What an exit code says."""
    if code >= 0:
        return f"ended with exit code {code}"
    hint = ", perhaps for want of memory" if -code == getattr(signal, "SIGKILL", 9) else ""
    return f"was killed by {signal.Signals(-code).name}{hint}"


def _work(connection: Connection, job: Job, threads: int) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes, and the first one decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    share_heap()
    try:
        segmenter = job.open()
    except InputError as error:
        connection.recv()
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
