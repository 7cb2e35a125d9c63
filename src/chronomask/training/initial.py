"""The network that a run of training begins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from chronomask.config import CLASS_LISTS, NAMED_MODELS, TrainConfig
from chronomask.engines.models import bundled_weights
from chronomask.errors import InputError
from chronomask.model.checkpoint import load_network
from chronomask.model.importing import import_weights
from chronomask.model.importing.report import import_table
from chronomask.model.network import Network

Say = Callable[[object], None]
"""Is told what people want to know of a run while it goes on: sentences, and tables as `rich` prints them."""


def unsaid(said: object) -> None:
    """Drops what is said: for whoever does not ask for it."""


def initial_network(
    config: TrainConfig, init: Path | None, backbone_weights: Path | None, import_fpn: bool, say: Say = unsaid
) -> Network:
    """The network that the settings describe, with its weights before the first step.

    Args:
        config: of the run.
        init: checkpoint of this project to start from.
        backbone_weights: file with others' weights for the backbone.
        import_fpn: take the feature pyramid too from that file.
        say: is told where the weights come from.

    Raises:
        InputError: files that do not fit each other, or cannot be used.
    """
    if import_fpn and backbone_weights is None:
        raise InputError("--import-fpn: needs --backbone-weights FILE to take the pyramid from")
    if init is not None:
        if backbone_weights is not None:
            raise InputError(f"--backbone-weights {backbone_weights}: --init {init} brings a backbone already")
        return _checkpoint_network(init, config)
    torch.manual_seed(config.seed)
    model = NAMED_MODELS[config.model]()
    if config.classes is not None:
        model = replace(model, categories=CLASS_LISTS[config.classes])
    network = Network(model)
    _fill_backbone(network, backbone_weights, import_fpn, say)
    return network


def _checkpoint_network(path: Path, config: TrainConfig) -> Network:
    network = load_network(path)
    theirs, wanted = network.config.categories, CLASS_LISTS.get(config.classes or "")
    if wanted is not None and wanted != theirs:
        raise InputError(
            f"{path}: its {len(theirs)} classes ({theirs[0].name}, ...) are not those of --classes {config.classes} "
            f"({len(wanted)}: {wanted[0].name}, ...); say --classes None to train its own"
        )
    return network


def _fill_backbone(network: Network, path: Path | None, import_fpn: bool, say: Say) -> None:
    if path is not None:
        say(import_table(import_weights(network, path, fpn=import_fpn)))
        return
    bundled = load_network(bundled_weights("lite"))
    if network.config.backbone == bundled.config.backbone:
        network.backbone.load_state_dict(bundled.backbone.state_dict())
        say(f"chronomask: the {network.config.backbone} starts from the bundled weights")
        return
    warning = (
        f"the {network.config.backbone} starts from random weights; --backbone-weights names a file with better ones"
    )
    say(f"chronomask: warning: {warning}")
