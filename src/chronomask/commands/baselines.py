"""The commands of other systems than ours: baseline, table1."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.baselines.budget import Budget
from chronomask.baselines.run import First
from chronomask.baselines.systems import SystemName
from chronomask.commands.progress import progress_bar, say
from chronomask.config import MachineConfig


def baseline(
    name: Annotated[Positional[SystemName], tyro.conf.arg(metavar="NAME")],
    instances: Annotated[Positional[Path], tyro.conf.arg(metavar="DATA")],
    /,
    frames: Path,
    out: Path,
    weights: Path | None = None,
    model: str = "lite",
    detections: Path | None = None,
    first: First = "detections",
    overwrite: bool = False,
) -> None:
    """Track the objects of a data set by another system than ours, to compare with.

    The trackers over detections are iou-tracker (IoUTracker+), deep-sort, seq-tracker and mask-track (the association
    of MaskTrack R-CNN); osmn gives detections to the masks that it expects; osmn-maskprop and feelvos carry masks on.
    The last four need --weights, which `chronomask table1` trains.

    Args:
        name: iou-tracker, deep-sort, seq-tracker, mask-track, osmn, osmn-maskprop or feelvos.
        instances: YouTube-VIS-form file that lists the videos and categories.
        frames: folder that the file names of the frames are relative to.
        out: file for the tracks, in the form of tracks.json.
        weights: checkpoint of the system's own network, as table1 leaves it in work/train-NAME/model.safetensors.
        model: what finds objects in single frames: a bundled model (lite), a folder that `chronomask export` wrote for
            clips of one frame, or a checkpoint, such as that of table1 in work/train-frames.
        detections: COCO json of detections instead, one image a frame, with the file names of the frames.
        first: what osmn-maskprop and feelvos carry on: the detections of the first frame that has some, or the truth
            (each object in its first annotated frame, which no other system is told).
        overwrite: replace --out where it is there already.
    """
    from chronomask.baselines.run import baseline as run

    found = run(
        name,
        instances,
        frames,
        out,
        weights=weights,
        model=model,
        detections=detections,
        first=first,
        overwrite=overwrite,
        progress=progress_bar,
    )
    print(f"{found} tracks: {out}")


def table1(
    data: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA...")],
    /,
    train: tuple[str, ...],
    out: Path,
    start: str = "lite",
    first: First = "detections",
    resamples: int = 1000,
    style: Literal["markdown", "csv", "latex"] = "markdown",
    overwrite: bool = False,
    budget: Annotated[Budget, tyro.conf.arg(name="")] = Budget(),  # noqa: B008  (frozen)
    machine: Annotated[MachineConfig, tyro.conf.arg(name="")] = MachineConfig(),  # noqa: B008  (frozen)
) -> None:
    """Train and judge the seven systems that the paper compares with, and ours: its Table 1, on your data.

    All start from the same weights and see the same number of frames of the same training data; those that track
    detections track the same ones. Numbers are those of `chronomask compare`, with bootstrap intervals, the cost is
    measured, and what was published on YouTube-VIS stands beside it. A killed run goes on when the same command is
    given again.

    Args:
        data: annotation files of YouTube-VIS form to judge on, each with options behind commas: images=FOLDER,
            without=NAME+NAME (videos to leave out).
        train: training data, as `chronomask train` takes it.
        out: folder for table1.md, table1.csv and table1.tex; work/ in it has networks, detections and tracks.
        start: the weights that all begin with, and ours: a bundled model or a checkpoint.
        first: what OSMN MaskProp and FEELVOS carry on, see `chronomask baseline --help`.
        resamples: how often the videos are drawn anew for the intervals; 0 for none.
        style: how to print the table.
        overwrite: replace a run with other settings in --out.
        budget: the settings below.
        machine: the settings below.
    """
    from chronomask.baselines.table1 import TABLES
    from chronomask.baselines.table1 import table1 as run
    from chronomask.training.progress import ProgressLine

    with ProgressLine() as line:
        made = run(
            data,
            train,
            out,
            start=start,
            budget=budget,
            first=first,
            machine=machine,
            resamples=resamples,
            overwrite=overwrite,
            monitors=[line],
            progress=progress_bar,
            say=say,
        )
    print(next(made.texts[name] for name, written in TABLES.items() if written == style))
    print("\n".join(f"written: {out / name}" for name in TABLES))
