"""Those who watch a training run: log file, progress line, validation, ..."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from chronomask.model.network import Network
from chronomask.training.step import StepResult


@dataclass(frozen=True)
class StepReport:
    """One finished step.

    Attributes:
        step: its number, from 0.
        steps: of the whole run.
        result: losses, gradient, and what could not be read.
        rate: learning rate of everything but the backbone.
        seconds: that the step took, the wait for its clips included.
        memory: most bytes that the first process held so far, on its card or, without one, in main memory.
    """

    step: int
    steps: int
    result: StepResult
    rate: float
    seconds: float
    memory: int


@runtime_checkable
class Monitor(Protocol):
    """Watches a run, in its first process only."""

    def on_step(self, report: StepReport) -> None:
        """Called after every step."""
        ...

    def on_checkpoint(self, step: int, network: Network, out: Path) -> float | None:
        """Called before a checkpoint is written.

        Args:
            step: steps done.
            network: the weights to be saved (the moving average), in eval mode; must stay as it is.
            out: folder of the run.

        Returns:
            A validation score, by which the best checkpoint is kept (higher is better), or None.
        """
        ...


def peak_memory(device: torch.device) -> int:
    """Bytes, see `StepReport.memory`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0  # Windows does not tell without a further package
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
