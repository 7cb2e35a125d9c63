"""Threads that share a processor well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

_Result = TypeVar("_Result")

MOST = 8
"""Threads. A guess: with more of them the bandwidth of the memory, not the number of cores, should be the limit."""


class Workers:
    """Threads whose tensor operations use one core each; on a graphics card there is one, which feeds the card.

    Frames and clips are independent, so that every core has one of its own to work on. The cores could share every
    operation instead, as PyTorch does by default; but then they wait for each other thousands of times a second, and
    whatever else runs on one of them delays all. Results do not depend on the number of cores, either.

    Tasks are begun in the order in which they were submitted, so that a task may wait for the result of an earlier one.

    Attributes:
        count: of the threads.
    """

    def __init__(self, device: torch.device) -> None:
        cores = torch.get_num_threads()
        self.count = min(cores, MOST) if device.type == "cpu" else 1
        self._pool = ThreadPoolExecutor(self.count, "chronomask", _on_one_core)
        # All are started at once: what one thread sets is also what those that come later begin with.
        started = threading.Barrier(self.count + 1, timeout=60)
        for _ in range(self.count):
            self._pool.submit(started.wait)
        try:
            started.wait()
        finally:
            torch.set_num_threads(cores)

    def submit(self, function: Callable[..., _Result], *arguments: object) -> Future[_Result]:
        """The result of `function(*arguments)`, in inference mode, in one of the threads."""
        return self._pool.submit(torch.inference_mode()(function), *arguments)


def _on_one_core() -> None:
    torch.get_num_threads()  # takes up the common setting, which a thread does once, and later would undo the next line
    torch.set_num_threads(1)
