"""Threads that share a processor well."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import IntEnum
from itertools import count
from queue import PriorityQueue
from typing import Any, TypeVar

from chronomask.engines.engine import Engine

_Result = TypeVar("_Result")
_Task = list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]]


class Urgency(IntEnum):
    """What is begun first: what somebody waits for before what is done ahead."""

    PAINTING = 0
    CLIP = 1
    FRAME = 2


class Workers:
    """Threads that call an engine, which uses one core in each; on a graphics card there is one, which feeds the card.

    Frames and clips are independent, so that every core has one of its own to work on. The cores could share every
    operation instead; but then they wait for each other thousands of times a second, and whatever else runs on one of
    them delays all. Results do not depend on the number of cores, either.

    Of the tasks that wait, the most urgent one is begun first, and of equally urgent ones the first. So a task may wait
    for the result of an earlier one of its own urgency; one that needs a less urgent task has to say so by `after`.

    Args:
        engine: says how many threads there shall be.
    """

    def __init__(self, engine: Engine) -> None:
        self._waiting: PriorityQueue[tuple[Urgency, int, _Task]] = PriorityQueue()
        self._numbers, self._process = count(), os.getpid()
        self._pool = ThreadPoolExecutor(engine.threads, "chronomask", engine.prepare_thread)
        # All are started at once: what one thread sets may be what those that come later begin with.
        started = threading.Barrier(engine.threads + 1, timeout=60)
        for _ in range(engine.threads):
            self._pool.submit(started.wait)
        started.wait()
        engine.threads_ready()

    def submit(
        self, urgency: Urgency, function: Callable[..., _Result], *arguments: Any, after: Sequence[Future[Any]] = ()
    ) -> Future[_Result]:
        """The result of `function(*arguments)`, in one of the threads.

        Args:
            after: results that the task waits for: it is not begun before they are there.

        Raises:
            RuntimeError: the threads stayed behind in another process, and nothing would ever be done.
        """
        self.check_process()
        result: Future[_Result] = Future()
        task = (urgency, next(self._numbers), [(result, function, arguments)])
        self._queue(task, iter(after))
        self._pool.submit(self._work)
        return result

    def _queue(self, task: tuple[Urgency, int, _Task], awaited: Iterator[Future[Any]]) -> None:
        """Lets a task be begun as soon as the results that it waits for are there."""
        if (result := next(awaited, None)) is None:
            self._waiting.put(task)
        else:
            result.add_done_callback(lambda _: self._queue(task, awaited))

    def check_process(self) -> None:
        """Raises RuntimeError in a process that is not the one whose threads these are."""
        if os.getpid() != self._process:
            raise RuntimeError("a segmenter does not survive a fork: load one in every process, or start them by spawn")

    def _work(self) -> None:
        """Does the most urgent task. There are as many calls as tasks; no call belongs to a certain one."""
        _fulfil(self._waiting.get()[2])


def _fulfil(task: _Task) -> None:
    """Does the only task of the list, and takes it out: callbacks and tracebacks keep the list, but not its arrays."""
    result, function, arguments = task.pop()
    try:
        result.set_result(function(*arguments))
    except BaseException as error:  # for whoever asks for the result
        result.set_exception(error)
        del result, arguments  # which the error would keep, and the result the error
