"""Averages of weights: the moving one, which a run saves, and the mean of several checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch

from chronomask.errors import InputError
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.model.network import Network


class MovingAverage:
    """Exponential moving average of the trained weights and of the batch-norm statistics.

    Attributes:
        network: a copy in eval mode that carries the average.
    """

    def __init__(self, network: BackboneNetwork, decay: float) -> None:
        self.network, self.decay = deepcopy(network).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, network: BackboneNetwork, step: int) -> None:
        """Takes in the weights after `step`; with a decay of 0 the average is these weights."""
        # A young average must not remember the random start.
        decay = min(self.decay, (1 + step) / (10 + step))
        theirs = network.state_dict()
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - decay)
            else:
                mine.copy_(theirs[name])


@torch.no_grad()
def mean_of(networks: Sequence[Network]) -> Network:
    """A network with the mean of all weights: a "model soup" (Wortsman et al. 2022), often better than each of them.

    That holds for networks that were trained on from one another, or from the same one. The coefficients of the score
    are those of the first; fit them anew.

    Raises:
        InputError: one is another network than the first.
    """
    mean = deepcopy(networks[0]).eval()
    for number, network in enumerate(networks[1:], 2):
        if replace(network.config, tube_score=mean.config.tube_score) != mean.config:
            raise InputError(f"checkpoint {number}: is another network than the first")
    states = [network.state_dict() for network in networks]
    for name, tensor in mean.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.stack([state[name] for state in states]).mean(0))
    return mean
