"""This package's network as a detector: clips of one frame.

At T = 1 the 3-D layers are 2-D: zeros stand before and after the frame, so that of a kernel only the middle slice
counts, and the mean over time of one frame is that frame. Clustering and scores are those of videos; nothing but time
is missing.

Legend: H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from chronomask.baselines.detections import Detection
from chronomask.categories import Category
from chronomask.config import SegmentConfig
from chronomask.segmenter.clips import ClipFinder, Reading
from chronomask.segmenter.found import FoundClip, Stretch, View, painted
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.tracking.memory import visit_of
from chronomask.tracking.verdict import TrackSummary
from chronomask.video import DEFAULT_FPS, Frame


def on_frames(settings: SegmentConfig) -> SegmentConfig:
    """Settings for clips, for single frames: the smallest tube is as many pixels a frame as in a clip."""
    cluster = replace(settings.cluster, minimum_pixels=settings.cluster.minimum_pixels // settings.clip_length)
    return replace(settings, clip_length=1, overlap=0, cluster=cluster)


class NetworkDetector:
    """Finds objects frame by frame.

    Features of the detections are the means of the pyramid's level of stride 16 over them.

    Attributes:
        segmenter: for clips of one frame.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self._finder = ClipFinder(segmenter.engine, segmenter.config)

    @classmethod
    def of_model(cls, model: str | Path, config: SegmentConfig = SegmentConfig()) -> NetworkDetector:  # noqa: B008
        """A detector of a bundled model, an exported network for clips of one frame, or a checkpoint.

        Args:
            config: how videos are segmented, of which single frames take what concerns them.
        """
        return cls(load(model, config=on_frames(config)))

    def detect(
        self, images: Iterable[UInt8[np.ndarray, "H W 3"]], category_of: Mapping[str, Category]
    ) -> Iterator[list[Detection]]:
        """The detections of every image of a video, best first.

        Args:
            category_of: the data set's category of every class of the model that may be found, see
                `runs.predict.category_of_class`.

        Raises:
            InputError: images of different sizes.
        """
        frames = (Frame(number, number / DEFAULT_FPS, image) for number, image in enumerate(images))
        for clip in self._finder.live_clips(Reading(), frames):
            yield self._detections(clip, category_of)

    def _detections(self, clip: FoundClip, category_of: Mapping[str, Category]) -> list[Detection]:
        tubes, looks, labels, _ = clip.found
        [masks] = painted(Stretch(clip.fresh[:1], [View(clip, range(1, len(tubes) + 1), 0)]))
        below, categories = self.segmenter.config.object_below, self.segmenter.engine.description.categories
        found = []
        for number, mask in masks.items():
            tube, look = tubes[number - 1], looks[number - 1]
            summary = TrackSummary.of(number, tube, look, visit_of(tube, 0, labels.shape))
            verdict = summary.verdict(categories, below, category_of)
            if verdict.category.name in category_of:
                found.append(Detection.of(mask, verdict.score, category_of[verdict.category.name].id, look.feature))
        return sorted(found, key=lambda detection: -detection.score)
