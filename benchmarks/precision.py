"""Does bfloat16 find what float32 finds? Every float32 track should have a bfloat16 partner of nearly the same masks.

    python benchmarks/precision.py lite VIDEO VIDEO VIDEO [--frames 40] [--json FILE]

VIDEO is a file, a folder of frames or a glob. Tracks are those that `chronomask segment` would write; partners are an
optimal assignment on track IoU (intersections by unions, each summed over the frames). Ends with code 1 where a float32
track has no partner (IoU 0.5), or the mean IoU with the partners is not above 0.95.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from chronomask.annotations.masks import Masks
from chronomask.categories import OBJECT
from chronomask.config import SegmentConfig
from chronomask.device import choose_device
from chronomask.evaluation.overlap import track_iou
from chronomask.formats.spool import Spool
from chronomask.inference.job import chosen_tracks
from chronomask.inference.load import checkpoint_file
from chronomask.inference.segment import Segmenter, TrackInfo
from chronomask.model.checkpoint import load_network
from chronomask.model.folding import fold_batch_norm
from chronomask.model.network import to_channels_last
from chronomask.training.step import autocast
from chronomask.video import open_source

PARTNER, ENOUGH = 0.5, 0.95


class InPrecision(Segmenter):
    """A segmenter whose network runs in the named precision, instead of in what the processor does best.

    Its network must not be one that was prepared for one precision, as `load` may do.
    """

    precision = "float32"

    def _autocast(self) -> AbstractContextManager[object]:
        return autocast(self.device, self.precision)


class Pair(NamedTuple):
    """A float32 track and the bfloat16 track that resembles it most; an IoU below 0.5 is no partner."""

    video: str
    track: str
    iou: float


def tracks_of(segmenter: Segmenter, images: list[np.ndarray]) -> tuple[list[TrackInfo], list[Masks]]:
    """The tracks that would be written of a video, and their masks."""
    names = {category.name for category in (OBJECT, *segmenter.categories)}
    with Spool() as spool:
        for image in images:
            for result in segmenter.push(image):
                spool.add(result)
        for result in segmenter.flush():
            spool.add(result)
        infos = chosen_tracks(segmenter.tracks, spool.track_ids(), segmenter.config, names)
        return infos, [Masks.of(spool.segmentations(info.id), *images[0].shape[:2]) for info in infos]


def partners(video: str, infos: list[TrackInfo], exact: list[Masks], rounded: list[Masks]) -> list[Pair]:
    """Every float32 track with the IoU of its partner, 0 where none is left."""
    iou = track_iou(exact, rounded)
    best = dict(zip(*linear_sum_assignment(iou, maximize=True), strict=True))
    labels = [f"{info.id} {info.category.name} {info.score:.2f}" for info in infos]
    return [Pair(video, label, float(iou[k, best[k]]) if k in best else 0.0) for k, label in enumerate(labels)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="lite, or a checkpoint file")
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--frames", type=int, default=40, help="of each video, from its beginning")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    path = checkpoint_file(options.model)
    network = to_channels_last(fold_batch_norm(load_network(path)))
    segmenter = InPrecision(network, SegmentConfig(), choose_device("auto"))
    pairs: list[Pair] = []
    for video in options.videos:
        source = open_source(video)
        images = [frame.image for frame in islice(source, options.frames)]
        found = {}
        for precision in ("float32", "bfloat16"):
            segmenter.precision = precision
            found[precision] = tracks_of(segmenter, images)
        pairs += partners(source.name, *found["float32"], found["bfloat16"][1])
    table = Table("video", "float32 track", "IoU with its bfloat16 partner")
    for pair in pairs:
        table.add_row(pair.video, pair.track, f"{pair.iou:.3f}" if pair.iou >= PARTNER else "none")
    mean = float(np.mean([pair.iou for pair in pairs])) if pairs else 0.0
    complete = all(pair.iou >= PARTNER for pair in pairs)
    Console().print(table)
    print(f"{len(pairs)} tracks, mean IoU {mean:.4f}, every track has a partner: {complete}")
    if options.json:
        content = {"mean": mean, "complete": complete, "tracks": [pair._asdict() for pair in pairs]}
        options.json.write_text(json.dumps(content, indent=1))
    return 0 if complete and mean > ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
