"""Small networks and inputs that the tests of several rooms share."""

import torch

from chronomask.categories import Category
from chronomask.config import ModelConfig
from chronomask.model.network import Network

CATEGORIES = (Category(1, "person"), Category(17, "cat"), Category(18, "dog"))


def tiny(**changes):
    """The configuration of a small network, with the named fields changed."""
    fields = {"backbone": "resnet18", "channels": 16, "squeezes": (2, 1, 1, 0), "categories": CATEGORIES}
    return ModelConfig(**{**fields, **changes})


def shuffled_norms(network, seed=0):
    """Gives every batch norm statistics and weights as training would: none of them is the identity."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
    return network


def network_of(config, seed=0):
    """A network with random weights, in eval mode."""
    torch.manual_seed(seed)
    return shuffled_norms(Network(config)).eval()


def noise(*shape, seed=0):
    """Random pixels."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def tensors_of(outputs):
    """The tensors of PixelOutputs or ClipOutputs by name, without those that are None."""
    return {name: value for name, value in vars(outputs).items() if value is not None}
