"""Fits how likely two tracks are one object (`tracking/relink.py`), and counts what is joined rightly and wrongly.

    python benchmarks/relink.py lite --fit COMPOSITES... --check COMPOSITES...

COMPOSITES are folders with instances.json and JPEGImages: videos with several objects. Every video is looked at twice,
once as it is and once with the camera covered for 4 to 16 frames in the middle; the memory of the tracker is off, so
that every object that is hidden becomes a new track. A pair of tracks that never meet counts as one object where both
lie mostly on the same one. Coefficients are fitted to the pairs of the first folders and printed; pairs of the second
are joined with those that stand in the code.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from chronomask import rle
from chronomask.annotations.reader import read
from chronomask.annotations.records import Track
from chronomask.config import SegmentConfig, StitchConfig
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.tracking.relink import STATISTICS, follows, pair_statistics, relink
from chronomask.tracking.verdict import TrackSummary
from chronomask.training.calibration import fit_tube_score
from chronomask.video import open_frames

SURE = 0.3
"""Tracks of a lower score are not asked about: what they are is chance."""


class Labelled(NamedTuple):
    """Tracks of one video, and the number of the object on which each lies mostly, or -1."""

    tracks: list[TrackSummary]
    objects: np.ndarray


def labelled(segmenter: Segmenter, folder: Path, every: int, seed: int = 0) -> Iterator[Labelled]:
    """Every video of a folder as it is, and covered."""
    random, file = np.random.default_rng(seed), read(folder / "instances.json").file
    for video in track(file.videos[::every], str(folder)):
        source = open_frames(video.name, [folder / "JPEGImages" / name for name in video.file_names or ()])
        images = [frame.image for frame in source]
        truth = [one for one in file.tracks if one.video_id == video.id]
        for hidden in (0, int(random.integers(4, 17))):
            first = (len(images) - hidden) // 2
            covered = images[:first] + [np.full_like(images[0], 90)] * hidden + images[first + hidden :]
            yield _labelled(segmenter, covered, truth)


def _labelled(segmenter: Segmenter, images: list[np.ndarray], truth: Sequence[Track]) -> Labelled:
    common: dict[int, np.ndarray] = {}
    for result in segmenter.segment(images, raw=True):
        masks = [one.segmentations[result.index] for one in truth]
        true = np.array([np.zeros(result.masks.size, bool) if mask is None else rle.decode(mask) for mask in masks])
        for number, mask in zip(result.track_ids.tolist(), result.masks, strict=True):
            on = np.append((true & mask).sum((1, 2)), mask.sum())
            common[number] = common.get(number, 0) + on
    summaries = segmenter._last.tracker.summaries.values()
    tracks = [s for s in summaries if s.id in common and s.object_evidence >= SURE * s.pixels]
    shares = np.array([common[one.id][:-1] / common[one.id][-1] for one in tracks]).reshape(len(tracks), len(truth))
    return Labelled(tracks, np.where(shares.max(1, initial=0) > 0.5, shares.argmax(1), -1))


def pairs(video: Labelled) -> Iterator[tuple[list[float], bool]]:
    """Statistics of those that could be joined, and whether they should be."""
    if len(video.tracks) > 1:
        statistics = pair_statistics(video.tracks, video.tracks)
        for i, j in np.argwhere(follows(video.tracks, video.tracks)):
            if video.objects[i] >= 0 or video.objects[j] >= 0:
                yield statistics[i, j].tolist(), bool(video.objects[i] == video.objects[j])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="lite, or a checkpoint file")
    parser.add_argument("--fit", type=Path, nargs="*", default=[])
    parser.add_argument("--check", type=Path, nargs="*", default=[])
    parser.add_argument("--every", type=int, default=1, help="only every n-th video of a folder")
    options = parser.parse_args()
    segmenter = load(options.model, config=SegmentConfig(score=0.0, stitch=replace(StitchConfig(), memory_frames=0)))
    judged = [
        pair for folder in options.fit for video in labelled(segmenter, folder, options.every) for pair in pairs(video)
    ]
    if judged:
        print(f"{len(judged)} pairs, {sum(same for _, same in judged)} of one object")
        print(dict(zip(STATISTICS, (round(value, 2) for value in fit_tube_score(judged)), strict=True)))
    for folder in options.check:
        right = wrong = possible = 0
        for video in labelled(segmenter, folder, options.every):
            objects = {one.id: number for one, number in zip(video.tracks, video.objects.tolist(), strict=True)}
            possible += _chains(video)
            for later, first in relink(video.tracks).items():
                right += objects[later] == objects[first] >= 0
                wrong += objects[later] != objects[first]
        print(f"{folder}: joined rightly {right} of about {possible}, wrongly {wrong}")


def _chains(video: Labelled) -> int:
    """How many tracks continue an earlier one of the same object."""
    after = follows(video.tracks, video.tracks) if len(video.tracks) > 1 else np.zeros((1, 1), bool)
    same = video.objects[:, None] == video.objects[None]
    return int((after & same & (video.objects >= 0)).any(0).sum()) if len(video.tracks) > 1 else 0


if __name__ == "__main__":
    main()
