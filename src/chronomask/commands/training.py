"""The command that trains."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from chronomask.commands.progress import progress_bar, say
from chronomask.config import (
    HOLDOUT,
    RECIPES,
    MachineConfig,
    TrainConfig,
    WatchConfig,
    fine_tune_recipe,
)
from chronomask.errors import InputError
from chronomask.terminal import begin

if TYPE_CHECKING:
    from chronomask.training.run import TrainingRun


@dataclass(frozen=True)
class StartOptions:
    """The weights that a run starts from.

    Attributes:
        init: checkpoint of this project to start from.
        backbone_weights: file with others' weights for the backbone: for a ResNet a COCO Mask R-CNN or an ImageNet
            classifier of torchvision, detectron2 or maskrcnn-benchmark; for a MobileNetV2 a frozen TensorFlow graph of
            SSD. Without it the small model starts from the backbone of the bundled weights.
        import_fpn: take the feature pyramid from --backbone-weights too.
        fine_tune: start from this bundled model (lite) or checkpoint file, and learn the classes of DATA, one file or
            folder. The settings below then are those of a short run: 200 steps instead of 6000, learning rate 3e-4,
            clips of 4 frames. With it, --help shows them: chronomask train --fine-tune lite --help.
        holdout: with --fine-tune, the share of the pictures or videos (40 at most) that are not trained on but scored.
    """

    init: Path | None = None
    backbone_weights: Path | None = None
    import_fpn: bool = False
    fine_tune: str | None = None
    holdout: float = HOLDOUT


def train(
    data: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA...")],
    /,
    out: Path,
    recipe: Literal["lite", "paper"] = "lite",
    start: Annotated[StartOptions, tyro.conf.arg(name="")] = StartOptions(),
    overwrite: bool = False,
    watch: Annotated[WatchConfig, tyro.conf.arg(name="")] = WatchConfig(),  # noqa: B008
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = TrainConfig(),  # noqa: B008
    machine: Annotated[MachineConfig, tyro.conf.arg(name="")] = MachineConfig(),  # noqa: B008
) -> None:
    """Train a network on annotated stills and videos.

    For your own objects: chronomask train FOLDER --fine-tune lite --out RUN. The bundled model then learns the classes
    of that folder, in minutes on a laptop. It draws what it will learn from (preview.png), holds a fifth of the entries
    back, and says how well it finds those before and after. Without --fine-tune a network is trained from its backbone
    on, which takes hours or days.

    A run that was killed or stopped goes on when the same command is given again. Several processes, on one machine or
    many, train together under torchrun: torchrun --nproc-per-node 2 --no-python chronomask train ...

    Args:
        data: annotation files or folders in COCO, YouTube-VIS or Pascal VOC form, or in any format that convert reads.
            Options follow behind commas, as in mine,partial:
            partial (not every object has a mask: what has none is unknown, not background), images=FOLDER (where the
            pictures are), stills (the pictures of a LabelMe folder are no video), without=boat+hike (leave these
            entries out), weight=0.4 (share of the clips; by default 0.6 for videos, 0.3 for COCO and 0.1 for VOC),
            mapping=FILE (other names for classes), unmapped=object|ignore|drop (what to do with classes that the
            network does not have).
        out: folder of the run. It will hold model.safetensors (the weights, a moving average), best.safetensors (the
            best ones, where there is a validation), config.json, log.csv, state-*.pt (to go on from) and skipped.txt.
        recipe: what the settings below are where you say nothing else: those of the small model, or those of the paper
            (section 5.3).
        start: the options below.
        overwrite: replace what is in --out: a run with other settings, or files that belong to no run. They go when the
            first checkpoint is complete.
        watch: the settings below.
        config: the settings below.
        machine: the settings below.
    """
    begin(f"reading {', '.join(data)}")

    from chronomask.training import run
    from chronomask.training.distributed import is_first_process
    from chronomask.training.initial import unsaid
    from chronomask.training.progress import ProgressLine

    with ProgressLine() as line:
        shared: dict[str, Any] = {"config": config, "machine": machine, "watch": watch, "overwrite": overwrite}
        shared |= {"monitors": [line], "listeners": [line.scores], "say": say if is_first_process() else unsaid}
        first = {name: getattr(start, name) for name in ("init", "backbone_weights", "import_fpn")}
        if start.fine_tune is None:
            _check_no_holdout(start)
            ended = run.train(data, out, recipe, **first, **shared)
        else:
            _check_fine_tune(data, recipe, first, config, watch)
            ended = run.fine_tune(data[0], out, start.fine_tune, holdout=start.holdout, progress=progress_bar, **shared)
    if is_first_process():
        _say_how_it_ended(ended)


def _say_how_it_ended(run: TrainingRun) -> None:
    state = "finished" if run.step == run.steps else "stopped; the same command continues from here"
    print(f"step {run.step} of {run.steps}: {state}")
    if run.weights.exists():
        print(f"weights: {run.weights}")
    if 0 in run.scores and 0 < run.step in run.scores:
        print(f"held back, before: {run.scores[0]}\nheld back, after:  {run.scores[run.step]}")
    if run.made_worse:
        print("training made it worse on what is held back: these are the weights from before the training")


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


def _check_no_holdout(start: StartOptions) -> None:
    if start.holdout != HOLDOUT:
        raise InputError(f"--holdout {start.holdout}: only --fine-tune holds data back; see --validate")


def _check_fine_tune(
    data: Sequence[str], recipe: str, first: Mapping[str, object], config: TrainConfig, watch: WatchConfig
) -> None:
    """Raises InputError where something is asked for that --fine-tune has already, or more than it takes."""
    beside = {
        "--recipe": recipe != "lite",
        **{f"--{name.replace('_', '-')}": given for name, given in first.items()},
        "--classes": config.classes,
        "--validate": watch.validate,
        "--model": config.model != fine_tune_recipe().model,
        "--validate-every": watch.validate_every != WatchConfig().validate_every,
    }
    if option := next((option for option, given in beside.items() if given), None):
        raise InputError(
            f"{option}: not together with --fine-tune, which has weights, classes, recipe and validation already"
        )
    if len(data) != 1:
        raise InputError(f"--fine-tune: takes one file or folder, not {len(data)}")
