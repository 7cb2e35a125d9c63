"""The training loop: plain PyTorch, top to bottom.

Legend: B clips, T frames, H W pixels.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import time
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from math import cos, pi
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from chronomask.config import LossConfig, TrainConfig
from chronomask.data.mixture import ClipMixture, WeightedSource
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.losses import ClipOutputs, LossTerms, clip_losses
from chronomask.model.checkpoint import save_network
from chronomask.model.network import Network, PixelOutputs, to_channels_last
from chronomask.training.targets import Batch, collate

TERMS = tuple(field.name for field in dataclasses.fields(LossTerms))


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to 0 at the last step; a share of the full rate in [0, 1]."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return 0.5 * (1 + cos(pi * min(1.0, progress)))


def outputs_of_clip(outputs: PixelOutputs, clip: int, size: tuple[int, int] | None) -> ClipOutputs:
    """One clip's outputs, interpolated to `size` if given (losses at a finer stride than the network's)."""

    def at_size(x: Tensor) -> Tensor:
        if size is None:
            return x
        return F.interpolate(x.transpose(0, 1), size=size, mode="bilinear", align_corners=False).transpose(0, 1)

    foreground = outputs.foreground_logits
    return ClipOutputs(
        embedding=at_size(outputs.embedding[clip]),
        log_variance=at_size(outputs.log_variance[clip]),
        heat=at_size(outputs.heat[clip][None])[0],
        class_logits=at_size(outputs.class_logits[clip]),
        foreground_logits=None if foreground is None else at_size(foreground[clip][None])[0],
    )


def batch_losses(outputs: PixelOutputs, batch: Batch, stride: int) -> LossTerms:
    """The terms averaged over the clips, so that batches of any split give the same gradient."""
    terms = []
    for index, targets in enumerate(batch.targets):
        size = None if stride == 4 else (targets.ignore.shape[1], targets.ignore.shape[2])
        terms.append(clip_losses(outputs_of_clip(outputs, index, size), targets))
    return LossTerms(**{name: torch.stack([getattr(t, name) for t in terms]).mean() for name in TERMS})


def weighted_sum(terms: LossTerms, config: LossConfig) -> Tensor:
    """Eq. (6) with its weights, plus the auxiliary foreground term."""
    return torch.stack([getattr(terms, name) * getattr(config, name) for name in TERMS]).sum()


class MovingAverage:
    """Exponential moving average of the trained weights and of the batch-norm statistics."""

    def __init__(self, network: Network, decay: float) -> None:
        self.network, self.decay = deepcopy(network).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        # A young average must not remember the random start.
        decay = min(self.decay, (1 + step) / (10 + step))
        theirs = network.state_dict()
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - decay)
            else:
                mine.copy_(theirs[name])


def build_optimizer(network: Network, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over what is trained; the backbone at its own rate, or not at all."""
    backbone = {id(parameter) for parameter in network.backbone.parameters()}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in backbone]
    groups = [{"params": rest, "scale": 1.0}]
    if config.backbone_rate > 0:
        groups.append({"params": list(network.backbone.parameters()), "scale": config.backbone_rate})
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)


def train(network: Network, sources: Sequence[WeightedSource], config: TrainConfig, out: Path) -> None:
    """Trains `network` in place; continues where `out` holds an interrupted run.

    Writes into `out`: config.json, log.csv (every term of every tenth step), model.safetensors (the moving average) and
    state.pt (everything needed to continue).

    Raises:
        InputError: `out` holds a run with another configuration.
        FloatingPointError: the loss of a step is not finite; the message names its clips.
    """
    _check_same_run(out, network, config)
    torch.manual_seed(config.seed)
    to_channels_last(network)
    average = MovingAverage(network, config.ema)
    optimizer = build_optimizer(network, config)
    first = _resume(out, network, average, optimizer)
    if config.backbone_rate == 0:
        network.freeze_backbone()  # only now, for the frozen copy is of the weights as they are
    _trim_log(out, first)
    dataset = ClipMixture(sources, config.data, config.seed, config.steps * config.batch)
    loader = DataLoader(
        dataset,
        batch_size=config.batch,
        sampler=range(first * config.batch, len(dataset)),
        num_workers=config.workers,
        collate_fn=partial(collate, stride=config.losses.stride),
    )
    network.train()
    started = time.monotonic()
    for step, batch in enumerate(loader, first):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * group["scale"] * learning_rate(step, config)
        terms = batch_losses(network(batch.frames), batch, config.losses.stride)
        loss = weighted_sum(terms, config.losses)
        if not loss.isfinite():
            raise FloatingPointError(f"step {step}: the loss is {loss.item()}; clips: {'; '.join(batch.sources)}")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimizer.param_groups:
            nn.utils.clip_grad_norm_(group["params"], config.clip_norm)
        optimizer.step()
        average.update(network, step)
        if step % 10 == 0:
            _log(out, step, config, terms, loss, (time.monotonic() - started) / (step - first + 1))
        if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
            save_network(out / "model.safetensors", average.network, half=True)
            _save_state(out, step + 1, network, average, optimizer)


def _log(out: Path, step: int, config: TrainConfig, terms: LossTerms, loss: Tensor, seconds: float) -> None:
    row = {"step": step, "loss": loss.item(), **{name: getattr(terms, name).item() for name in TERMS}}
    row["seconds"] = seconds
    path = out / "log.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow({key: f"{value:.4f}" if isinstance(value, float) else value for key, value in row.items()})
    if step % 50 == 0:
        shown = "  ".join(f"{name} {row[name]:.3f}" for name in TERMS)
        remaining = (config.steps - step) * seconds / 60
        print(f"step {step}/{config.steps}  {shown}  {seconds:.2f} s a step, {remaining:.0f} min left", flush=True)


def _trim_log(out: Path, first: int) -> None:
    """Drops the lines of steps that an interrupted run did after its last checkpoint: they are done again."""
    path = out / "log.csv"
    if path.exists():
        lines = path.read_bytes().splitlines(keepends=True)
        with written_aside(path) as aside:
            aside.write_bytes(b"".join(lines[:1] + [line for line in lines[1:] if int(line.split(b",")[0]) < first]))


def _check_same_run(out: Path, network: Network, config: TrainConfig) -> None:
    described = json.loads(
        json.dumps({"model": dataclasses.asdict(network.config), "train": dataclasses.asdict(config)})
    )
    path = out / "config.json"
    if path.exists() and json.loads(path.read_text()) != described:
        raise InputError(f"{path}: the folder holds a run with another configuration; name another folder")
    with written_aside(path) as aside:
        aside.write_text(json.dumps(described, indent=1))


def _save_state(
    out: Path, step: int, network: Network, average: MovingAverage, optimizer: torch.optim.Optimizer
) -> None:
    state = {
        "step": step,
        "network": network.state_dict(),
        "average": average.network.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    with written_aside(out / "state.pt") as aside:
        torch.save(state, aside)


def _resume(out: Path, network: Network, average: MovingAverage, optimizer: torch.optim.Optimizer) -> int:
    """Restores an interrupted run, if there is one; returns the first step to do."""
    path = out / "state.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    average.network.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]
