"""Commands that read results: evaluate, validate, compare, submit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.commands.naming import listed, method_names
from chronomask.config import EvaluateConfig
from chronomask.errors import InputError
from chronomask.terminal import begin, console, note, tell


def evaluate(
    truth: Annotated[Positional[Path], tyro.conf.arg(metavar="GT.json")],
    results: Annotated[Positional[Path], tyro.conf.arg(metavar="RESULTS.json")],
    /,
    json: Path | None = None,
    report: Path | None = None,
    frames: Path | None = None,
    overwrite: bool = False,
    config: Annotated[EvaluateConfig, tyro.conf.arg(name="")] = EvaluateConfig(),  # noqa: B008  (frozen)
) -> None:
    """Score results as YouTube-VIS does: AP, AP50, AP75, AR1, AR10 first, then the rest, overall and per class.

    All numbers are in percent. AP ranks results by their scores, so results without scores (folders of PNGs) are better
    judged by --davis many or --tracking.

    Args:
        truth: the annotations: YouTube-VIS json, or any format that convert reads, folders too.
        results: what is to be scored: a submission list, a tracks.json, or any format that convert reads.
        json: also write the numbers to this file.
        report: also write a report to this file (.html): curves, the worst videos with pictures, and what the lost AP
            was lost to.
        frames: folder of the frames, for the pictures in the report: the file names of the annotations lie in it or,
            where they name none, a folder for each video. Without it masks are drawn on grey.
        overwrite: replace --json and --report where they are there already.
        config: the options below.
    """
    begin(f"reading {results}")

    from chronomask.evaluation import ap
    from chronomask.evaluation.davis import davis_table
    from chronomask.evaluation.error_analysis import breakdown_table
    from chronomask.evaluation.evaluate import evaluate as run
    from chronomask.evaluation.tracking import tracking_table

    names = tuple(name for text in config.classes for name in listed(text))
    if config.classes and not names:
        raise InputError(f"--classes {','.join(config.classes)!r}: names no class")
    config, files = replace(config, classes=names), {"json": json, "report": report, "frames": frames}
    measured = run(truth, results, config, **files, overwrite=overwrite, note=note)
    terminal = console()
    terminal.print(ap.evaluation_table(measured.masks))
    if measured.breakdown is not None:
        terminal.print(breakdown_table(measured.breakdown))
        print(f"report: {report}")
    if measured.boxes is not None:
        terminal.print(ap.evaluation_table(measured.boxes, "the same of the boxes around the masks"))
    if measured.davis is not None:
        terminal.print(davis_table(measured.davis))
    if measured.tracking is not None:
        terminal.print(tracking_table(measured.tracking))


def validate(file: Annotated[Positional[Path], tyro.conf.arg(metavar="FILE")], /, against: Path | None = None) -> int:
    """Find every fault of an annotation or result file, each with its place.

    An error makes the file useless for every command; the exit code is then 2. A warning is something that you probably
    do not want, or that evaluation servers refuse. Without --against the file is looked at alone.

    Args:
        file: an annotation file, a submission list or a tracks.json.
        against: the annotation file that results are for; its annotations may be missing, as those of test sets are.
    """
    begin(f"reading {file}")

    from chronomask.evaluation.validate import validate as check
    from chronomask.evaluation.validate import validation_table

    validation = check(file, against, note)
    console().print(validation_table(validation))
    return 2 if validation.errors else 0


def compare(
    truth: Annotated[Positional[Path], tyro.conf.arg(metavar="GT.json")],
    results: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RESULTS.json...")],
    /,
    style: Literal["table", "markdown", "csv", "latex"] = "table",
    resamples: int = 1000,
) -> None:
    """One table over several methods, with bootstrap intervals over the videos and differences to the first.

    Args:
        truth: annotations in YouTube-VIS form, or in any format that convert reads.
        results: one result file or folder a method. A method is called by what its path has of its own: ours and
            theirs for scores/ours/results.json and scores/theirs/results.json.
        style: how to print it.
        resamples: how often the videos are drawn anew for the intervals; 0 for none.
    """
    begin(f"reading {truth}")

    from chronomask.evaluation.compare import compare as run
    from chronomask.evaluation.compare import comparison_table, comparison_text

    comparison = run(truth, method_names(results), resamples, note=note)
    if style == "table":
        console().print(comparison_table(comparison))
    else:
        print(comparison_text(comparison, style))


def submit(
    results: Annotated[Positional[Path], tyro.conf.arg(metavar="RESULTS.json")],
    /,
    out: Path,
    against: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Check results and pack them into the zip that evaluation servers take.

    Args:
        results: a submission list, a tracks.json, or results in any format that convert reads.
        out: the zip to write.
        against: the annotation file of the videos, to check the results against; needed for formats other than json,
            which have not the ids that servers know.
        overwrite: replace --out where it is there already.
    """
    from chronomask.claims import Output, claimed
    from chronomask.evaluation.submission import submit as pack

    with claimed([Output(out)], [results, against], overwrite=overwrite):
        packed = pack(results, out, against, note)
    for warning in packed.warnings:
        tell(f"{warning.place}: {warning.message}", "warning")
    print(f"{packed.results} results: {packed.path}")
