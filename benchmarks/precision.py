"""Do two ways to compute the network find the same? Every good track of one should have a partner in the other.

    python benchmarks/precision.py lite VIDEO VIDEO VIDEO [--one openvino/float32] [--other openvino/bfloat16]
        [--frames 40] [--least 0.97] [--json FILE] [--record precision]

VIDEO is a file, a folder of frames or a glob. A way is an engine and a precision. Good are the tracks that
`chronomask segment` would write by default, of a score of 0.5 and more; their partners, from all tracks of the other
way, are an optimal assignment on track IoU (intersections by unions, each summed over the frames). Both ways are the
first once. Ends with code 1 where a good track has no partner (IoU 0.5), where a partner has another class, or where
the mean IoU with the partners is below --least.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from figures import record
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

import chronomask
from chronomask import InputError, SegmentConfig, Segmenter
from chronomask.annotations.masks import Masks
from chronomask.engines.models import checkpoint_file
from chronomask.evaluation.overlap import track_iou
from chronomask.results import TrackInfo
from chronomask.runs.spool import Spool
from chronomask.video import VideoSource, open_source

PARTNER = 0.5


class Pair(NamedTuple):
    """A good track of one way, and the track of the other that resembles it most.

    Attributes:
        video: name.
        way: of the good track.
        track, partner: id, class and score; "none" where the IoU is below 0.5.
        same_class, same_id: as the partner.
        iou: with the partner; 0 where no track is left.
    """

    video: str
    way: str
    track: str
    partner: str
    same_class: bool
    same_id: bool
    iou: float


class Tracks(NamedTuple):
    """All tracks of a video, best first, and their masks."""

    infos: list[TrackInfo]
    tubes: list[Masks]


def tracks_of(segmenter: Segmenter, source: VideoSource, frames: int | None) -> Tracks:
    """What a way finds in the first frames of a video, or in all of them."""
    with Spool() as spool, closing(segmenter.segment(source, raw=True)) as results:
        for result in islice(results, frames):
            spool.add(result)
        seen = set(spool.track_ids())
        infos = [info for info in segmenter.tracks if info.id in seen]
        return Tracks(infos, [Masks.of(spool.segmentations(info.id), source.height, source.width) for info in infos])


def partners(video: str, way: str, one: Tracks, other: Tracks, score: float) -> list[Pair]:
    """Every track of `one` of at least this score, with its partner in `other`."""
    good = [number for number, info in enumerate(one.infos) if info.score >= score]
    iou = track_iou([one.tubes[number] for number in good], other.tubes)
    best = dict(zip(*linear_sum_assignment(iou, maximize=True), strict=True))
    pairs = []
    for row, number in enumerate(good):
        info = one.infos[number]
        partner = other.infos[best[row]] if row in best and iou[row, best[row]] >= PARTNER else None
        pairs.append(
            Pair(
                video=video,
                way=way,
                track=_label(info),
                partner="none" if partner is None else _label(partner),
                same_class=partner is not None and partner.category == info.category,
                same_id=partner is not None and partner.id == info.id,
                iou=float(iou[row, best[row]]) if row in best else 0.0,
            )
        )
    return pairs


def _label(info: TrackInfo) -> str:
    return f"{info.id} {info.category.name} {info.score:.2f}"


def agrees(pairs: list[Pair], least: float) -> bool:
    """Whether all is as it should be; prints the table and the sums."""
    table = Table("video", "way", "track", "its partner", "IoU")
    for pair in pairs:
        table.add_row(pair.video, pair.way, pair.track, pair.partner, f"{pair.iou:.4f}")
    Console().print(table)
    ious = [pair.iou for pair in pairs]
    mean, lowest = (float(np.mean(ious)), min(ious)) if pairs else (1.0, 1.0)
    complete = all(pair.iou >= PARTNER for pair in pairs)
    same_class, same_id = all(pair.same_class for pair in pairs), all(pair.same_id for pair in pairs)
    print(f"{len(pairs)} tracks, mean IoU {mean:.4f}, lowest {lowest:.4f}; every track has a partner: {complete},")
    print(f"of its class: {same_class}, of its id: {same_id}")
    return complete and same_class and mean >= least


def rows_of(pairs: list[Pair]) -> dict[str, dict[str, float | str]]:
    """A row a video, and one of all."""
    by_video = {video: [pair for pair in pairs if pair.video == video] for video in {pair.video: 0 for pair in pairs}}
    return {
        name: {
            "good tracks": len(of),
            "with a partner": sum(pair.iou >= PARTNER for pair in of),
            "of its class": sum(pair.same_class for pair in of),
            "mean IoU": float(np.mean([pair.iou for pair in of])),
            "lowest IoU": min(pair.iou for pair in of),
        }
        for name, of in (by_video | {"all": pairs}).items()
        if of
    }


def loaded(model: str, way: str) -> Segmenter:
    """The way as a segmenter.

    Raises:
        InputError: it is not to be had here.
    """
    engine, _, precision = way.partition("/")
    return chronomask.load(model, engine=engine, precision=precision)  # ty: ignore[invalid-argument-type]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model, an exported network or a checkpoint")
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--one", default="openvino/float32", metavar="ENGINE/PRECISION")
    parser.add_argument("--other", default="openvino/bfloat16", metavar="ENGINE/PRECISION")
    parser.add_argument("--frames", type=int, help="of each video, from its beginning; all by default")
    parser.add_argument("--least", type=float, default=0.97, help="mean IoU")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--record", metavar="NAME", help="keep the figures for RESULTS.md under this name")
    options = parser.parse_args()
    try:
        ways = {way: loaded(options.model, way) for way in (options.one, options.other)}
    except InputError as error:
        parser.error(str(error))
    pairs: list[Pair] = []
    for video in options.videos:
        source = open_source(video)
        (one, first), (other, second) = (
            (way, tracks_of(segmenter, source, options.frames)) for way, segmenter in ways.items()
        )
        score = SegmentConfig().score
        pairs += partners(source.name, one, first, second, score) + partners(source.name, other, second, first, score)
    agree = agrees(pairs, options.least)
    if options.record:
        command = f"python benchmarks/precision.py {options.model} VIDEOS --one {options.one} --other {options.other}"
        record(options.record, rows_of(pairs), command=command, weights=checkpoint_file(options.model))
    if options.json:
        options.json.write_text(json.dumps([pair._asdict() for pair in pairs], indent=1))
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
