"""What would somebody do without the paper? The same network on single frames, and a tracker by mask IoU.

    python benchmarks/baseline.py FRAMES.safetensors --video lite --synthesised FOLDER \
        --davis DAVIS/instances.json --videos boat hike [--thresholds 0.1 0.3] [--memory 1 8] [--json FILE]

FRAMES was trained like the video model, but for `--data.length 1` and as many single frames a step as the video model
has frames in its clips. At T = 1 the network's 3-D layers are 2-D: zeros stand before and after the frame, so that of a
3x3x3 or 7x7x7 kernel only the middle slice counts, and the mean over time of one frame is that frame. Layers, heads,
clustering, score rule and evaluator are those of the video model; nothing but time is missing. What belongs together in
neighbouring frames is found by an optimal assignment on IoU. Every threshold is shown for every memory, and the best of
them on the very data that is reported is what the video model is compared with.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int16
from recorder import Recorder
from rich.console import Console
from rich.table import Column, Table
from scoring import clip_scores, video_means

from chronomask.baselines.detections import gainful_pairs
from chronomask.baselines.own_network import on_frames
from chronomask.config import SegmentConfig, StitchConfig
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.stream import Stream
from chronomask.tracking.memory import Look, Visit
from chronomask.tracking.stitch import Stitcher
from chronomask.training.validation import EVERYTHING

COLUMNS = ("AP50 any", "AP50", "union", "best", "one_id", "tracks")


class IouTracker(Stitcher):
    """Joins the masks of a frame to tracks by IoU with the last mask of each.

    Of `StitchConfig`, `minimum_iou` says from which IoU on they join, and `memory_frames` for how many frames after
    its last mask a track waits for the next: with 1 it ends where it is missed once.
    """

    def __init__(self, config: StitchConfig) -> None:
        super().__init__(config)
        self.masks: dict[int, Bool[np.ndarray, " P"]] = {}
        self.last: dict[int, int] = {}

    def add(
        self, labels: Int16[np.ndarray, "1 h w"], looks: Sequence[Look], visits: Sequence[Visit], shared: int
    ) -> tuple[list[int], set[int]]:
        """As in `Stitcher`, for clips of one frame; how a mask looks, and where it was, does not matter."""
        masks = labels.ravel() == np.arange(1, len(looks) + 1)[:, None]
        live = [number for number, seen in self.last.items() if self.seen - seen <= self.config.memory_frames]
        iou = mask_iou(np.array([self.masks[number] for number in live]).reshape(len(live), labels.size), masks)
        joined = {k: live[n] for n, k in gainful_pairs(np.where(iou < self.config.minimum_iou, 0, iou))}
        ids = [joined[tube] if tube in joined else self._begun() for tube in range(len(looks))]
        self.masks = {number: self.masks[number] for number in live} | dict(zip(ids, masks, strict=True))
        self.last = {number: self.last[number] for number in live} | dict.fromkeys(ids, self.seen)
        self.seen += 1
        return ids, set(ids)

    def _begun(self) -> int:
        self.next_id += 1
        return self.next_id - 1


def mask_iou(first: Bool[np.ndarray, "N P"], second: Bool[np.ndarray, "K P"]) -> Float[np.ndarray, "N K"]:
    """IoU of every pair of masks of P cells; 0 where both are empty."""
    common = first.astype(np.float64) @ second.T
    return common / np.maximum(np.add.outer(first.sum(1), second.sum(1)) - common, 1)


class FrameSegmenter(Segmenter):
    """Finds objects frame by frame, and joins them by an IouTracker."""

    def _new_stream(self) -> Stream:
        stream = super()._new_stream()
        stream.tracker.stitcher = IouTracker(self.config.stitch)
        return stream


def load_frames(checkpoint: Path, config: SegmentConfig) -> FrameSegmenter:
    """As `load`, for a checkpoint that was trained on single frames."""
    return FrameSegmenter(load(checkpoint, config=config).engine, config)


def figures(
    made: Callable[[SegmentConfig], Segmenter], config: SegmentConfig, options: argparse.Namespace
) -> dict[str, float]:
    """All figures of the segmenter that is made of some settings."""
    everything = replace(config, score=EVERYTHING.score, max_tracks=EVERYTHING.max_tracks)
    found = clip_scores(made(everything), options.synthesised)
    return found | video_means(made(config), options.davis, options.videos)


def tried(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The figures of the baseline for every setting of its tracker. The network runs once, settings see its outputs."""
    config = on_frames(SegmentConfig())
    recorder, rows = Recorder(load(options.frames, config=config).engine), {}
    for memory, threshold in itertools.product(options.memory, options.thresholds):
        stitch = StitchConfig(minimum_iou=threshold, memory_frames=memory)
        made = partial(FrameSegmenter, recorder)
        rows[f"IoU {threshold:g}, memory {memory}"] = figures(made, replace(config, stitch=stitch), options)
        recorder.playing = True
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, help="checkpoint trained on single frames")
    parser.add_argument("--video", default="lite", help="lite, an exported network or a checkpoint, trained on clips")
    parser.add_argument("--synthesised", type=Path, required=True, help="folder of `chronomask dataset synthesize`")
    parser.add_argument("--davis", type=Path, required=True, help="instances.json; frames lie in JPEGImages beside it")
    parser.add_argument("--videos", nargs="+", required=True)
    parser.add_argument("--thresholds", nargs="+", type=float, default=[0.05, 0.1, 0.2, 0.3, 0.5])
    parser.add_argument("--memory", nargs="+", type=int, default=[1, 8], help="frames that a track waits")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    rows = tried(options)
    best = {column: max(row[column] for row in rows.values()) for column in ("AP50 any", "AP50")}
    rows["video"] = figures(partial(Segmenter, load(options.video).engine), SegmentConfig(), options)
    table = Table(Column("", no_wrap=True), *COLUMNS)
    for name, row in rows.items():
        table.add_row(name, *(f"{row[column]:.3f}" for column in COLUMNS))
    ratios = {column: rows["video"][column] / best[column] for column in best if best[column] > 0}
    table.add_section()
    table.add_row(
        "video / best of frames", *(f"{ratios[column]:.2f}" if column in ratios else "" for column in COLUMNS)
    )
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "ratios": ratios}, indent=1))


if __name__ == "__main__":
    main()
