"""The command that trains."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from chronomask.commands.notes import print_notes
from chronomask.commands.progress import progress_bar
from chronomask.config import (
    CLASS_LISTS,
    NAMED_MODELS,
    RECIPES,
    MachineConfig,
    TrainConfig,
    WatchConfig,
    fine_tune_recipe,
)
from chronomask.errors import InputError
from chronomask.terminal import console

if TYPE_CHECKING:
    from chronomask.data.protocol import WeightedSource
    from chronomask.model.network import Network
    from chronomask.training.monitor import Monitor
    from chronomask.training.progress import ProgressLine
    from chronomask.training.validation import Validation

_HOLDOUT = 0.2


def train(
    data: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA...")],
    /,
    out: Path,
    recipe: Literal["lite", "paper"] = "lite",
    init: Path | None = None,
    backbone_weights: Path | None = None,
    import_fpn: bool = False,
    fine_tune: str | None = None,
    holdout: float = _HOLDOUT,
    overwrite: bool = False,
    watch: Annotated[WatchConfig, tyro.conf.arg(name="")] = WatchConfig(),  # noqa: B008  (frozen)
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig(),  # noqa: B008  (frozen)
    machine: Annotated[MachineConfig, tyro.conf.arg(name="")] = MachineConfig(),  # noqa: B008  (frozen)
) -> int:
    """Train a network on annotated stills and videos.

    A run that was killed or stopped continues when the same command is given again. Several processes, on one machine
    or many, train together under torchrun: torchrun --nproc-per-node 2 --no-python chronomask train ...

    With --fine-tune lite the bundled model learns the classes of one annotated folder, in minutes on a laptop. It draws
    what it will learn from (preview.png), holds some entries back, and says how well it finds those before and after.

    Args:
        data: annotation files or folders of COCO, YouTube-VIS or Pascal VOC form, or of any format that convert reads,
            each with options behind commas:
            weight=0.4 (share of the clips; by default 0.6 for videos, 0.3 for COCO and 0.1 for VOC), partial (not every
            object is annotated), without=boat+hike (entries to leave out), mapping=FILE (class names to the network's),
            unmapped=object|ignore|drop (classes that the network has not), images=FOLDER.
        out: folder of the run: config.json, log.csv, model.safetensors (moving average), best.safetensors (where there
            is a validation), state-*.pt (to continue) and skipped.txt.
        recipe: which values the settings below have where nothing else is said: those of the small model, or those of
            section 5.3 of the paper.
        init: checkpoint of this project to start from.
        backbone_weights: file with others' weights for the backbone: for a ResNet a COCO Mask R-CNN or an ImageNet
            classifier of torchvision, detectron2 or maskrcnn-benchmark; for a MobileNetV2 a frozen TensorFlow graph of
            SSD. Without it the small model starts from the backbone of the bundled weights.
        import_fpn: take the feature pyramid too from --backbone-weights.
        fine_tune: bundled model or checkpoint file that shall learn the classes of DATA, which is one file or folder
            then. Changes the values below to those of a short run.
        holdout: with --fine-tune, share of the images or videos (40 at most) that are not trained on but scored.
        overwrite: replace a run with other settings in --out, or files there that are no run's. They go when the first
            checkpoint is complete.
        watch: the settings below.
        config: the settings below.
        machine: the settings below.
    """
    from chronomask.training.distributed import is_first_process
    from chronomask.training.failures import TrainingError
    from chronomask.training.folder import run_folder
    from chronomask.training.loop import train as run
    from chronomask.training.progress import ProgressLine

    origin: dict[str, Any] = {"recipe": recipe, "data": data, "init": str(init)}
    origin |= {"backbone_weights": str(backbone_weights), "import_fpn": import_fpn}
    reads = [*(text.partition(",")[0] for text in data), init, backbone_weights, fine_tune, watch.validate]
    with ExitStack() as stack:
        if is_first_process():
            stack.enter_context(run_folder(out, reads, overwrite))
        progress = stack.enter_context(ProgressLine())
        if fine_tune is not None:
            _refuse_beside_fine_tune(
                {"--recipe": recipe != "lite", "--init": init, "--backbone-weights": backbone_weights},
                {"--import-fpn": import_fpn, "--classes": config.classes, "--validate": watch.validate},
                {"--model": config.model != fine_tune_recipe().model},
                {"--validate-every": watch.validate_every != WatchConfig().validate_every},
            )
            origin |= {"fine_tune": fine_tune, "holdout": holdout}
            network, sources, validation = _begin_fine_tuning(
                fine_tune, data, holdout, config, machine, out, origin, overwrite
            )
        else:
            if holdout != _HOLDOUT:
                raise InputError(f"--holdout {holdout}: only --fine-tune holds data back; see --validate")
            origin |= {"validate": str(watch.validate)}
            network, sources = _begin(data, config, init, backbone_weights, import_fpn)
            validation = _validation(watch, network, machine)
        monitors = [progress, *_watchers(watch, validation, progress, sources, config, out)]
        try:
            done = run(network, sources, config, out, machine, monitors, origin, overwrite)
        except TrainingError as error:
            print(f"chronomask: {error}", file=sys.stderr)
            return 1
    if is_first_process():
        _say_how_it_ended(done, config, out)
    return 0


def _say_how_it_ended(done: int, config: TrainConfig, out: Path) -> None:
    from chronomask.training.validation import read_scores

    state = "finished" if done == config.steps else "stopped; the same command continues from here"
    print(f"step {done} of {config.steps}: {state}\nweights: {out / 'model.safetensors'}")
    scores = read_scores(out)
    if 0 in scores and done in scores:
        print(f"held back, before: {scores[0]}\nheld back, after:  {scores[done]}")


def recipe_config(arguments: Sequence[str]) -> TrainConfig:
    """The settings that `--recipe` or `--fine-tune` among the arguments ask for: the defaults of all other options.

    They must be known before the options are parsed, so that single flags override them and --help shows them.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--recipe", nargs="?")
    parser.add_argument("--fine-tune", "--fine_tune", nargs="?")  # tyro takes both
    given = parser.parse_known_args(arguments)[0]
    if given.fine_tune is not None:
        return fine_tune_recipe()
    named = given.recipe
    return RECIPES.get(named, RECIPES["lite"])()  # a wrong name is found when the options are parsed


def _refuse_beside_fine_tune(*options: dict[str, object]) -> None:
    for option, given in (pair for group in options for pair in group.items()):
        if given:
            raise InputError(
                f"{option}: not together with --fine-tune, which has weights, classes, recipe and validation already"
            )


def _begin_fine_tuning(
    weights: str,
    data: Sequence[str],
    holdout: float,
    config: TrainConfig,
    machine: MachineConfig,
    out: Path,
    origin: dict[str, Any],
    overwrite: bool,
) -> tuple[Network, list[WeightedSource], Validation | None]:
    """Opens and shows the data, scores the weights on what is held back, and adapts them to the new classes."""
    import os

    from chronomask.training import finetune
    from chronomask.training.checkpoint import claimed_run
    from chronomask.training.validation import Validation

    if len(data) != 1:
        raise InputError(f"--fine-tune: takes one file or folder, not {len(data)}")
    if "LOCAL_RANK" in os.environ:
        raise InputError("--fine-tune: runs in one process, without torchrun")
    terminal = console(errors=True)
    start = finetune.fine_tuning(weights, data[0], config, holdout)
    print_notes(start.training.notes)
    terminal.print(finetune.class_table(start))
    # Now, for the folder of another run is not to be touched.
    with claimed_run(out, start.network, config, machine, origin, overwrite):
        finetune.draw_preview(start, config, out / "preview.png")
        terminal.print(f"what it will learn from: {out / 'preview.png'}")
        validation = None
        if len(start.held):
            names = [category.name for category in start.network.config.categories]
            instances, frames = finetune.write_held(start.held, out / "holdout", progress_bar, config.skip_broken)
            validation = Validation(instances, names, every=config.steps, device=machine.device, frames=frames)
            terminal.print(f"held back, before: {validation.run(0, start.network, out)}")
        terminal.print("fitting the class head ...")
        finetune.fit_new_classes(start, config)
    return start.network, [start.source], validation


def _begin(
    data: Sequence[str], config: TrainConfig, init: Path | None, backbone_weights: Path | None, import_fpn: bool
) -> tuple[Network, list[WeightedSource]]:
    from chronomask.data.sources import open_training_sources
    from chronomask.training.distributed import is_first_process

    network = _initial_network(config, init, backbone_weights, import_fpn)
    sources = open_training_sources(data, network.config.categories, skip_broken=config.skip_broken)
    if is_first_process():
        print_notes(note for source in sources for note in source.reader.notes)
    return network, sources


def _validation(watch: WatchConfig, network: Network, machine: MachineConfig) -> Validation | None:
    from chronomask.training.validation import Validation

    if watch.validate is None:
        return None
    names = [category.name for category in network.config.categories]
    return Validation(watch.validate, names, every=watch.validate_every, device=machine.device)


def _watchers(
    watch: WatchConfig,
    validation: Validation | None,
    progress: ProgressLine,
    sources: Sequence[WeightedSource],
    config: TrainConfig,
    out: Path,
) -> list[Monitor]:
    """Those who watch beside the progress line, in the first process."""
    from chronomask.training.distributed import is_first_process
    from chronomask.training.pictures import Pictures
    from chronomask.training.tensorboard import Board

    if not is_first_process():
        return []
    board = Board(out) if watch.tensorboard else None
    watchers: list[Monitor] = [board] if board else []
    if validation is not None:
        validation.listeners = [progress.scores, *([board.scores] if board else [])]
        watchers.append(validation)
    if watch.pictures_every:
        watchers.append(Pictures(sources, config, watch.pictures_every, [board.picture] if board else []))
    return watchers


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

    from chronomask.engines.models import bundled_weights
    from chronomask.model.checkpoint import load_network
    from chronomask.model.importing import import_weights
    from chronomask.model.importing.report import import_table
    from chronomask.training.distributed import is_first_process

    if path is not None:
        report = import_weights(network, path, fpn=import_fpn)
        if is_first_process():
            console(errors=True).print(import_table(report))
        return
    bundled = load_network(bundled_weights("lite"))
    if network.config.backbone == bundled.config.backbone:
        network.backbone.load_state_dict(bundled.backbone.state_dict())
        if is_first_process():
            print(f"chronomask: the {network.config.backbone} starts from the bundled weights", file=sys.stderr)
        return
    print(
        f"chronomask: warning: the {network.config.backbone} starts from random weights; --backbone-weights names "
        "a file with better ones",
        file=sys.stderr,
    )
