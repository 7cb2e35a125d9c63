"""Commands that make a checkpoint of others, without a training run: calibrate, average, names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import Positional

from chronomask.commands.progress import progress_bar
from chronomask.config import TUBE_STATISTICS, MixtureConfig, NamesConfig
from chronomask.errors import InputError
from chronomask.terminal import begin, console

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIPS = MixtureConfig(length=8, height=256, width=448, view=1.1)
"""Clips of the size at which videos are segmented."""


def calibrate(
    weights: Annotated[Positional[Path], tyro.conf.arg(metavar="WEIGHTS")],
    data: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA...")],
    /,
    out: Path,
    clips: int = 300,
    seed: int = 0,
    overwrite: bool = False,
    clip: MixtureConfig = CLIPS,
) -> None:
    """Fit the score of tracks, so that it says how likely a track is right.

    Segments clips drawn from annotated data, and fits to every tube found whether it covers one object with an IoU of
    0.5. The weights do not change; the coefficients are written with them. Best after the last training.

    Args:
        weights: checkpoint file, such as the model.safetensors of a training run.
        data: annotated data as `chronomask train` takes it, with the same options behind commas.
        out: checkpoint file to write, with weights in half precision; another one than WEIGHTS.
        clips: to draw; a second each on a laptop.
        seed: of all chance.
        overwrite: replace --out where it is there already.
        clip: what the clips look like.
    """
    begin(f"reading {weights}")

    from chronomask.claims import Output, claimed
    from chronomask.data.sources import files_of, open_training_sources
    from chronomask.model.checkpoint import load_network, save_network
    from chronomask.training.calibration import calibrated, fit_tube_score, judged_tubes

    if not data:
        raise InputError("DATA: name at least one annotation file")
    with claimed([Output(out)], [weights, *files_of(data)], overwrite=overwrite):
        network = load_network(weights)
        sources = open_training_sources(data, network.config.categories)
        judged = []
        for tubes in progress_bar(judged_tubes(network, sources, clip, clips, seed), "clips", clips):
            judged += tubes
        coefficients = fit_tube_score(judged)
        save_network(out, calibrated(network, coefficients), half=True)
    _show(judged, coefficients)
    print(f"weights: {out}")


def average(
    weights: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="WEIGHTS...")],
    /,
    out: Path,
    overwrite: bool = False,
) -> None:
    """Average checkpoints that were trained on from one another: often better than each of them.

    Fit the score afterwards with `chronomask calibrate`: its coefficients are those of the first checkpoint.

    Args:
        weights: two or more checkpoint files of one network.
        out: checkpoint file to write, with weights in half precision.
        overwrite: replace --out where it is there already.
    """
    from chronomask.claims import Output, claimed
    from chronomask.model.checkpoint import load_network, save_network
    from chronomask.training.average import mean_of

    if len(weights) < 2:
        raise InputError("WEIGHTS: name two checkpoints or more")
    with claimed([Output(out)], list(weights), overwrite=overwrite):
        save_network(out, mean_of([load_network(path) for path in weights]), half=True)
    print(f"weights: {out}")


def names(
    weights: Annotated[Positional[Path], tyro.conf.arg(metavar="WEIGHTS")],
    data: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA...")],
    /,
    detector: Path,
    out: Path,
    overwrite: bool = False,
    config: Annotated[NamesConfig, tyro.conf.arg(name="")] = NamesConfig(),  # noqa: B008  (frozen)
) -> None:
    """Teach a checkpoint names: by labelled stills, and by what a detector says of them.

    Nothing but the class head changes. Fit the score afterwards with `chronomask calibrate`: the probability of the
    name is part of it.

    Args:
        weights: checkpoint file whose class head reads the backbone, as that of the bundled model does.
        data: annotated stills as `chronomask train` takes them, with the same options behind commas.
        detector: the frozen graph (.pb) of TensorFlow's SSD MobileNetV2, which has seen the boxes of all of COCO; the
            page on initial weights says where to get it.
        out: checkpoint file to write, with weights in half precision; another one than WEIGHTS.
        overwrite: replace --out where it is there already.
        config: the options below.
    """
    from chronomask.claims import Output, claimed
    from chronomask.data.sources import files_of, open_training_sources
    from chronomask.model.checkpoint import load_network, save_network
    from chronomask.training.names import teach_names

    if not data:
        raise InputError("DATA: name at least one annotation file")
    with claimed([Output(out)], [weights, detector, *files_of(data)], overwrite=overwrite):
        network = load_network(weights)
        sources = open_training_sources(data, network.config.categories)
        teach_names(network, sources, detector, config, progress_bar)
        save_network(out, network, half=True)
    print(f"weights: {out}")


def _show(judged: Sequence[tuple[list[float], bool]], coefficients: tuple[float, ...]) -> None:
    """The coefficients, and what the scores are worth on the very tubes that they were fitted to."""
    from rich.table import Table

    from chronomask.tracking.tube_score import tube_score

    table = Table("score", "tubes", "of those right")
    scores = [tube_score(statistics, coefficients) for statistics, _ in judged]
    for tenth in range(10):
        answers = [right for score, (_, right) in zip(scores, judged, strict=True) if min(int(score * 10), 9) == tenth]
        share = f"{sum(answers) / len(answers):.2f}" if answers else ""
        table.add_row(f"{tenth / 10:.1f} to {tenth / 10 + 0.1:.1f}", str(len(answers)), share)
    terminal = console()
    terminal.print(table)
    terminal.print(", ".join(f"{name} {c:+.2f}" for name, c in zip(TUBE_STATISTICS, coefficients, strict=True)))
