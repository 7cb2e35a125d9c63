"""The command line: one typed function a command; whatever a command needs is imported inside it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.config import SegmentConfig, TrainConfig
from chronomask.errors import InputError

if TYPE_CHECKING:
    from chronomask.inference.job import TrackRow

app = tyro.extras.SubcommandApp()


@app.command
def segment(
    sources: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="SRC...")],
    /,
    out: Path,
    model: str = "lite",
    checkpoint: Path | None = None,
    device: str = "auto",
    classes: str = "",
    fps: float = 25.0,
    overlay: bool = True,
    overwrite: bool = False,
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(),  # noqa: B008  (frozen)
) -> None:
    """Find, name, cut out and follow every object of a video.

    Writes overlay.mp4 (the video with its tracks drawn in), tracks.json (YouTube-VIS annotations with scores) and
    results.json (a YouTube-VIS submission), and prints a table of the tracks.

    Args:
        sources: video files, folders of frames, or patterns of images. With one, the files lie in --out; with several,
            in a folder of its own for each.
        out: folder for the results; made if missing.
        model: a bundled model.
        checkpoint: a checkpoint file instead of a bundled model.
        device: auto (a CUDA card where there is one), cpu, cuda, cuda:1, ...
        classes: only tracks of these classes, names joined by commas, such as "person,dog"; all by default.
        fps: frames a second of folders of frames.
        overlay: whether to write overlay.mp4.
        overwrite: replace the results of an earlier run.
        config: the settings below.
    """
    from chronomask.inference.job import check_output, segment_to_folder
    from chronomask.inference.load import bundled_weights, load
    from chronomask.video import open_source

    if not sources:
        raise InputError("no source: name at least one video file, folder of frames or pattern")
    opened = [open_source(source, fps) for source in sources]
    folders = [out] if len(opened) == 1 else [out / source.name for source in opened]
    if len(set(folders)) < len(folders):
        raise InputError("two sources have the same name, and so would have the same folder of results")
    for folder in folders:
        check_output(folder, overwrite)
    path = checkpoint or bundled_weights(model)
    segmenter = load(path, device, config)
    wanted = tuple(name.strip() for name in classes.split(",") if name.strip())
    for source, folder in zip(opened, folders, strict=True):
        rows = segment_to_folder(
            segmenter,
            source,
            folder,
            checkpoint=path,
            classes=wanted,
            overlay=overlay,
            overwrite=overwrite,
            progress=_progress,
        )
        if source.damage:
            print(f"chronomask: warning: {source.name}: {source.damage}", file=sys.stderr)
        _print_tracks(rows, folder, overlay)


def _progress(items: Iterable, task: str, total: int | None) -> Iterator:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # On the error stream: the table alone goes to the output.
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(items, description=task, total=total)


def _print_tracks(rows: list[TrackRow], folder: Path, overlay: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "class", "score", "first", "last", "mean area")
    for row in rows:
        table.add_row(str(row.id), row.name, f"{row.score:.2f}", str(row.first), str(row.last), f"{row.area:,.0f} px")
    console = Console()
    console.print(table if rows else "no tracks above the score threshold (--score)")
    print(f"results: {folder / 'tracks.json'}, {folder / 'results.json'}")
    if overlay:
        print(f"overlay: {folder / 'overlay.mp4'}")


@app.command
def predict(
    instances: Annotated[Positional[Path], tyro.conf.arg(metavar="INSTANCES.json")],
    /,
    frames: Path,
    out: Path,
    model: str = "lite",
    checkpoint: Path | None = None,
    device: str = "auto",
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(score=0.0, max_tracks=100),  # noqa: B008
) -> None:
    """Segment every video of a data set, for evaluation.

    Finished videos are kept: a killed run continues when the same command is given again. Low-scored tracks are kept,
    because average precision wants them.

    Args:
        instances: YouTube-VIS-form file that lists the videos and categories (annotations in it are not looked at).
        frames: folder that the file names of the frames are relative to.
        out: file for the tracks; the plain submission list goes to results.json beside it.
        model: a bundled model.
        checkpoint: a checkpoint file instead of a bundled model.
        device: auto (a CUDA card where there is one), cpu, cuda, cuda:1, ...
        config: the settings below.
    """
    from chronomask.inference.load import bundled_weights, load
    from chronomask.inference.predict import predict as run

    path = checkpoint or bundled_weights(model)
    found = run(load(path, device, config), instances, frames, out, checkpoint=path, progress=_progress)
    print(f"{found} tracks: {out}, {out.with_name('results.json')}")


@app.command
def evaluate(
    truth: Annotated[Positional[Path], tyro.conf.arg(metavar="GT.json")],
    results: Annotated[Positional[Path], tyro.conf.arg(metavar="RESULTS.json")],
    /,
    json: Path | None = None,
    report: Path | None = None,
    frames: Path | None = None,
    davis: Literal["no", "one", "many"] = "no",
    tracking: bool = False,
) -> None:
    """Score results as YouTube-VIS does: AP, AP50, AP75, AR1, AR10 first, then the rest, overall and per class.

    Args:
        truth: annotation file in YouTube-VIS form.
        results: a submission list or a tracks.json.
        json: also write the numbers to this file.
        report: also write an html report: curves, worst videos, and what the lost AP was lost to.
        frames: folder of the frames, for the pictures in the report.
        davis: also print J and F: of all objects together (one, as DAVIS-2016) or of each (many, DAVIS-2017).
        tracking: also print HOTA and IDF1 (needs the package trackeval).
    """
    from rich.console import Console

    from chronomask.evaluation import ap
    from chronomask.files import written_aside

    console = Console()
    if report is not None:
        from chronomask.evaluation.errors import breakdown_table
        from chronomask.evaluation.report import write_report

        written = write_report(report, truth, results, frames)
        evaluation = written.evaluation
        console.print(ap.evaluation_table(evaluation), breakdown_table(written.breakdown))
        print(f"report: {report}")
    elif frames is not None:
        raise InputError(f"--frames {frames}: is for the pictures of a report; say --report FILE.html too")
    else:
        evaluation = ap.evaluate(truth, results)
        console.print(ap.evaluation_table(evaluation))
    if davis != "no":
        from chronomask.evaluation.davis import davis as score_davis
        from chronomask.evaluation.davis import davis_table

        console.print(davis_table(score_davis(truth, results, davis)))
    if tracking:
        from chronomask.evaluation.tracking import tracking as score_tracking
        from chronomask.evaluation.tracking import tracking_table

        console.print(tracking_table(score_tracking(truth, results)))
    if json is not None:
        with written_aside(json) as aside:
            aside.write_text(dumps(ap.evaluation_json(evaluation), indent=1))


@app.command
def validate(file: Annotated[Positional[Path], tyro.conf.arg(metavar="FILE")], /, against: Path | None = None) -> int:
    """Find every fault of an annotation or result file, each with its place.

    Errors are what makes the official evaluator crash or miscount; the exit code is then 2. All else is a warning.

    Args:
        file: an annotation file, a submission list or a tracks.json.
        against: the annotation file that results are for; its annotations may be missing, as those of test sets are.
    """
    from rich.console import Console

    from chronomask.evaluation.validate import validate as check
    from chronomask.evaluation.validate import validation_table

    validation = check(file, against)
    Console().print(validation_table(validation))
    return 2 if validation.errors else 0


@app.command
def compare(
    truth: Annotated[Positional[Path], tyro.conf.arg(metavar="GT.json")],
    results: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RESULTS.json...")],
    /,
    style: Literal["table", "markdown", "csv", "latex"] = "table",
    resamples: int = 1000,
) -> None:
    """One table over several methods, with bootstrap intervals over the videos and differences to the first.

    Args:
        truth: annotation file in YouTube-VIS form.
        results: one result file a method; the method is called by the file's path without its ending.
        style: how to print it.
        resamples: how often the videos are drawn anew for the intervals; 0 for none.
    """
    from rich.console import Console

    from chronomask.evaluation.compare import compare as run
    from chronomask.evaluation.compare import comparison_table, comparison_text

    comparison = run(truth, {str(path.with_suffix("")): path for path in results}, resamples)
    if style == "table":
        Console().print(comparison_table(comparison))
    else:
        print(comparison_text(comparison, style))


@app.command
def submit(
    results: Annotated[Positional[Path], tyro.conf.arg(metavar="RESULTS.json")],
    /,
    out: Path,
    against: Path | None = None,
) -> None:
    """Check results and pack them into the zip that evaluation servers take.

    Args:
        results: a submission list or a tracks.json.
        out: the zip to write.
        against: the annotation file of the videos, to check the results against.
    """
    from chronomask.evaluation.submission import submit as pack

    packed = pack(results, out, against)
    for warning in packed.warnings:
        print(f"chronomask: warning: {warning.place}: {warning.message}", file=sys.stderr)
    print(f"{packed.results} results: {packed.path}")


@app.command
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
    from chronomask.model.checkpoint import load_imagenet, load_network
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


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 our fault, 2 the input's or the caller's, 130 Ctrl-C."""
    try:
        code = app.cli(
            prog="chronomask", args=arguments, description="Find, name, cut out and follow every object in a video."
        )
    except InputError as error:
        print(f"chronomask: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("chronomask: interrupted", file=sys.stderr)
        return 130
    return code or 0
