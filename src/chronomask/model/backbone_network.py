"""What every trained network of this package is: something on a frame-by-frame backbone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

import torch
from torch import nn

from chronomask.model.backbone import Backbone
from chronomask.model.folding import AnyModule, fold_batch_norm


class BackboneNetwork(nn.Module):
    """A network whose backbone may be frozen, with a configuration that says all of its shape.

    Attributes:
        FORMAT: what checkpoints of its kind say that they are.
        config: a frozen dataclass.
        backbone: sees frames one by one; `_run_backbone` is what computes it.
    """

    FORMAT: ClassVar[str]
    config: Any
    _run_backbone: nn.Module
    _gradient_checkpointing: bool = False

    def __init__(self, config: Any, backbone: Backbone) -> None:
        super().__init__()
        self.config, self.backbone = config, backbone
        self.__dict__["_run_backbone"] = backbone

    def train(self, mode: bool = True) -> BackboneNetwork:
        """As in PyTorch, but the backbone's batch-norm statistics stay frozen: two clips cannot estimate them."""
        super().train(mode)
        self.backbone.eval()
        return self

    def fixed_parameters(self) -> list[nn.Parameter]:
        """Parameters beside the backbone that no training may change."""
        return []

    def freeze_backbone(self) -> None:
        """Takes the backbone out of training, and runs a copy with folded batch norm (the same function, faster)."""
        self.backbone.requires_grad_(False)
        folded = to_channels_last(fold_batch_norm(deepcopy(self.backbone)))
        # Not registered as a child: its parameters are no part of the checkpoint.
        self.__dict__["_run_backbone"] = folded

    def checkpoint_gradients(self, enabled: bool) -> None:
        """Whether the backbone's blocks and attention are run again in the backward pass instead of kept in memory."""
        self.backbone.gradient_checkpointing = self._gradient_checkpointing = enabled


def to_channels_last(network: AnyModule) -> AnyModule:
    """Puts every convolution's weights into the channels-last layout, in place; returns the module.

    Per layer, because `Module.to(memory_format=...)` raises on a network with both 4-D and 5-D weights.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
    return network
