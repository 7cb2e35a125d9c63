"""Average precision as YouTube-VIS defines it (Yang et al., Video Instance Segmentation, ICCV 2019, section 4).

The evaluator is faster-coco-eval with a video as its image, the track IoU as its overlap and YouTube-VIS's sizes.
`iscrowd` reaches its matching, where such an object is ignored and may be matched again and again, but not the IoU.

Legend: D predictions, G true objects, 10 IoU thresholds, R = 101 recall points, K categories, A area ranges, M maxima.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from jaxtyping import Float64
from rich.table import Table

from chronomask.annotations.content import Source
from chronomask.annotations.records import Track
from chronomask.config import EvaluateConfig
from chronomask.evaluation.overlap import box_iou, track_iou
from chronomask.evaluation.records import MAX_RESULTS, GroundTruth, area_of
from chronomask.evaluation.selection import selected
from chronomask.evaluation.validate import read_results, read_truth

THRESHOLDS: Float64[np.ndarray, "10"] = np.linspace(0.5, 0.95, 10)
"""IoU from which on a prediction counts as a hit. Not arange, whose rounding lifts some of them."""

AREAS = {"all": (0.0, 1e10), "small": (0.0, 128.0**2), "medium": (128.0**2, 256.0**2), "large": (256.0**2, 1e10)}
"""Mean area of a track in pixels, both ends included."""

Overlap = Literal["masks", "boxes"]
"""What the IoU of two tracks is taken of."""

MAXIMA = (1, 10, MAX_RESULTS)
"""Predictions that count, a video and category."""


@dataclass(frozen=True)
class Scores:
    """The twelve numbers of YouTube-VIS, each in [0, 1]; -1 where there is no object to find.

    Attributes:
        AP: average precision, mean over the ten IoU thresholds 0.50:0.05:0.95 and the categories.
        AP50: at IoU 0.50.
        AP75: at IoU 0.75.
        APs: of objects up to 128 x 128 pixels (mean area over the frames in sight).
        APm: of objects from 128 x 128 to 256 x 256 pixels.
        APl: of objects from 256 x 256 pixels.
        AR1: recall with one prediction a video and category, mean over thresholds and categories.
        AR10: with ten.
        AR100: with a hundred.
        ARs: AR100 of small objects.
        ARm: AR100 of medium objects.
        ARl: AR100 of large objects.
    """

    AP: float
    AP50: float
    AP75: float
    APs: float
    APm: float
    APl: float
    AR1: float
    AR10: float
    AR100: float
    ARs: float
    ARm: float
    ARl: float


HEADLINE = ("AP", "AP50", "AP75", "AR1", "AR10")
"""The numbers that papers report, in their order."""


@dataclass(frozen=True)
class CategoryScores:
    """The scores of one category.

    Attributes:
        id: as in the files.
        name: its name.
        scores: its twelve numbers; all -1 without true objects, then it enters no mean.
        objects: true objects that count (no crowds).
        predictions: results of this category.
    """

    id: int
    name: str
    scores: Scores
    objects: int
    predictions: int


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How good results are.

    Attributes:
        scores: the twelve numbers over all categories.
        per_category: those with objects or results, in the order of their ids.
        precision: for every IoU threshold and category at recall 0.00:0.01:1.00; -1 for categories without objects.
    """

    scores: Scores
    per_category: tuple[CategoryScores, ...]
    precision: Float64[np.ndarray, "10 R K"]


def evaluate(
    truth: Source,
    results: Source,
    config: EvaluateConfig = EvaluateConfig(),  # noqa: B008  (frozen)
    overlap: Overlap = "masks",
) -> Evaluation:
    """Score results as the YouTube-VIS server does.

    Args:
        truth: annotations in any format, or what a json file of them holds.
        results: as `truth`; a result list or `tracks.json` for example.
        config: which classes count; nothing else of it is looked at.
        overlap: whose IoU, as `score` has it.

    Raises:
        InputError: naming the place of every error of a file; warnings of `validate` do not hinder.
    """
    annotated = read_truth(truth)
    found = read_results(results, annotated, any_class=config.class_agnostic)
    return score(*selected(config, annotated, found), overlap)


def score(truth: GroundTruth, found: Sequence[Track], overlap: Overlap = "masks") -> Evaluation:
    """Score checked results; `evaluate` does this with files.

    Args:
        truth: the objects.
        found: the results.
        overlap: IoU of tracks by their masks, as YouTube-VIS has it, or by the boxes of these masks, summed over the
            frames in the same way; sizes are those of the masks in both.
    """
    # Of thousands of categories an open vocabulary has, a file uses a few.
    ids = sorted({track.category_id for track in (*truth.tracks, *found)})
    evaluator = _TrackEvaluator(truth, found, ids, overlap)
    evaluator.evaluate()
    precision, recall = evaluator.eval["precision"], evaluator.eval["recall"]
    objects, predictions = defaultdict(int), defaultdict(int)
    for track in truth.tracks:
        objects[track.category_id] += not track.crowd
    for track in found:
        predictions[track.category_id] += 1
    per_category = tuple(
        CategoryScores(
            id=number,
            name=truth.categories[number],
            scores=_summary(precision[:, :, k : k + 1], recall[:, k : k + 1]),
            objects=objects[number],
            predictions=predictions[number],
        )
        for k, number in enumerate(ids)
    )
    return Evaluation(_summary(precision, recall), per_category, precision[:, :, :, 0, -1])


