"""Which settings of clustering suit a checkpoint? The network runs once; every setting is then tried on its outputs.

    python benchmarks/settings.py CHECKPOINT DATA/instances.json DATA/JPEGImages --videos boat hike \
        --seed-thresholds 0.5 0.75 --foreground-thresholds 0.5 --scores 0.1 0.2

DATA is a YouTube-VIS-form set with one main object a video (DAVIS-2016). For every setting the table gives, as means
over the videos and without first and last frames: J of the union of all tracks, of the top-scored track, of the best
track (oracle), J of the union of the tracks that lie mostly inside the object (oracle), and tracks a video.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
from recorder import Recorder
from rich.console import Console
from rich.progress import track
from rich.table import Table
from video_scores import video_scores

from chronomask.categories import LITE
from chronomask.config import SegmentConfig
from chronomask.data.annotation_file import YtvisVideos
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="lite, an exported network or a checkpoint")
    parser.add_argument("annotations", type=Path)
    parser.add_argument("frames", type=Path)
    parser.add_argument("--videos", nargs="+", required=True)
    parser.add_argument("--seed-thresholds", nargs="+", type=float, default=[SegmentConfig().cluster.seed_threshold])
    parser.add_argument(
        "--foreground-thresholds", nargs="+", type=float, default=[SegmentConfig().cluster.foreground_threshold]
    )
    parser.add_argument("--refinements", nargs="+", type=int, default=[SegmentConfig().cluster.refinements])
    parser.add_argument("--scores", nargs="+", type=float, default=[SegmentConfig().score])
    options = parser.parse_args()

    data = YtvisVideos(options.annotations, options.frames, LITE, complete=False)
    engine = load(options.checkpoint).engine
    grid = list(
        itertools.product(options.seed_thresholds, options.foreground_thresholds, options.refinements, options.scores)
    )
    sums = np.zeros((len(grid), 5))
    for name in track(options.videos, "videos"):
        index = next(i for i in range(len(data)) if data.name(i) == name)
        clip = data.load(index, range(data.length(index)))
        images = list(clip.frames.permute(0, 2, 3, 1).numpy())
        truth = clip.masks.any(0).numpy()
        recorder = Recorder(engine)
        for row, (seed, foreground, refinements, score) in enumerate(grid):
            cluster = replace(
                SegmentConfig().cluster,
                seed_threshold=seed,
                foreground_threshold=foreground,
                refinements=refinements,
            )
            found = video_scores(
                Segmenter(recorder, replace(SegmentConfig(), cluster=cluster, score=score)), images, truth
            )
            recorder.playing = True
            sums[row] += found.union, found.top, found.best, found.inside, found.tracks
    table = Table("seed", "foreground", "refinements", "score", "union J", "top J", "best J", "oracle J", "tracks")
    for setting, row in zip(grid, sums / len(options.videos), strict=True):
        table.add_row(*(f"{value:g}" for value in setting), *(f"{value:.3f}" for value in row))
    Console().print(table)


if __name__ == "__main__":
    main()
