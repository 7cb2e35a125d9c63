"""Workers on the machines of a Ray cluster, each an actor with cores of its own.

Ray itself gives nobody a task twice here: its data sets repeat the work of a worker that dies without an end, so that
one poisonous video would kill worker after worker. Who is tried again, and how often, is decided by our schedule.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from chronomask.errors import InputError
from chronomask.fleet.task import Job, Outcome, Task, do
from chronomask.fleet.workers import Report
from chronomask.heap import share_heap
from chronomask.segmenter.segmenter import Segmenter

_MOST_FAILURES = 5
"""Workers in a row that die before they can begin, after which the cluster is to blame."""


class Actor:
    """The life of a worker in a cluster."""

    def __init__(self, job: Job, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        share_heap()
        self._job = job
        self._segmenter: Segmenter | None = None

    def open(self) -> str:
        """Opens the model; what is wrong with it, if anything is."""
        try:
            self._segmenter = self._job.open()
        except InputError as error:
            return str(error)
        return ""

    def do(self, task: Task) -> Outcome:
        assert self._segmenter is not None, "it was opened"
        return do(self._segmenter, self._job, task, lambda frames: None)


class ClusterWorkers:
    """As many actors as the cluster has cores for; more when machines join, and fewer when they leave.

    Args:
        job: its paths must mean the same on all machines.
        address: of the cluster, as `ray.init` takes it, such as "auto" or "host:6379".
        most: workers; None for as many as there is room for.
        threads: cores of each.

    Raises:
        InputError: Ray is not installed, or no cluster answers there.
    """

    def __init__(self, job: Job, address: str, most: int | None, threads: int) -> None:
        try:
            ray: Any = import_module("ray")
        except ModuleNotFoundError as error:
            raise InputError("ray: a cluster needs the package ray: pip install 'chronomask[cluster]'") from error
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"ray {address!r}: {str(error).splitlines()[0]}") from error
        self._ray, self._most, self._threads = ray, most, threads
        self._job = ray.put(job)
        self._actor = ray.remote(num_cpus=threads, max_restarts=0)(Actor)
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, Task]] = {}
        self._failures = 0

    def free(self) -> int:
        return len(self._idle)

    def give(self, task: Task) -> None:
        actor = self._idle.pop()
        self._busy[actor.do.remote(task)] = (actor, task)

    def reports(self, seconds: float) -> list[Report]:
        self._grow()
        ready, _ = self._ray.wait([*self._starting, *self._busy], num_returns=1, timeout=seconds)
        reports = [self._report(answer) for answer in ready]
        return [report for report in reports if report is not None]

    def close(self) -> None:
        for actor in (*self._starting.values(), *self._idle, *(actor for actor, _ in self._busy.values())):
            self._ray.kill(actor)
        self._ray.shutdown()

    def _grow(self) -> None:
        room = int(self._ray.cluster_resources().get("CPU", 0)) // self._threads
        there = len(self._starting) + len(self._idle) + len(self._busy)
        for _ in range(there, room if self._most is None else min(room, self._most)):
            actor = self._actor.remote(self._job, self._threads)
            # It may wait for a machine that has just gone: nobody gives it a task before it has answered.
            self._starting[actor.open.remote()] = actor

    def _report(self, answer: Any) -> Report | None:
        try:
            said = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            return self._lost(answer, str(error))
        if answer in self._starting:
            if said:
                raise InputError(said)
            self._idle.append(self._starting.pop(answer))
            self._failures = 0
            return None
        actor, task = self._busy.pop(answer)
        self._idle.append(actor)
        return Report(task, said.frames, said)

    def _lost(self, answer: Any, reason: str) -> Report | None:
        """A worker has died, or cannot be reached: then it is ended, for its task goes to another."""
        last = next((line.strip() for line in reversed(reason.splitlines()) if line.strip()), "no reason is known")
        if answer in self._starting:
            self._ray.kill(self._starting.pop(answer))
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise InputError(f"ray: no worker can begin: {last}")
            return None
        actor, task = self._busy.pop(answer)
        self._ray.kill(actor)
        about = last.partition("Some common causes")[0].strip()
        return Report(task, outcome=Outcome(error=f"the worker was lost: {about}", again=True))