class _TrackEvaluator(COCOeval_faster):
    """COCO's evaluation with videos for images and track IoU, which it would not compute as YouTube-VIS does."""

    def __init__(self, truth: GroundTruth, found: Sequence[Track], ids: Sequence[int], overlap: Overlap) -> None:
        # "bbox" spares the library a look at the masks: their overlaps are given below.
        super().__init__(_coco_truth(truth, ids), _coco_results(truth, found, ids), iouType="bbox")
        self._iou = {"masks": track_iou, "boxes": box_iou}[overlap]
        self.params.iouThrs = THRESHOLDS
        self.params.areaRng = [list(limits) for limits in AREAS.values()]
        self.params.areaRngLbl = list(AREAS)
        self.params.maxDets = list(MAXIMA)
        self._true = _by_video_and_category(truth.tracks)
        self._found = _by_video_and_category(found)

    def computeIoU(self, imgId: Any, catId: Any) -> Any:
        """Track IoU of a video's predictions, the best MAX_RESULTS by descending score, with its true objects."""
        true, found = self._true[imgId, catId], self._found[imgId, catId]
        if not true or not found:
            return []
        best = ranked(found)[:MAX_RESULTS]
        return self._iou([track.masks for track in best], [track.masks for track in true])


def ranked(found: Sequence[Track]) -> list[Track]:
    """Results by descending score; equal scores keep the order of the file."""
    return sorted(found, key=lambda track: -track.score)


def _by_video_and_category(tracks: Sequence[Any]) -> Mapping[tuple[int, int], list[Any]]:
    groups = defaultdict(list)
    for track in tracks:
        groups[track.video_id, track.category_id].append(track)
    return groups


def _coco_truth(truth: GroundTruth, ids: Sequence[int]) -> COCO:
    # Ids start at 1: COCO's matching takes 0 for unmatched.
    tracks = [
        _coco_entry(number, track) | {"area": area_of(track), "iscrowd": int(track.crowd)}
        for number, track in enumerate(truth.tracks, 1)
    ]
    return _coco(truth, ids, tracks)


def _coco_results(truth: GroundTruth, found: Sequence[Track], ids: Sequence[int]) -> COCO:
    tracks = [
        _coco_entry(number, track) | {"area": track.masks.area, "iscrowd": 0, "score": track.score}
        for number, track in enumerate(found, 1)
    ]
    return _coco(truth, ids, tracks)


def _coco_entry(number: int, track: Any) -> dict[str, Any]:
    return {"id": number, "image_id": track.video_id, "category_id": track.category_id}


def _coco(truth: GroundTruth, ids: Sequence[int], annotations: list[dict[str, Any]]) -> COCO:
    images = [{"id": number, "height": v.height, "width": v.width} for number, v in truth.videos.items()]
    categories = [{"id": number, "name": truth.categories[number]} for number in ids]
    return COCO({"images": images, "categories": categories, "annotations": annotations})


def _summary(precision: Float64[np.ndarray, "10 R K A M"], recall: Float64[np.ndarray, "10 K A M"]) -> Scores:
    small, medium, large = 1, 2, 3
    return Scores(
        AP=_mean(precision[:, :, :, 0, -1]),
        AP50=_mean(precision[0, :, :, 0, -1]),
        AP75=_mean(precision[5, :, :, 0, -1]),
        APs=_mean(precision[:, :, :, small, -1]),
        APm=_mean(precision[:, :, :, medium, -1]),
        APl=_mean(precision[:, :, :, large, -1]),
        AR1=_mean(recall[:, :, 0, 0]),
        AR10=_mean(recall[:, :, 0, 1]),
        AR100=_mean(recall[:, :, 0, 2]),
        ARs=_mean(recall[:, :, small, -1]),
        ARm=_mean(recall[:, :, medium, -1]),
        ARl=_mean(recall[:, :, large, -1]),
    )


def _mean(values: np.ndarray) -> float:
    """The mean over the categories that have objects; the library has -1 for the others."""
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """The twelve numbers by name, and `per_category`: a list with id, name, objects, predictions and those numbers."""
    per_category = [
        {"id": c.id, "name": c.name, "objects": c.objects, "predictions": c.predictions} | dataclasses.asdict(c.scores)
        for c in evaluation.per_category
    ]
    return dataclasses.asdict(evaluation.scores) | {"per_category": per_category}


def evaluation_table(evaluation: Evaluation, title: str = "YouTube-VIS scores in percent") -> Table:
    """The numbers in percent for the terminal; categories without objects are left out."""
    caption = "   ".join(
        f"{field.name} {percent(getattr(evaluation.scores, field.name))}"
        for field in dataclasses.fields(Scores)
        if field.name not in HEADLINE
    )
    table = Table("category", "objects", "results", *HEADLINE, title=title, caption=caption)
    for column in table.columns[1:]:
        column.justify = "right"
    for category in evaluation.per_category:
        if category.objects:
            table.add_row(category.name, str(category.objects), str(category.predictions), *_headline(category.scores))
    table.add_section()
    objects = sum(category.objects for category in evaluation.per_category)
    predictions = sum(category.predictions for category in evaluation.per_category)
    table.add_row("all", str(objects), str(predictions), *_headline(evaluation.scores), style="bold")
    return table


def _headline(scores: Scores) -> list[str]:
    return [percent(getattr(scores, name)) for name in HEADLINE]


def percent(value: float) -> str:
    """A score in percent; a dash where there is nothing to score."""
    return "-" if value < 0 else f"{100 * value:.1f}"
