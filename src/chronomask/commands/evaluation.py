"""Commands that read results: evaluate, validate, compare, submit."""

from __future__ import annotations

import sys
from json import dumps
from math import isnan
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.commands.notes import print_note
from chronomask.errors import InputError
from chronomask.terminal import console


def evaluate(
    truth: Annotated[Positional[Path], tyro.conf.arg(metavar="GT.json")],
    results: Annotated[Positional[Path], tyro.conf.arg(metavar="RESULTS.json")],
    /,
    json: Path | None = None,
    report: Path | None = None,
    frames: Path | None = None,
    classes: tuple[str, ...] = (),
    class_agnostic: bool = False,
    open_vocabulary: bool = False,
    boxes: bool = False,
    davis: Literal["no", "one", "many"] = "no",
    tracking: bool = False,
    min_score: float | None = None,
    overwrite: bool = False,
) -> None:
    """Score results as YouTube-VIS does: AP, AP50, AP75, AR1, AR10 first, then the rest, overall and per class.

    Args:
        truth: annotations in YouTube-VIS form, or in any format that convert reads.
        results: a submission list or a tracks.json, or results in any format that convert reads.
        json: also write the numbers to this file.
        report: also write an html report: curves, worst videos, and what the lost AP was lost to.
        frames: folder of the frames, for the pictures in the report.
        classes: names of the only classes that count, joined by commas or one after the other.
        class_agnostic: score as if there were one class only.
        open_vocabulary: a result counts only in videos where its class was looked for: those with an object of it, and
            those that name it in labelled_classes.
        boxes: also print AP of the boxes around the masks.
        davis: also print J and F: of all objects together (one, as DAVIS-2016) or of each (many, DAVIS-2017).
        tracking: also print HOTA and IDF1, per class and their mean (needs the package trackeval).
        min_score: J, F, HOTA and IDF1 know no scores: results below this one are left out of them. By default that is
            none for J and F, and those below 0.5 for HOTA and IDF1.
        overwrite: replace --json and --report where they are there already.
    """
    from chronomask.claims import Output, claimed
    from chronomask.evaluation import ap
    from chronomask.evaluation.selection import Selection
    from chronomask.evaluation.validate import read_results, read_truth
    from chronomask.files import written_aside

    if min_score is not None and davis == "no" and not tracking:
        raise InputError(f"--min-score {min_score}: is for --davis and --tracking; AP takes results of every score")
    if frames is not None and report is None:
        raise InputError(f"--frames {frames}: is for the pictures of a report; say --report FILE.html too")
    names = tuple(name.strip() for text in classes for name in text.split(",") if name.strip())
    if classes and not names:
        raise InputError(f"--classes {','.join(classes)!r}: names no class")
    if tracking:
        from chronomask.evaluation.tracking import installed_metrics

        installed_metrics()
    outputs = [Output(path) for path in (json, report) if path is not None]
    with claimed(outputs, [truth, results], [frames], overwrite):
        terminal = console()
        annotated = read_truth(truth, print_note)
        selection = Selection(names, open_vocabulary, class_agnostic)
        found = read_results(results, annotated, print_note, class_agnostic)
        annotated, found = selection.of(annotated, found, print_note)
        if report is not None:
            from chronomask.evaluation.error_analysis import breakdown_table
            from chronomask.evaluation.report import draw_report

            written = draw_report(report, (str(results), str(truth)), annotated, found, frames)
            evaluation = written.evaluation
            terminal.print(ap.evaluation_table(evaluation), breakdown_table(written.breakdown))
            print(f"report: {report}")
        else:
            evaluation = ap.score(annotated, found)
            terminal.print(ap.evaluation_table(evaluation))
        numbers = ap.evaluation_json(evaluation)
        threshold = {} if min_score is None else {"min_score": min_score}
        if boxes:
            by_boxes = ap.score(annotated, found, "boxes")
            terminal.print(ap.evaluation_table(by_boxes, "the same of the boxes around the masks"))
            numbers["boxes"] = ap.evaluation_json(by_boxes)
        if davis != "no":
            from chronomask.evaluation.davis import davis_table, score_davis

            regions = score_davis(annotated, found, davis, **threshold)
            terminal.print(davis_table(regions))
            numbers["davis"] = _numbers(regions, ("J", "F", "J_and_F"))
        if tracking:
            from chronomask.evaluation.tracking import score_tracking, tracking_table

            identities, keys = score_tracking(annotated, found, **threshold), ("HOTA", "DetA", "AssA", "IDF1")
            terminal.print(tracking_table(identities))
            per_category = {name: _numbers(scores, keys) for name, scores in identities.per_category.items()}
            numbers["tracking"] = _numbers(identities.scores, keys) | {"per_category": per_category}
        if json is not None:
            with written_aside(json) as aside:
                aside.write_text(dumps(numbers, indent=1, allow_nan=False))


def _numbers(scores: object, names: tuple[str, ...]) -> dict[str, float]:
    """By name; -1 where there is nothing to find, as AP has it, for NaN is no json."""
    values = ((name, getattr(scores, name)) for name in names)
    return {name: -1.0 if isnan(value) else value for name, value in values}


def validate(file: Annotated[Positional[Path], tyro.conf.arg(metavar="FILE")], /, against: Path | None = None) -> int:
    """Find every fault of an annotation or result file, each with its place.

    Errors are what cannot be meant, and every command refuses; the exit code is then 2. Warnings are what servers are
    strict about beyond that, and what is hardly wanted.

    Args:
        file: an annotation file, a submission list or a tracks.json.
        against: the annotation file that results are for; its annotations may be missing, as those of test sets are.
    """
    from chronomask.evaluation.validate import validate as check
    from chronomask.evaluation.validate import validation_table

    validation = check(file, against, print_note)
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
        results: one result file a method; the method is called by the file's path without its ending.
        style: how to print it.
        resamples: how often the videos are drawn anew for the intervals; 0 for none.
    """
    from chronomask.evaluation.compare import compare as run
    from chronomask.evaluation.compare import comparison_table, comparison_text

    comparison = run(truth, {str(path.with_suffix("")): path for path in results}, resamples, note=print_note)
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
        results: a submission list or a tracks.json.
        out: the zip to write.
        against: the annotation file of the videos, to check the results against.
        overwrite: replace --out where it is there already.
    """
    from chronomask.claims import Output, claimed
    from chronomask.evaluation.submission import submit as pack

    with claimed([Output(out)], [results, against], overwrite=overwrite):
        packed = pack(results, out, against)
    for warning in packed.warnings:
        print(f"chronomask: warning: {warning.place}: {warning.message}", file=sys.stderr)
    print(f"{packed.results} results: {packed.path}")
