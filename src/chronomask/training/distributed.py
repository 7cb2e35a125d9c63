"""Several processes, on one machine or on many, that train one network together: started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist
from torch.utils.data import Sampler

from chronomask.device import choose_device
from chronomask.errors import InputError

Result = TypeVar("Result")

PATIENCE = timedelta(hours=2)
"""For one another: the others wait while the first process validates and writes."""


@dataclass(frozen=True)
class Ranks:
    """The processes that train together. Every method must be called by all of them.

    Attributes:
        rank: number of this process.
        count: of processes.
        device: that this process computes on.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files and speaks."""
        return self.rank == 0

    def on_first(self, action: Callable[[], Result]) -> Result:
        """Runs `action` in the first process only; its result, or its exception, reaches all of them."""
        if self.count == 1:
            return action()
        outcome: list[Any] = [None, None]
        if self.first:
            try:
                outcome[0] = action()
            except Exception as error:
                outcome[1] = error
        dist.broadcast_object_list(outcome)
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    def mean(self, values: Tensor) -> Tensor:
        """The mean over the processes of a tensor on the CPU."""
        if self.count > 1:
            dist.all_reduce(values)
        return values / self.count

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any of the processes."""
        return bool(self.mean(torch.tensor(float(flag))) > 0)

    def gather(self, items: list[str]) -> list[str]:
        """The items of all processes, in the order of the ranks."""
        if self.count == 1:
            return items
        gathered: list[Any] = [None] * self.count
        dist.all_gather_object(gathered, items)
        return [item for part in gathered for item in part]


def is_first_process() -> bool:
    """Whether this process is alone or the first that torchrun started; known before they are joined."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined_ranks(device: str) -> Generator[Ranks, None, None]:
    """Joins the processes that torchrun started; a process on its own is the only rank.

    Args:
        device: as in `MachineConfig`; "auto" and "cuda" give every process of a machine a card of its own.

    Raises:
        InputError: no such device.
    """
    chosen = choose_device(device)
    if "LOCAL_RANK" not in os.environ:
        yield Ranks(0, 1, chosen)
        return
    backend = "gloo"
    if chosen.type == "cuda":
        backend = "cpu:gloo,cuda:nccl"  # gloo for metrics and messages, which live on the CPU
        chosen = _own_card(chosen)
        torch.cuda.set_device(chosen)
    dist.init_process_group(backend, timeout=PATIENCE)
    yield Ranks(dist.get_rank(), dist.get_world_size(), chosen)
    # Not after a failure: it would wait for processes that are gone.
    dist.destroy_process_group()


def _own_card(device: torch.device) -> torch.device:
    local, cards = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if device.index is not None:
        raise InputError(f"device {device}: several processes cannot share one card; say cuda")
    if local >= cards:
        raise InputError(f"torchrun started more processes on this machine than it has cards ({cards})")
    return torch.device("cuda", local)


class ClipSampler(Sampler[int]):
    """The numbers of the clips that one process takes, in order.

    Step s of a run uses the clips s * batch ... (s + 1) * batch - 1, whatever the number of processes: each takes an
    equal run of them. It knows its place from the step alone, so a run continues anywhere.

    Args:
        steps: first step, and the one behind the last.
        batch: clips a step, all processes together; a multiple of the number of processes.
    """

    def __init__(self, steps: tuple[int, int], batch: int, ranks: Ranks) -> None:
        self.steps, self.batch, self.share = range(*steps), batch, batch // ranks.count
        self.offset = ranks.rank * self.share

    def __len__(self) -> int:
        return len(self.steps) * self.share

    def __iter__(self) -> Iterator[int]:
        for step in self.steps:
            start = step * self.batch + self.offset
            yield from range(start, start + self.share)
