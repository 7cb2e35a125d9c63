"""Threads that share a processor well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import IntEnum
from itertools import count
from queue import PriorityQueue
from typing import Any, TypeVar

import torch

_Result = TypeVar("_Result")
_Task = list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]]

MOST = 8
"""Threads. A guess: with more of them the bandwidth of the memory, not the number of cores, should be the limit."""


class Urgency(IntEnum):
    """What is begun first: what somebody waits for before what is done ahead."""

    PAINTING = 0
    CLIP = 1
    FRAME = 2


class Workers:
    """Threads whose tensor operations use one core each; on a graphics card there is one, which feeds the card.

    Frames and clips are independent, so that every core has one of its own to work on. The cores could share every
    operation instead, as PyTorch does by default; but then they wait for each other thousands of times a second, and
    whatever else runs on one of them delays all. Results do not depend on the number of cores, either.

    Of the tasks that wait, the most urgent one is begun first, and of equally urgent ones the first. So a task may wait
    for the result of an earlier one of its own urgency; one that needs a less urgent task has to say so by `after`.

    Attributes:
        count: of the threads.
    """

    def __init__(self, device: torch.device) -> None:
        cores = torch.get_num_threads()
        self.count = min(cores, MOST) if device.type == "cpu" else 1
        self._waiting: PriorityQueue[tuple[Urgency, int, _Task]] = PriorityQueue()
        self._numbers = count()
        self._pool = ThreadPoolExecutor(self.count, "chronomask", _on_one_core)
        # All are started at once: what one thread sets is also what those that come later begin with.
        started = threading.Barrier(self.count + 1, timeout=60)
        for _ in range(self.count):
            self._pool.submit(started.wait)
        try:
            started.wait()
        finally:
            torch.set_num_threads(cores)

    def submit(
        self, urgency: Urgency, function: Callable[..., _Result], *arguments: Any, after: Future[Any] | None = None
    ) -> Future[_Result]:
        """The result of `function(*arguments)`, in inference mode, in one of the threads.

        Args:
            after: a result that the task needs: it is not begun before that is there.
        """
        result: Future[_Result] = Future()
        task = (urgency, next(self._numbers), [(result, function, arguments)])
        if after is None:
            self._waiting.put(task)
        else:
            after.add_done_callback(lambda _: self._waiting.put(task))
        self._pool.submit(self._work)
        return result

    def _work(self) -> None:
        """Does one task: there is a call of this for each, but not for which."""
        _fulfil(self._waiting.get()[2])


def _fulfil(task: _Task) -> None:
    """Does the only task of the list, and takes it out: callbacks and tracebacks keep the list, but not its tensors."""
    result, function, arguments = task.pop()
    try:
        with torch.inference_mode():
            result.set_result(function(*arguments))
    except BaseException as error:  # for whoever asks for the result
        result.set_exception(error)
        del result, arguments  # which the error would keep, and the result the error


def _on_one_core() -> None:
    torch.get_num_threads()  # takes up the common setting, which a thread does once, and later would undo the next line
    torch.set_num_threads(1)
