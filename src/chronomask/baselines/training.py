"""Training of what the systems need, all from the same weights and with the same budget, by the package's own loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from chronomask.baselines.association import association_of
from chronomask.baselines.budget import FRAMES, Budget
from chronomask.baselines.propagation.feelvos import Feelvos
from chronomask.baselines.propagation.network import PropagationConfig
from chronomask.baselines.propagation.osmn import Osmn
from chronomask.baselines.systems import TrainedName
from chronomask.config import LossConfig, MachineConfig, TrainConfig, lite_recipe
from chronomask.data.protocol import WeightedSource
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.model.network import Network
from chronomask.training import loop
from chronomask.training.folder import WEIGHTS
from chronomask.training.monitor import Monitor
from chronomask.training.objective import clip_objective
from chronomask.training.targets import Batch

NetworkName = Literal["frames", TrainedName]
"""What is trained: our network on single frames, whose detections are tracked, and the networks of the systems."""

LENGTHS: dict[NetworkName, int] = {"frames": 1, "mask-track": 2, "osmn": 3, "feelvos": 3}
"""Frames a clip."""


def train_network(
    name: NetworkName,
    start: Network,
    sources: Sequence[WeightedSource],
    budget: Budget,
    out: Path,
    machine: MachineConfig,
    monitors: Sequence[Monitor],
) -> Path:
    """Trains a network, or what is missing of that; the checkpoint.

    Args:
        name: which.
        start: whose weights it begins with: all of them, or the backbone's. Taken apart.
        sources: training data.
        budget: what it may spend.
        out: folder of the run, see `training.loop.train`.
        machine: how it is carried out.
        monitors: watch every step.

    Raises:
        InputError, TrainingError: as `training.loop.train`.
    """
    torch.manual_seed(budget.seed)
    network = _NEW[name](start)
    objective = clip_objective if name == "frames" else own_loss
    loop.train(network, sources, settings(name, budget), out, machine, monitors, objective=objective)
    return out / WEIGHTS


def settings(name: NetworkName, budget: Budget) -> TrainConfig:
    """Those of a run; rates are those at which the losses of each fell fastest without getting unsteady."""
    recipe, length = lite_recipe(), LENGTHS[name]
    return replace(
        recipe,
        steps=budget.steps,
        batch=max(1, FRAMES // length),
        learning_rate=3e-4 if name == "frames" else 2e-3,
        warmup=min(30, budget.steps // 4),
        ema=0.98,
        seed=budget.seed,
        data=replace(recipe.data, length=length, height=budget.height, width=budget.width, hidden=0.0),
    )


def own_loss(network: Callable[..., Any], batch: Batch, config: LossConfig) -> dict[str, Tensor]:
    """The objective of networks that know their losses."""
    return network(batch)


def _frames(start: Network) -> BackboneNetwork:
    return start


def _osmn(start: Network) -> BackboneNetwork:
    return Osmn(PropagationConfig(start.config.backbone), start.backbone)


def _feelvos(start: Network) -> BackboneNetwork:
    return Feelvos(PropagationConfig(start.config.backbone), start.backbone)


_NEW: dict[NetworkName, Callable[[Network], BackboneNetwork]] = {
    "frames": _frames,
    "mask-track": association_of,
    "osmn": _osmn,
    "feelvos": _feelvos,
}
