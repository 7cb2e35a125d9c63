"""Workers on the machines of a Ray cluster, each an actor with cores of its own.

Ray itself gives nobody a task twice here: its data sets repeat the work of a worker that dies without an end, so that
one poisonous video would kill worker after worker. Who is tried again, and how often, is decided by our schedule.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from chronomask.errors import InputError
from chronomask.fleet.task import Job, Outcome, Task, do
from chronomask.fleet.workers import MOST_FAILURES, Report
from chronomask.heap import share_heap
from chronomask.segmenter.segmenter import Segmenter

_ASK_SECONDS = 2.0
"""Between two questions to a worker how far it is."""


class Actor:
    """The life of a worker in a cluster. It answers how far it is while it works, in a thread of its own."""

    def __init__(self, job: Job, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        share_heap()
        self._job = job
        self._segmenter: Segmenter | None = None
        self._told = (0, 0)

    def open(self) -> str:
        """Opens the model; what is wrong with it, if anything is."""
        try:
            self._segmenter = self._job.opened()
        except InputError as error:
            return str(error)
        return ""

    def do(self, task: Task) -> Outcome:
        assert self._segmenter is not None, "it was opened"
        return do(self._segmenter, self._job, task, self._tell)

    def told(self) -> tuple[int, int]:
        """How many signs of life it gave, and the frames that it told of last."""
        return self._told

    def _tell(self, frames: int) -> None:
        self._told = (self._told[0] + 1, frames)


@dataclass(eq=False)
class _Busy:
    """A worker with a task.

    Attributes:
        actor: the worker.
        task: that it has.
        question: how far it is, where it has not answered yet.
        asked: when it was asked last, on the monotonic clock.
        told: its last answer.
    """

    actor: Any
    task: Task
    question: Any = None
    asked: float = 0.0
    told: tuple[int, int] = (0, 0)


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
        self._actor = ray.remote(num_cpus=threads, max_restarts=0, max_concurrency=2)(Actor)
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, _Busy] = {}
        self._failures = 0

    def free(self) -> int:
        return len(self._idle)

    def give(self, task: Task) -> None:
        actor = self._idle.pop()
        self._busy[actor.do.remote(task)] = _Busy(actor, task)

    def reports(self, seconds: float) -> list[Report]:
        self._grow()
        ready, _ = self._ray.wait([*self._starting, *self._busy], num_returns=1, timeout=seconds)
        reports = [self._report(answer) for answer in ready]
        return [*(report for report in reports if report is not None), *self._standing()]

    def end(self, task: Task) -> None:
        answer = next(answer for answer, busy in self._busy.items() if busy.task == task)
        self._ray.kill(self._busy.pop(answer).actor)

    def close(self) -> None:
        for actor in (*self._starting.values(), *self._idle, *(busy.actor for busy in self._busy.values())):
            self._ray.kill(actor)
        self._ray.shutdown()

    def _standing(self) -> Iterator[Report]:
        """How far workers are that have come on since they were asked last; asks again."""
        asked = {busy.question: busy for busy in self._busy.values() if busy.question is not None}
        answers = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)[0] if asked else []
        for answer in answers:
            busy, asked[answer].question = asked[answer], None
            try:
                told = self._ray.get(answer)
            except self._ray.exceptions.RayError:
                continue  # it is lost, and its task says so
            if told != busy.told:
                busy.told = told
                yield Report(busy.task, told[1])
        now = time.monotonic()
        for busy in self._busy.values():
            if busy.question is None and now - busy.asked > _ASK_SECONDS:
                busy.question, busy.asked = busy.actor.told.remote(), now

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
        busy = self._busy.pop(answer)
        self._idle.append(busy.actor)
        return Report(busy.task, said.frames, said)

    def _lost(self, answer: Any, reason: str) -> Report | None:
        """A worker has died, or cannot be reached: then it is ended, for its task goes to another."""
        last = next((line.strip() for line in reversed(reason.splitlines()) if line.strip()), "no reason is known")
        if answer in self._starting:
            self._ray.kill(self._starting.pop(answer))
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                raise InputError(f"ray: no worker can begin: {last}")
            return None
        busy = self._busy.pop(answer)
        self._ray.kill(busy.actor)
        about = last.partition("Some common causes")[0].strip()
        return Report(busy.task, outcome=Outcome(error=f"the worker was lost: {about}", again=True))
