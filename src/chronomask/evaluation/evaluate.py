"""Everything that is measured of results: average precision, and what else is asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from json import dumps
from math import isnan
from pathlib import Path
from typing import Any, Literal

from chronomask.annotations.records import all_frames
from chronomask.claims import Output, check_frames, claimed
from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.evaluation import ap
from chronomask.evaluation.ap import Evaluation
from chronomask.evaluation.coverage import left_aside
from chronomask.evaluation.davis import DavisScores, score_davis
from chronomask.evaluation.error_analysis import Breakdown
from chronomask.evaluation.selection import Selection
from chronomask.evaluation.tracking import TrackingReport, installed_metrics, score_tracking
from chronomask.evaluation.validate import read_results, read_truth
from chronomask.files import written_aside
from chronomask.formats.reading import Note, unheard

USUAL_SCORE = SegmentConfig().score
"""What `segment` writes has this score or a higher one, if nothing else is said."""


@dataclass(frozen=True)
class Measured:
    """What was measured; None for what you did not ask for.

    Attributes:
        masks: average precision of the masks, as YouTube-VIS defines it.
        breakdown: what the lost average precision was lost to; with a report.
        boxes: average precision of the boxes around the masks.
        davis: J and F.
        tracking: HOTA and IDF1.
    """

    masks: Evaluation
    breakdown: Breakdown | None = None
    boxes: Evaluation | None = None
    davis: DavisScores | None = None
    tracking: TrackingReport | None = None

    def to_json(self) -> dict[str, Any]:
        """All numbers by name; -1 where there is nothing to find."""
        numbers = ap.evaluation_json(self.masks)
        if self.boxes is not None:
            numbers["boxes"] = ap.evaluation_json(self.boxes)
        if self.davis is not None:
            numbers["davis"] = _numbers(self.davis, ("J", "F", "J_and_F"))
        if self.tracking is not None:
            keys = ("HOTA", "DetA", "AssA", "IDF1")
            per_category = {name: _numbers(scores, keys) for name, scores in self.tracking.per_category.items()}
            numbers["tracking"] = _numbers(self.tracking.scores, keys) | {"per_category": per_category}
        return numbers


def evaluate(
    truth: str | Path,
    results: str | Path,
    *,
    json: Path | None = None,
    report: Path | None = None,
    frames: Path | None = None,
    classes: Collection[str] = (),
    class_agnostic: bool = False,
    open_vocabulary: bool = False,
    boxes: bool = False,
    davis: Literal["no", "one", "many"] = "no",
    tracking: bool = False,
    min_score: float | None = None,
    overwrite: bool = False,
    note: Note = unheard,
) -> Measured:
    """Scores results as YouTube-VIS does: AP, AP50, AP75, AR1, AR10 and so on, overall and per class.

    Examples:
        >>> measured = chronomask.evaluate("instances.json", "results.json")
        >>> f"{measured.masks.scores.AP:.3f}"
        '1.000'

    Args:
        truth: annotations in YouTube-VIS form, or in any format that `convert` reads.
        results: a submission list or a tracks.json, or results in any such format.
        json: write the numbers to this file.
        report: write an html report to this file: curves, worst videos, and what the lost AP was lost to.
        frames: folder of the frames, for the pictures in the report.
        classes: only these classes count; all if empty.
        class_agnostic: score as if there were one class only.
        open_vocabulary: a result counts only in videos where its class was looked for.
        boxes: also measure AP of the boxes around the masks.
        davis: also measure J and F: of all objects together ("one", as DAVIS-2016) or of each ("many", DAVIS-2017).
        tracking: also measure HOTA and IDF1 (needs the package trackeval).
        min_score: leave results below this score out of J, F, HOTA and IDF1, which do not rank.
        overwrite: whether the files may be replaced.
        note: called with what reading assumes or leaves out, a sentence each.

    Raises:
        InputError: a file cannot be used, options contradict each other, or the outputs may not be written.
    """
    truth, results = Path(truth), Path(results)
    if min_score is not None and davis == "no" and not tracking:
        raise InputError(f"--min-score {min_score}: is for --davis and --tracking; AP takes results of every score")
    if frames is not None and report is None:
        raise InputError(f"--frames {frames}: is for the pictures of a report; say --report FILE.html too")
    if tracking:
        installed_metrics()
    outputs = [Output(path) for path in (json, report) if path is not None]
    with claimed(outputs, [truth, results], [frames], overwrite):
        said: list[str] = []
        annotated = read_truth(truth, said.append)
        if frames is not None:
            check_frames([output.path for output in outputs], frames, all_frames(annotated.videos.values()))
        selection = Selection(tuple(classes), open_vocabulary, class_agnostic)
        results_of = read_results(results, annotated, said.append, class_agnostic)
        annotated, found = selection.of(annotated, results_of, said.append)
        said += left_aside(annotated, found)
        for text in said:
            note(text)
        masks, breakdown = None, None
        if report is not None:
            from chronomask.evaluation.report import draw_report

            written = draw_report(report, (str(results), str(truth)), annotated, found, frames, notes=said)
            masks, breakdown = written.evaluation, written.breakdown
        threshold = {} if min_score is None else {"min_score": min_score}
        if davis == "one" and min_score is None and (weak := sum(track.score < USUAL_SCORE for track in found)):
            note(
                f"J and F are of all {len(found)} results together, {weak} of them with a score below {USUAL_SCORE}; "
                f"--min-score {USUAL_SCORE} leaves out what segment would not have written"
            )
        measured = Measured(
            ap.score(annotated, found) if masks is None else masks,
            breakdown,
            ap.score(annotated, found, "boxes") if boxes else None,
            None if davis == "no" else score_davis(annotated, found, davis, **threshold),
            score_tracking(annotated, found, **threshold) if tracking else None,
        )
        if json is not None:
            with written_aside(json) as aside:
                aside.write_text(dumps(measured.to_json(), indent=1, allow_nan=False))
    return measured


def _numbers(scores: object, names: tuple[str, ...]) -> dict[str, float]:
    """By name; -1 where there is nothing to find, as AP has it, for NaN is no json."""
    values = ((name, getattr(scores, name)) for name in names)
    return {name: -1.0 if isnan(value) else value for name, value in values}
