"""Those who watch a training run: log file, progress line, validation, ..."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from chronomask.model.backbone_network import BackboneNetwork
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
    """Watches a run, in its first process only. Those that derive from it need not do both."""

    def on_step(self, report: StepReport) -> None:
        """Called after every step."""
        return

    def on_checkpoint(self, step: int, network: BackboneNetwork, out: Path) -> float | None:
        """Called before a checkpoint is written.

        Args:
            step: steps done.
            network: the weights to be saved (the moving average), in eval mode; must stay as it is.
            out: folder of the run.

        Returns:
            A validation score, by which the best checkpoint is kept (higher is better), or None.
        """
        return None


class Milestones(Monitor):
    """A monitor that does something only now and then, at some of the checkpoints.

    At which depends on the numbers of the steps alone, so that a run that is continued does the same.

    Args:
        every: steps from one time to the next; each is at the first checkpoint from there on, and one at the end.
    """

    def __init__(self, every: int) -> None:
        self.every, self.end = every, 0
        self.last: int | None = None

    def on_step(self, report: StepReport) -> None:
        self.end = report.steps
        if self.last is None:
            self.last = report.step  # a run begins, and goes on, at a checkpoint

    def due(self, step: int) -> bool:
        """Whether it is time at the checkpoint after `step` steps; asked once for every checkpoint."""
        before, self.last = self.last or 0, step
        return step == self.end or step // self.every > before // self.every


def peak_memory(device: torch.device) -> int:
    """Bytes, see `StepReport.memory`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0  # Windows does not tell without a further package
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
