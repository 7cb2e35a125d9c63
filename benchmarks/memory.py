"""Peak memory of `segment` over the length of a video: what has been handed out must be gone.

    python benchmarks/memory.py [--frames 300 3000 10000] [--rounds 1] [--json FILE]

Every run has a process of its own: `segment_to_folder` with its snapshots, and all that it can write: tracks.json,
results.json, overlay.mp4, mask images, cutouts, tracks.csv. Of several rounds the run with the median peak is shown.
The source is made up: six shapes that move all the time, and one that comes and goes, so that tracks begin and end too.
A stand-in for the network sees every colour as an object, so that at least five tracks are live in every frame for
certain, and 10,000 frames take minutes; clustering, stitching and everything behind them is the real thing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from figures import record
from machine import peak_memory
from rich.console import Console
from rich.table import Table

from chronomask.categories import LITE
from chronomask.config import ClusterConfig, SegmentConfig
from chronomask.device import cores
from chronomask.engines.description import Description
from chronomask.engines.engine import EngineInfo, FrameFeatures
from chronomask.heap import return_large_blocks, share_heap
from chronomask.outputs.choice import Outputs
from chronomask.rle import area
from chronomask.runs.segment import segment_to_folder
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import Frame, VideoSource

HEIGHT, WIDTH, SIDE = 96, 160, 24
COLOURS = [(255, 0, 0), (0, 230, 0), (0, 0, 200), (255, 255, 0), (255, 0, 255), (0, 255, 255)]
VISITOR = (255, 128, 128)
VISIT, PERIOD = 30, 100
"""Frames for which the visitor stays, and frames from one visit to the next."""


class Shapes(VideoSource):
    """Six squares, each swinging in a cell of its own, and a smaller one that comes and goes at their borders."""

    def __init__(self, length: int) -> None:
        self.name, self.width, self.height, self.fps, self.length = "shapes", WIDTH, HEIGHT, 25.0, length

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.length or 0):
            image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            for number, colour in enumerate(COLOURS):
                swing = 12 * (1 + np.sin(index / 15 + number))
                top, left = 48 * (number // 3) + int(swing), 53 * (number % 3) + int(swing)
                image[top : top + SIDE, left : left + SIDE] = colour
            if index % PERIOD < VISIT:
                left = (index // PERIOD * 37) % (WIDTH - 16)
                image[42:54, left : left + 16] = VISITOR
            yield Frame(index, index / self.fps, image)


class ColourEngine:
    """Sees every colour as an object, and black as nothing; see `Engine`.

    What it decodes are the channels that `model.halves.ClipDecoder` names: an embedding of three free dimensions,
    their variances, the heat, and class scores.
    """

    together = False

    def __init__(self, clip_length: int) -> None:
        self.info, self.threads = EngineInfo("openvino", "0", "cpu", "float32"), cores()
        self.description = Description(
            checkpoint_sha256="",
            categories=LITE,
            embedding=("free",) * 3,
            foreground=False,
            tube_score=(),
            clip_length=clip_length,
            features=("level_16", "level_4"),
            decoded=("level_4",),
        )
        self.class_weights = np.random.default_rng(0).normal(0, 5, (len(LITE), 3)).astype(np.float32)

    def prepare_thread(self) -> None:
        pass

    def threads_ready(self) -> None:
        pass

    def encode(self, frames: np.ndarray) -> list[FrameFeatures]:
        return [FrameFeatures((_averages(frame, 4),), _averages(frame, 16), None) for frame in frames]

    def fine(self, frame: FrameFeatures) -> np.ndarray:
        return frame.decoded[0]

    def decode(self, frames: Sequence[FrameFeatures]) -> np.ndarray:
        colours = np.stack([frame.decoded[0] for frame in frames])
        scores = (self.class_weights @ colours.reshape(*colours.shape[:2], -1)).reshape(
            len(colours), -1, *colours.shape[2:]
        )
        heat = colours.max(1, keepdims=True)
        return np.concatenate([colours * 3, np.full_like(colours, -1), heat, scores], 1)


def _averages(frame: np.ndarray, side: int) -> np.ndarray:
    """Mean colours, in [0, 1], of the squares of so many pixels of a frame ("3 H W")."""
    _, height, width = frame.shape
    lines = np.add.reduce(frame.reshape(3, height // side, side, width), 2, np.uint16)
    total = sum(lines[..., column::side] for column in range(1, side)) + lines[..., ::side]  # quicker than of squares
    return total / np.float32(side * side * 255)


def run(frames: int) -> dict[str, float]:
    """Segments a video of so many frames, and writes everything."""
    share_heap()  # as the command does, and `load`
    return_large_blocks()
    config = SegmentConfig(score=0.0, max_tracks=100, cluster=ClusterConfig(seed_threshold=0.7, minimum_pixels=8))
    segmenter = Segmenter(ColourEngine(config.clip_length), config)
    outputs = Outputs(overlay=True, masks="png", cutout="png", cutout_tracks="together", csv=True)
    begin, seconds = peak_memory(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        segment_to_folder(segmenter, Shapes(frames), out, outputs=outputs)
        peak, seconds = peak_memory(), time.process_time() - seconds
        annotations = json.loads((out / "tracks.json").read_bytes())["annotations"]
        written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 2**20
    live = np.sum([[mask is not None and area(mask) > 0 for mask in a["segmentations"]] for a in annotations], axis=0)
    return {
        "frames": frames,
        "tracks": len(annotations),
        "least live": int(live.min()),
        "before MiB": begin,
        "peak MiB": peak,
        "written MiB": written,
        "CPU ms a frame": 1000 * seconds / frames,
    }


def main() -> None:
    """Run every length in a fresh process, print the table and the spread of the peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[300, 3_000, 10_000], help="lengths of the videos")
    parser.add_argument("--rounds", type=int, default=1, help="of all lengths, by turns; peaks vary by 2 percent")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--record", action="store_true", help="keep the figures for RESULTS.md")
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.run)))
        return
    runs: dict[int, list[dict[str, float]]] = {frames: [] for frames in options.frames}
    for _ in range(options.rounds):
        for frames, found in runs.items():
            command = [sys.executable, __file__, "--run", str(frames)]
            found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    rows = [sorted(found, key=lambda row: row["peak MiB"])[len(found) // 2] for found in runs.values()]
    peaks = [row["peak MiB"] for row in rows]
    spread = max(peaks) / min(peaks) - 1
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in row.values()))
    console = Console()
    console.print(table)
    console.print(f"largest peak over smallest: +{100 * spread:.1f} %")
    if options.record:
        lengths = " ".join(map(str, options.frames))
        by_length = {f"{row['frames']:,} frames": row for row in rows}
        record("memory", by_length, command=f"python benchmarks/memory.py --frames {lengths} --rounds {options.rounds}")
    if options.json:
        options.json.write_text(json.dumps({"runs": rows, "spread": spread}, indent=1))


if __name__ == "__main__":
    main()
