"""The moving average of the weights, which is what a run saves."""

from __future__ import annotations

from copy import deepcopy

import torch

from chronomask.model.network import Network


class MovingAverage:
    """Exponential moving average of the trained weights and of the batch-norm statistics.

    Attributes:
        network: a copy in eval mode that carries the average.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network, self.decay = deepcopy(network).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Takes in the weights after `step`; with a decay of 0 the average is these weights."""
        # A young average must not remember the random start.
        decay = min(self.decay, (1 + step) / (10 + step))
        theirs = network.state_dict()
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - decay)
            else:
                mine.copy_(theirs[name])
