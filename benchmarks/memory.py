"""Peak memory of `segment` over the length of a video: what has been handed out must be gone.

    python benchmarks/memory.py [--frames 300 3000 10000] [--json FILE]

Every length runs in a process of its own: `segment_to_folder` with its snapshots, and all that it can write:
tracks.json, results.json, overlay.mp4, mask images, cutouts, tracks.csv. The source is made up: six shapes that move
all the time, and one that comes and goes, so that tracks begin and end too. A stand-in for the network sees every
colour as an object, so that at least five tracks are live in every frame for certain, and 10,000 frames take minutes;
clustering, stitching and everything behind them is the real thing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.config import ClusterConfig, SegmentConfig, lite
from chronomask.inference.job import segment_to_folder
from chronomask.inference.load import bundled_weights
from chronomask.inference.segment import Segmenter
from chronomask.model.network import FrameFeatures, PixelOutputs
from chronomask.outputs.choice import Outputs
from chronomask.rle import area
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


class ColourNetwork(nn.Module):
    """Sees every colour as an object, and black as nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.config = lite()
        generator = torch.Generator().manual_seed(0)
        self.class_weights = torch.randn(len(self.config.categories), 3, generator=generator) * 5

    def encode(self, frames: Tensor) -> FrameFeatures:
        return FrameFeatures([F.avg_pool2d(frames.float(), 4) / 255], None)

    def decode(self, features: FrameFeatures, clips: int, size: tuple[int, int]) -> PixelOutputs:
        colours = features.levels[0].transpose(0, 1)[None]
        logits = torch.einsum("lc,bcthw->blthw", self.class_weights, colours)
        return PixelOutputs(colours * 3, torch.full_like(colours, -1.0), colours.amax(1), logits, None)


def peak_memory() -> float:
    """Peak resident memory of this process in MiB. getrusage would count in what the parent had before the start."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**10


def run(frames: int) -> dict[str, float]:
    """Segments a video of so many frames, and writes everything."""
    from chronomask.heap import share_heap  # here, for segment.py takes peak_memory with older trees too

    share_heap()  # as the command does
    config = SegmentConfig(score=0.0, max_tracks=100, cluster=ClusterConfig(seed_threshold=0.7, minimum_pixels=8))
    segmenter = Segmenter(ColourNetwork(), config, torch.device("cpu"))  # type: ignore[arg-type]
    outputs = Outputs(overlay=True, masks="png", cutout="png", cutout_tracks="together", csv=True)
    begin, seconds = peak_memory(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        segment_to_folder(segmenter, Shapes(frames), out, checkpoint=bundled_weights("lite"), outputs=outputs)
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
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.run)))
        return
    rows = []
    for frames in options.frames:
        command = [sys.executable, __file__, "--run", str(frames)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    peaks = [row["peak MiB"] for row in rows]
    spread = max(peaks) / min(peaks) - 1
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in row.values()))
    console = Console()
    console.print(table)
    console.print(f"largest peak over smallest: +{100 * spread:.1f} %")
    if options.json:
        options.json.write_text(json.dumps({"runs": rows, "spread": spread}, indent=1))


if __name__ == "__main__":
    main()
