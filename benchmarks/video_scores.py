"""Figures of one video with one main object: what share of it was found, and by how many ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chronomask.runs.choice import chosen_tracks
from chronomask.segmenter.segmenter import Segmenter


@dataclass(frozen=True)
class VideoScores:
    """J (intersection over union) is a mean over the frames but the first and the last, as DAVIS takes it.

    Attributes:
        union: J of all written tracks together.
        top: J of the best-scored track.
        best: J of the track with the highest J (oracle).
        inside: J of the tracks that lie mostly inside the object, together (oracle).
        one_id: share of the object's frames in which one and the same track is the best and has an IoU of 0.5.
        tracks: how many there are.
        name: class of the best track.
    """

    union: float
    top: float
    best: float
    inside: float
    one_id: float
    tracks: int
    name: str

    @property
    def fragmentation(self) -> float:
        """J lost because the object fell into several tracks."""
        return max(self.inside, self.best) - self.best


def video_scores(segmenter: Segmenter, images: Sequence[np.ndarray], truth: np.ndarray) -> VideoScores:
    """Segments the frames (uint8 RGB) and compares with the masks (bool, T H W)."""
    results = [r for image in images for r in segmenter.push(image, raw=True)]
    results += segmenter.flush(raw=True)
    seen = (int(number) for result in results for number in result.track_ids)
    names = {track.category.name for track in segmenter.tracks}
    kept = chosen_tracks(segmenter.tracks, seen, segmenter.config, names)
    masks = {t.id: np.zeros(truth.shape, bool) for t in kept}
    for frame, result in enumerate(results):
        for number, mask in zip(result.track_ids, result.masks, strict=True):
            if int(number) in masks:
                masks[int(number)][frame] = mask
    tracks = np.array(list(masks.values()), bool).reshape(len(kept), *truth.shape)
    each = jaccard(tracks, truth)
    means = each[:, 1:-1].mean(1)
    inside = (tracks & truth).sum((1, 2, 3)) > 0.5 * tracks.sum((1, 2, 3))
    best = int(means.argmax()) if len(kept) else -1
    return VideoScores(
        union=_mean_jaccard(np.logical_or.reduce(tracks), truth),
        top=float(means[0]) if len(kept) else 0.0,
        best=float(means[best]) if len(kept) else 0.0,
        inside=_mean_jaccard(tracks[inside].any(0), truth),
        one_id=_one_id(each, np.logical_or.reduce(truth, (1, 2))),
        tracks=len(kept),
        name=kept[best].category.name if len(kept) else "-",
    )


def jaccard(tracks: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """IoU of every frame (K T) of tracks (K T H W) with the truth (T H W); 1 where both are empty."""
    union = (tracks | truth).sum((2, 3))
    return np.where(union == 0, 1.0, (tracks & truth).sum((2, 3)) / np.maximum(union, 1))


def _mean_jaccard(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(jaccard(mask[None], truth)[0, 1:-1].mean())


def _one_id(each: np.ndarray, seen: np.ndarray) -> float:
    if not len(each) or not seen.any():
        return 0.0
    owner, covered = each[:, seen].argmax(0), each[:, seen].max(0) >= 0.5
    return float(np.bincount(owner[covered], minlength=1).max() / seen.sum())
