"""The training loop: plain PyTorch, top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from chronomask.config import MachineConfig, TrainConfig
from chronomask.data.mixture import ClipMixture
from chronomask.data.protocol import WeightedSource
from chronomask.errors import InputError, refusing
from chronomask.model.backbone_network import BackboneNetwork, to_channels_last
from chronomask.training.average import MovingAverage
from chronomask.training.checkpoint import Run, TrainingState, save_checkpoint
from chronomask.training.distributed import ClipSampler, Ranks, joined_ranks
from chronomask.training.failures import failures_explained
from chronomask.training.monitor import Monitor, StepReport, peak_memory
from chronomask.training.objective import Objective, clip_objective
from chronomask.training.progress import CsvLog, SkippedList
from chronomask.training.schedule import build_optimizer, set_rates
from chronomask.training.step import Stepper
from chronomask.training.targets import Batch, collate


def train(
    network: BackboneNetwork,
    sources: Sequence[WeightedSource],
    config: TrainConfig,
    out: Path,
    machine: MachineConfig = MachineConfig(),  # noqa: B008  (frozen)
    monitors: Sequence[Monitor] = (),
    origin: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    prepared_since: float | None = None,
    best: float | None = None,
    objective: Objective = clip_objective,
) -> int:
    """Trains `network` in place; continues where `out` holds an interrupted run. Under torchrun, together with others.

    Writes into `out`: config.json, log.csv (every term of every tenth step), model.safetensors (the moving average, at
    the last checkpoint), best.safetensors (at the checkpoint that a monitor scored highest), state-*.pt (all that is
    needed to continue, of the last two checkpoints) and skipped.txt (what could not be read).

    Args:
        network: initial weights; what `out` holds replaces them.
        sources: training data.
        config: what is trained.
        out: folder of the run.
        machine: how it is carried out.
        monitors: those who watch, and score checkpoints; called in the first process only.
        origin: what else decides the run (names of data and initial weights), for config.json.
        overwrite: whether a run with another configuration, or files that are no run's, may be replaced.
        prepared_since: when work on the initial weights began, on the clock of `time.monotonic`: it counts for the time
            limit, and its result is kept as a state of its own.
        best: validation score of the weights that are best.safetensors already, where there are any.
        objective: what is made small; the paper's sum, eq. (6), where nothing else is said.

    Returns:
        Steps done: fewer than `config.steps` where `machine.stop_after` ended the run.

    Raises:
        InputError: `out` holds a run with another configuration, a setting does not fit, a frame or mask cannot be
            read, or memory or disk do not suffice.
        TrainingError: the loss of a step is not finite (the message names its clips), or a worker or process died.
    """
    started = monotonic() if prepared_since is None else prepared_since
    with failures_explained(out), joined_ranks(machine.device) as ranks:
        _check_batch(config, machine, ranks)
        _check_instances(sources)
        saved = ranks.on_first(Run(out, network, config, machine, origin or {}, overwrite).open)
        state = _state(network, config, ranks, out, saved, best)
        batches = _batches(sources, config, machine, ranks, state.step)
        stepper = Stepper(_parallel(network, machine, ranks), state.optimizer, config, machine, ranks, objective)
        watching = [CsvLog(out, state.step), SkippedList(out, sources), *monitors] if ranks.first else []
        if prepared_since is not None and saved is None:
            ranks.on_first(partial(save_checkpoint, out, state, None))
            if monotonic() - started >= machine.seconds:
                return state.step
        for step in range(state.step, config.steps):
            begun = monotonic()
            rate = set_rates(state.optimizer, step, config)
            # Whatever is random in a step depends on its number alone, so that a continued run repeats it.
            torch.manual_seed((config.seed * config.steps + step) * ranks.count + ranks.rank)
            result = stepper.step(step, batches)
            state.average.update(network, step)
            state.step = step + 1
            report = StepReport(step, config.steps, result, rate, monotonic() - begun, peak_memory(ranks.device))
            for monitor in watching:
                monitor.on_step(report)
            late = ranks.any(monotonic() - started >= machine.seconds)
            if late or state.step == config.steps or state.step % machine.checkpoints_every(config.steps) == 0:
                ranks.on_first(partial(_checkpoint, out, state, watching))
            if late:
                break
    return state.step


def _check_batch(config: TrainConfig, machine: MachineConfig, ranks: Ranks) -> None:
    if config.batch % (ranks.count * machine.accumulate):
        raise InputError(
            f"batch {config.batch}: {ranks.count} processes with accumulate {machine.accumulate} cannot share so many "
            "clips evenly"
        )


def _check_instances(sources: Sequence[WeightedSource]) -> None:
    readers = [source.reader for source in sources]
    if not any(not found.crowd for reader in readers for i in range(len(reader)) for found in reader.instances(i)):
        names = ", ".join(str(reader.annotations) for reader in readers)
        raise InputError(f"{names or 'no training data'}: not one labelled instance to learn from")


def _state(
    network: BackboneNetwork,
    config: TrainConfig,
    ranks: Ranks,
    out: Path,
    saved: Mapping[str, Any] | None,
    best: float | None,
) -> TrainingState:
    """The state to begin with: of the given network, or what an interrupted run saved."""
    network.to(ranks.device)
    to_channels_last(network)
    state = TrainingState(0, network, MovingAverage(network, config.ema), build_optimizer(network, config), best)
    if saved is not None:
        with refusing(out, f"the state of step {saved['step']} does not fit; remove it"):
            state.restore(saved)
    for parameter in network.fixed_parameters():
        parameter.requires_grad_(False)
    if config.backbone_rate == 0:
        network.freeze_backbone()  # only now, for the frozen copy is of the weights as they are
    return state


def _batches(
    sources: Sequence[WeightedSource], config: TrainConfig, machine: MachineConfig, ranks: Ranks, first: int
) -> Iterator[Batch]:
    """The batches of this process, one a part of a step, from step `first` to the end of the run."""
    dataset = ClipMixture(sources, config.data, config.seed, config.steps * config.batch, config.skip_broken)
    loader = DataLoader(
        dataset,
        batch_size=config.batch // (ranks.count * machine.accumulate),
        sampler=ClipSampler((first, config.steps), config.batch, ranks),
        num_workers=machine.workers,
        collate_fn=partial(collate, stride=config.losses.stride),
        generator=torch.Generator(),  # its own, so that the steps' random numbers are not used up
    )
    return iter(loader)


def _parallel(network: BackboneNetwork, machine: MachineConfig, ranks: Ranks) -> nn.Module:
    """What the steps call: the network in train mode, joined with those of the other processes."""
    network.train()
    network.checkpoint_gradients(machine.gradient_checkpointing)
    if machine.compile:
        network.compile()
    return DistributedDataParallel(network) if ranks.count > 1 else network


def _checkpoint(out: Path, state: TrainingState, monitors: Sequence[Monitor]) -> None:
    scores = [monitor.on_checkpoint(state.step, state.average.network, out) for monitor in monitors]
    save_checkpoint(out, state, next((score for score in scores if score is not None), None))
