"""The command that trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from chronomask.config import TrainConfig


def train(
    data: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA...")],
    /,
    out: Path,
    init: Path | None = None,
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig(),  # noqa: B008  (frozen)
) -> None:
    """Train the lite model on annotated stills and videos.

    Continues where --out holds an interrupted run of the same configuration.

    Args:
        data: annotation files of COCO or YouTube-VIS form, each with options behind commas: FILE.json,weight=0.4 (share
            of the clips), FILE.json,partial (not every object of a video is annotated), FILE.json,without=boat+hike.
        out: folder of the run: config.json, log.csv, model.safetensors (moving average) and state.pt.
        init: checkpoint to start from; by default the backbone has ImageNet's weights and the rest is random.
        config: the settings below.
    """
    import torch

    from chronomask.config import lite
    from chronomask.data.sources import open_training_source
    from chronomask.model.checkpoint import load_network
    from chronomask.model.importing import load_imagenet
    from chronomask.model.network import Network
    from chronomask.training.loop import train as run

    torch.manual_seed(config.seed)
    if init is not None:
        network = load_network(init)
    else:
        network = Network(lite())
        load_imagenet(network)
    sources = [open_training_source(specification, network.config.categories) for specification in data]
    run(network, sources, config, out)
