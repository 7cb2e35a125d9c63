"""The optimiser and its learning rate over a run."""

from __future__ import annotations

from math import cos, inf, pi

import torch
from torch import Tensor, nn

from chronomask.config import TrainConfig
from chronomask.model.backbone_network import BackboneNetwork


def rate_share(step: int, config: TrainConfig) -> float:
    """The learning rate of a step, as a share of the highest, in [0, 1]: linear warm-up, then a cosine or a decay."""
    if step < config.warmup:
        return (step + 1) / config.warmup
    if config.schedule == "exponential":
        progress = min(max(0.0, (step - config.decay_from) / config.decay_steps), 1.0)
        return config.decay**progress
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    return 0.5 * (1 + cos(pi * min(1.0, progress)))


def build_optimizer(network: BackboneNetwork, config: TrainConfig) -> torch.optim.Optimizer:
    """SGD or AdamW over what is trained: one group for the backbone, unless it is frozen, and one for the rest.

    A group's entry "scale" is its share of the learning rate.
    """
    apart = {id(parameter) for parameter in (*network.backbone.parameters(), *network.fixed_parameters())}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in apart]
    groups = [{"params": rest, "scale": 1.0}]
    if config.backbone_rate > 0:
        groups.append({"params": list(network.backbone.parameters()), "scale": config.backbone_rate})
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=config.momentum, weight_decay=decay)
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay)


def set_rates(optimizer: torch.optim.Optimizer, step: int, config: TrainConfig) -> float:
    """Gives every group its learning rate for `step`; returns the rate of everything but the backbone."""
    rate = config.learning_rate * rate_share(step, config)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]
    return rate


def clip_gradients(optimizer: torch.optim.Optimizer, bound: float) -> Tensor:
    """Shrinks the gradient of each group to at most `bound` (0: leaves it); returns the largest norm found.

    Group by group: a backbone and new heads have gradients of very different size.
    """
    norms = [nn.utils.clip_grad_norm_(group["params"], bound or inf) for group in optimizer.param_groups]
    return torch.stack(norms).amax()
