"""One optimiser step: forward, losses and backward over the clips of a step, on every rank."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from chronomask.config import MachineConfig, TrainConfig
from chronomask.device import chosen_precision
from chronomask.errors import TrainingError
from chronomask.training.distributed import Ranks
from chronomask.training.objective import Objective, clip_objective
from chronomask.training.schedule import clip_gradients
from chronomask.training.targets import Batch


@dataclass(frozen=True)
class StepResult:
    """What a step came to, over the clips of all ranks.

    Attributes:
        loss: weighted sum of the terms.
        terms: the loss terms by name, not weighted; like `loss` the mean over the clips.
        gradient: its norm before it was clipped.
        skipped: one message for every entry that could not be read, and was replaced.
    """

    loss: float
    terms: dict[str, float]
    gradient: float
    skipped: list[str]


class Stepper:
    """Does the optimiser steps of a run.

    Args:
        network: in train mode; wrapped in DistributedDataParallel where there are several ranks.
        optimizer: whose rates are set already when a step is done.
        objective: what is made small.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        config: TrainConfig,
        machine: MachineConfig,
        ranks: Ranks,
        objective: Objective = clip_objective,
    ) -> None:
        self.objective = objective
        self.network, self.optimizer, self.config, self.ranks = network, optimizer, config, ranks
        self.parts, self.precision = machine.accumulate, machine.precision

    def step(self, number: int, batches: Iterator[Batch]) -> StepResult:
        """Takes the next batches, one a part, and moves the weights; `number` is for messages.

        Raises:
            TrainingError: the loss or its gradient is not finite; the weights are as before.
        """
        self.optimizer.zero_grad(set_to_none=True)
        values, clips, suspects, skipped, names = torch.zeros(()), [], [], [], []
        for part in range(self.parts):
            batch = next(batches)
            with self._without_exchange() if part + 1 < self.parts else nullcontext():
                names, found = self._backward(batch)
            values = values + found / self.parts
            clips += batch.sources
            skipped += batch.skipped
            suspects += [] if found.isfinite().all() else batch.sources
        gradient = clip_gradients(self.optimizer, self.config.clip_norm).item()
        *terms, loss = self.ranks.mean(values).tolist()
        if not isfinite(loss) or not isfinite(gradient):
            what = f"the loss is {loss}" if not isfinite(loss) else f"the gradient's norm is {gradient}"
            named = self.ranks.gather(suspects) or self.ranks.gather(clips)
            raise TrainingError(f"step {number}: {what}; clips: {'; '.join(named)}")
        self.optimizer.step()
        skipped = self.ranks.gather(skipped) if self.config.skip_broken else []
        return StepResult(loss, dict(zip(names, terms, strict=True)), gradient, skipped)

    def _backward(self, batch: Batch) -> tuple[list[str], Tensor]:
        """Adds the gradient of one part; the names of its terms, their values and the loss, on the CPU."""
        terms = self.objective(self._forward, _moved(batch, self.ranks.device), self.config.losses)
        loss = terms.pop("loss")
        (loss / self.parts).backward()
        return list(terms), torch.stack([*terms.values(), loss]).detach().cpu()

    def _forward(self, *inputs: Any) -> Any:
        with autocast(self.ranks.device, self.precision):
            return self.network(*inputs)

    def _without_exchange(self) -> AbstractContextManager[object]:
        # Gradients travel once a step, with its last part.
        if isinstance(self.network, DistributedDataParallel):
            return self.network.no_sync()
        return nullcontext()


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context of the network's forward pass, see `MachineConfig.precision`."""
    if precision == "auto":
        precision = chosen_precision("auto", "torch", str(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def _moved(batch: Batch, device: torch.device) -> Batch:
    if device.type == "cpu":
        return batch
    targets = [
        replace(t, **{name: value.to(device, non_blocking=True) for name, value in vars(t).items()})
        for t in batch.targets
    ]
    return replace(batch, frames=batch.frames.to(device, non_blocking=True), targets=targets)
