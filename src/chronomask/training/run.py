"""Whole runs of training, as commands and Python start them: from data and weights to a folder with a checkpoint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from chronomask.config import HOLDOUT, RECIPES, MachineConfig, TrainConfig, WatchConfig, fine_tune_recipe
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import files_of, open_training_sources
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.model.checkpoint import save_network
from chronomask.progress import Progress, silent
from chronomask.training import finetune, loop
from chronomask.training.checkpoint import Run
from chronomask.training.distributed import is_first_process
from chronomask.training.folder import BEST, HEAD, WEIGHTS, run_folder, states
from chronomask.training.initial import Say, initial_network, unsaid
from chronomask.training.monitor import Monitor
from chronomask.training.pictures import Pictures
from chronomask.training.tensorboard import Board
from chronomask.training.validation import Listener, Validation, ValidationScores, read_scores


@dataclass(frozen=True)
class TrainingRun:
    """How a run ended.

    Attributes:
        step: steps done.
        steps: steps of the whole run. If a time limit ended it earlier, the same call goes on.
        weights: the checkpoint; not there yet if a time limit ended the run before its first step.
        scores: scores of the validations, by steps done. Fine-tuning is scored before and after.
    """

    step: int
    steps: int
    weights: Path
    scores: dict[int, ValidationScores]

    @property
    def made_worse(self) -> bool:
        """Whether what is held back was found better before fine-tuning than after it."""
        return self.step in self.scores and 0 in self.scores and self.scores[self.step].AP < self.scores[0].AP


def train(
    data: str | Sequence[str],
    out: str | Path,
    recipe: Literal["lite", "paper"] = "lite",
    *,
    init: Path | None = None,
    backbone_weights: Path | None = None,
    import_fpn: bool = False,
    config: TrainConfig | None = None,
    machine: MachineConfig = MachineConfig(),  # noqa: B008  (frozen)
    watch: WatchConfig = WatchConfig(),  # noqa: B008  (frozen)
    overwrite: bool = False,
    monitors: Sequence[Monitor] = (),
    listeners: Sequence[Listener] = (),
    say: Say = unsaid,
) -> TrainingRun:
    """Trains a network on annotated stills and videos. If a run was killed, call it again: it goes on.

    Examples:
        >>> from chronomask.config import MachineConfig
        >>> cards = MachineConfig(device="cuda")
        >>> run = chronomask.train("stills.json", "runs/own", machine=cards)  # doctest: +SKIP

    Args:
        data: annotation files or folders, each with options behind commas, as `chronomask train --help` lists them.
        out: folder of the run.
        recipe: the settings, if `config` does not give them.
        init: start from this checkpoint.
        backbone_weights: start from these weights for the backbone, of another program or a checkpoint.
        import_fpn: take the pyramid from them too.
        config: what is trained.
        machine: how: device, precision, workers, checkpoints.
        watch: what is measured meanwhile.
        overwrite: whether another run in `out`, or other files there, may be replaced.
        monitors: called with every step.
        listeners: called with every validation.
        say: called with what people want to know, a sentence or table each.

    Raises:
        InputError: data, weights or settings cannot be used, or the folder holds another run.
        TrainingError: training failed; says why.
    """
    sources, out, config = [data] if isinstance(data, str) else list(data), Path(out), config or RECIPES[recipe]()
    origin: dict[str, Any] = {"recipe": recipe, "data": sources, "init": str(init)}
    origin |= {"backbone_weights": str(backbone_weights), "import_fpn": import_fpn, "validate": str(watch.validate)}
    with _folder(out, sources, [init, backbone_weights, watch.validate], overwrite):
        network = initial_network(config, init, backbone_weights, import_fpn, say)
        opened = open_training_sources(sources, network.config.categories, skip_broken=config.skip_broken)
        for source in opened:
            _say_notes(source, say)
        validation = None
        if watch.validate is not None:
            names = [category.name for category in network.config.categories]
            validation = Validation(watch.validate, names, every=watch.validate_every, device=machine.device)
        watching = [*monitors, *_watchers(watch, validation, listeners, opened, config, out)]
        step = loop.train(network, opened, config, out, machine, watching, origin, overwrite)
        return TrainingRun(step, config.steps, out / WEIGHTS, read_scores(out))


def fine_tune(
    data: str | Path,
    out: str | Path,
    weights: str | Path = "lite",
    *,
    holdout: float = HOLDOUT,
    config: TrainConfig | None = None,
    machine: MachineConfig = MachineConfig(),  # noqa: B008  (frozen)
    watch: WatchConfig = WatchConfig(),  # noqa: B008  (frozen)
    overwrite: bool = False,
    monitors: Sequence[Monitor] = (),
    listeners: Sequence[Listener] = (),
    say: Say = unsaid,
    progress: Progress = silent,
) -> TrainingRun:
    """Teaches a trained model the classes of one annotated file or folder, in minutes on a laptop.

    Draws what it learns from (preview.png), holds some entries back, and scores them before and after. If they were
    found better before, the run leaves the weights of before. If a run was killed, call it again: it goes on, and ends
    with the weights of a run in one piece.

    Examples:
        >>> run = chronomask.fine_tune("mine", "runs/mine")  # doctest: +SKIP
        >>> result = chronomask.segment("video.mp4", run.weights)  # doctest: +SKIP

    Args:
        data: annotation file or folder, with options behind commas.
        out: folder of the run.
        weights: "lite" or a checkpoint file.
        holdout: share of the entries to hold back, in [0, 1).
        config: what is trained; `fine_tune_recipe` by default.
        progress: shows how far the preparations are.
        machine, watch, overwrite, monitors, listeners, say: see `train`.

    Raises:
        InputError, TrainingError: see `train`.
    """
    begun, out, config = monotonic(), Path(out), config or fine_tune_recipe()
    if "LOCAL_RANK" in os.environ:
        raise InputError("--fine-tune: runs in one process, without torchrun")
    # Everything that decides the run, under the names that `train` has for it.
    origin: dict[str, Any] = {"recipe": "lite", "data": [str(data)], "init": "None", "backbone_weights": "None"}
    origin |= {"import_fpn": False, "fine_tune": str(weights), "holdout": holdout}
    with _folder(out, [str(data)], [weights], overwrite):
        start = finetune.fine_tuning(str(weights), str(data), config, holdout)
        _say_notes(start.source, say)
        say(finetune.class_table(start))
        # Now, for the folder of another run is not to be touched.
        with Run(out, start.network, config, machine, origin, overwrite).claimed():
            validation = _prepare(start, out, config, machine, say, progress)
            end, kept = begun + machine.seconds, out / HEAD
            if not states(out) and not finetune.fit_new_classes(
                start, config, progress, lambda: monotonic() >= end, kept
            ):
                return TrainingRun(0, config.steps, out / WEIGHTS, read_scores(out))
        before = read_scores(out).get(0)
        watching = [*monitors, *_watchers(watch, validation, listeners, [start.source], config, out)]
        best = None if before is None else before.AP
        step = loop.train(start.network, [start.source], config, out, machine, watching, origin, overwrite, begun, best)
        kept.unlink(missing_ok=True)
        ended = TrainingRun(step, config.steps, out / WEIGHTS, read_scores(out))
        if ended.made_worse:
            with written_aside(ended.weights) as aside:
                shutil.copyfile(out / BEST, aside)
        return ended


def _prepare(
    start: finetune.FineTuning, out: Path, config: TrainConfig, machine: MachineConfig, say: Say, progress: Progress
) -> Validation | None:
    """Shows what will be learned from, and scores the weights on what is held back: the best ones so far.

    Of a run that goes on, what was done already is left as it is.
    """
    fresh, validation = not states(out), None
    if fresh:
        finetune.draw_preview(start, config, out / "preview.png")
        say(f"what it will learn from: {out / 'preview.png'}")
    if len(start.held):
        names = [category.name for category in start.network.config.categories]
        instances, frames = finetune.write_held(start.held, out / "holdout", progress, config.skip_broken)
        validation = Validation(instances, names, every=config.steps, device=machine.device, frames=frames)
        if fresh:
            say("scoring what is held back ...")
            say(f"held back, before: {validation.run(0, start.network, out)}")
            save_network(out / BEST, start.network, half=True)
    return validation


def _folder(out: Path, sources: Sequence[str], reads: Sequence[str | Path | None], overwrite: bool) -> ExitStack:
    """Keeps other runs out of the folder; in the first process of several."""
    stack = ExitStack()
    if is_first_process():
        stack.enter_context(run_folder(out, [*files_of(sources), *reads], overwrite))
    return stack


def _say_notes(source: WeightedSource, say: Say) -> None:
    for note in source.reader.notes:
        say(f"chronomask: note: {note}")


def _watchers(
    watch: WatchConfig,
    validation: Validation | None,
    listeners: Sequence[Listener],
    sources: Sequence[WeightedSource],
    config: TrainConfig,
    out: Path,
) -> list[Monitor]:
    """Those who watch a run from inside, in its first process."""
    if not is_first_process():
        return []
    board = Board(out) if watch.tensorboard else None
    watchers: list[Monitor] = [board] if board else []
    if validation is not None:
        validation.listeners = [*listeners, *([board.scores] if board else [])]
        watchers.append(validation)
    if watch.pictures_every:
        watchers.append(Pictures(sources, config, watch.pictures_every, [board.picture] if board else []))
    return watchers
