"""Everything that is measured of results: average precision, and what else is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps
from math import isnan
from pathlib import Path
from typing import Any

from chronomask.annotations.records import Track, all_frames
from chronomask.claims import Output, check_frames, claimed
from chronomask.config import EvaluateConfig, SegmentConfig
from chronomask.errors import InputError
from chronomask.evaluation import ap
from chronomask.evaluation.ap import Evaluation
from chronomask.evaluation.coverage import left_aside
from chronomask.evaluation.davis import DavisScores, score_davis
from chronomask.evaluation.error_analysis import Breakdown
from chronomask.evaluation.records import GroundTruth
from chronomask.evaluation.selection import selected
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
    config: EvaluateConfig = EvaluateConfig(),  # noqa: B008  (frozen)
    *,
    json: Path | None = None,
    report: Path | None = None,
    frames: Path | None = None,
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
        config: what else is measured, and which results count.
        json: write the numbers to this file.
        report: write an html report to this file: curves, worst videos, and what the lost AP was lost to.
        frames: folder of the frames, for the pictures in the report.
        overwrite: whether the files may be replaced.
        note: called with what reading assumes or leaves out, a sentence each.

    Raises:
        InputError: a file cannot be used, options contradict each other, or the outputs may not be written.
    """
    truth, results = Path(truth), Path(results)
    if frames is not None and report is None:
        raise InputError(f"--frames {frames}: is for the pictures of a report; say --report FILE.html too")
    if config.tracking:
        installed_metrics()
    outputs = [path for path in (json, report) if path is not None]
    with claimed([Output(path) for path in outputs], [truth, results], [frames], overwrite):
        said: list[str] = []
        annotated = read_truth(truth, said.append)
        if frames is not None:
            check_frames(outputs, frames, all_frames(annotated.videos.values()))
        results_of = read_results(results, annotated, said.append, config.class_agnostic)
        annotated, found = selected(config, annotated, results_of, said.append)
        said += left_aside(annotated, found)
        for text in said:
            note(text)
        masks, breakdown = None, None
        if report is not None:
            from chronomask.evaluation.report import draw_report

            written = draw_report(report, (str(results), str(truth)), annotated, found, frames, notes=said)
            masks, breakdown = written.evaluation, written.breakdown
        measured = _measured(annotated, found, config, masks or ap.score(annotated, found), breakdown, note)
        if json is not None:
            with written_aside(json) as aside:
                aside.write_text(dumps(measured.to_json(), indent=1, allow_nan=False))
    return measured


def _measured(
    truth: GroundTruth,
    found: Sequence[Track],
    config: EvaluateConfig,
    masks: Evaluation,
    breakdown: Breakdown | None,
    note: Note,
) -> Measured:
    """All that is asked for, of the objects and results that count."""
    threshold = {} if config.min_score is None else {"min_score": config.min_score}
    weak = sum(track.score < USUAL_SCORE for track in found)
    if config.davis == "one" and not threshold and weak:
        note(
            f"J and F are of all {len(found)} results together, {weak} of them with a score below {USUAL_SCORE}; "
            f"--min-score {USUAL_SCORE} leaves out what segment would not have written"
        )
    return Measured(
        masks,
        breakdown,
        ap.score(truth, found, "boxes") if config.boxes else None,
        None if config.davis == "no" else score_davis(truth, found, config.davis, **threshold),
        score_tracking(truth, found, **threshold) if config.tracking else None,
    )


def _numbers(scores: object, names: tuple[str, ...]) -> dict[str, float]:
    """Numbers by name; -1 where there is nothing to find, as AP has it, for NaN is no json."""
    values = ((name, getattr(scores, name)) for name in names)
    return {name: -1.0 if isnan(value) else value for name, value in values}
