"""Figures that several benchmarks take in the same way, with whatever segmenter they are about."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.progress import track
from video_scores import VideoScores, video_scores

from chronomask.annotations.records import Track
from chronomask.data.annotation_file import YtvisVideos
from chronomask.evaluation.ap import score
from chronomask.evaluation.records import GroundTruth
from chronomask.evaluation.selection import without_classes
from chronomask.evaluation.validate import read_results, read_truth
from chronomask.progress import Progress, silent
from chronomask.runs.predict import predict
from chronomask.segmenter.segmenter import Segmenter

PRECISIONS = ("AP", "AP50", "AR10")
MEANS = ("union", "top", "best", "fragmentation", "one_id", "tracks")


def found_in(segmenter: Segmenter, folder: Path, progress: Progress = silent) -> tuple[GroundTruth, list[Track]]:
    """What is in a folder that `chronomask dataset synthesize` made, and what a segmenter finds there.

    Args:
        segmenter: should keep weak results too, which only add to average precision.
        folder: holds instances.json and JPEGImages.
        progress: shows how far the work is.
    """
    annotations = folder / "instances.json"
    truth = read_truth(annotations)
    with TemporaryDirectory() as place:
        out = Path(place) / "tracks.json"
        predict(segmenter, annotations, folder / "JPEGImages", out, progress=progress)
        return truth, read_results(out, truth)


def clip_scores(segmenter: Segmenter, folder: Path) -> dict[str, float]:
    """Average precision on what `found_in` takes.

    Returns:
        AP, AP50 and AR10, and the same as if there were one class only (`AP any`, ...).
    """
    truth, found = found_in(segmenter, folder)
    named, any_class = score(truth, found).scores, score(*without_classes(truth, found)).scores
    return {key: getattr(named, key) for key in PRECISIONS} | {
        f"{key} any": getattr(any_class, key) for key in PRECISIONS
    }


def davis(segmenter: Segmenter, data: YtvisVideos, videos: list[str]) -> dict[str, VideoScores]:
    """Figures of the named videos, each with one main object, with the settings of the segmenter."""
    scores = {}
    numbers = {data.name(index): index for index in range(len(data))}
    for name in track(videos, "DAVIS"):
        clip = data.load(numbers[name], range(data.length(numbers[name])))
        images = list(clip.frames.permute(0, 2, 3, 1).numpy())
        scores[name] = video_scores(segmenter, images, clip.masks.any(0).numpy())
    return scores


def video_means(segmenter: Segmenter, annotations: Path, videos: list[str]) -> dict[str, float]:
    """Means over videos with one main object of what `VideoScores` holds; JPEGImages lies beside the annotations."""
    data = YtvisVideos(
        annotations, annotations.parent / "JPEGImages", segmenter.engine.description.categories, complete=False
    )
    scores = davis(segmenter, data, videos).values()
    return {key: float(np.mean([getattr(found, key) for found in scores])) for key in MEANS}
