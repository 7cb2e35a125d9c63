"""The command that trains."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.config import CLASS_LISTS, NAMED_MODELS, RECIPES, MachineConfig, TrainConfig
from chronomask.errors import InputError

if TYPE_CHECKING:
    from chronomask.model.network import Network


def train(
    data: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA...")],
    /,
    out: Path,
    recipe: Literal["lite", "paper"] = "lite",
    init: Path | None = None,
    backbone_weights: Path | None = None,
    import_fpn: bool = False,
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig(),  # noqa: B008  (frozen)
    machine: Annotated[MachineConfig, tyro.conf.arg(name="")] = MachineConfig(),  # noqa: B008  (frozen)
) -> int:
    """Train a network on annotated stills and videos.

    A run that was killed or stopped continues when the same command is given again. Several processes, on one machine
    or many, train together under torchrun: torchrun --nproc-per-node 2 --no-python chronomask train ...

    Args:
        data: annotation files or folders of COCO, YouTube-VIS or Pascal VOC form, each with options behind commas:
            weight=0.4 (share of the clips; by default 0.6 for videos, 0.3 for COCO and 0.1 for VOC), partial (not every
            object is annotated), without=boat+hike (entries to leave out), mapping=FILE (class names to the network's),
            unmapped=object|ignore|drop (classes that the network has not), images=FOLDER.
        out: folder of the run: config.json, log.csv, model.safetensors (moving average), best.safetensors (where there
            is a validation), state-*.pt (to continue) and skipped.txt.
        recipe: which values the settings below have where nothing else is said: those of the small model, or those of
            section 5.3 of the paper.
        init: checkpoint of this project to start from.
        backbone_weights: file with others' weights for a ResNet: a COCO Mask R-CNN or an ImageNet classifier of
            torchvision, detectron2 or maskrcnn-benchmark. An EfficientNet-Lite0 starts from ImageNet's without it.
        import_fpn: take the feature pyramid too from --backbone-weights.
        config: the settings below.
        machine: the settings below.
    """
    from chronomask.data.sources import open_training_sources
    from chronomask.training.distributed import is_first_process
    from chronomask.training.failures import TrainingError
    from chronomask.training.loop import train as run
    from chronomask.training.progress import ProgressLine

    network = _initial_network(config, init, backbone_weights, import_fpn)
    sources = open_training_sources(data, network.config.categories, skip_broken=config.skip_broken)
    weights = {"init": str(init), "backbone_weights": str(backbone_weights), "import_fpn": import_fpn}
    origin = {"recipe": recipe, "data": data, **weights}
    try:
        with ProgressLine() as progress:
            done = run(network, sources, config, out, machine, [progress], origin)
    except TrainingError as error:
        print(f"chronomask: {error}", file=sys.stderr)
        return 1
    if is_first_process():
        state = "finished" if done == config.steps else "stopped; the same command continues from here"
        print(f"step {done} of {config.steps}: {state}\nweights: {out / 'model.safetensors'}")
    return 0


def recipe_config(arguments: Sequence[str]) -> TrainConfig:
    """The settings of the recipe that `--recipe` names among the arguments: the defaults of all other options.

    They must be known before the options are parsed, so that single flags override them and --help shows them.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--recipe", nargs="?")
    named = parser.parse_known_args(arguments)[0].recipe
    return RECIPES.get(named, RECIPES["lite"])()  # a wrong name is found when the options are parsed


def _initial_network(
    config: TrainConfig, init: Path | None, backbone_weights: Path | None, import_fpn: bool
) -> Network:
    """The network that the options describe, with its weights before the first step."""
    import torch

    from chronomask.model.network import Network

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
    _fill_backbone(network, backbone_weights, import_fpn)
    return network


def _checkpoint_network(path: Path, config: TrainConfig) -> Network:
    from chronomask.model.checkpoint import load_network

    network = load_network(path)
    theirs, wanted = network.config.categories, CLASS_LISTS.get(config.classes or "")
    if wanted is not None and wanted != theirs:
        raise InputError(
            f"{path}: its {len(theirs)} classes ({theirs[0].name}, ...) are not those of --classes {config.classes} "
            f"({len(wanted)}: {wanted[0].name}, ...); say --classes None to train its own"
        )
    return network


def _fill_backbone(network: Network, path: Path | None, import_fpn: bool) -> None:
    from rich.console import Console

    from chronomask.model.importing import import_weights, load_imagenet
    from chronomask.model.importing.report import import_table
    from chronomask.training.distributed import is_first_process

    if path is not None:
        report = import_weights(network, path, fpn=import_fpn)
    elif network.config.backbone == "efficientnet_lite0":
        report = load_imagenet(network)
    else:
        print(
            f"chronomask: warning: the {network.config.backbone} starts from random weights; --backbone-weights names "
            "a file with better ones",
            file=sys.stderr,
        )
        return
    if is_first_process():
        Console(stderr=True).print(import_table(report))
