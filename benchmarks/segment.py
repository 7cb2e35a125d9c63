"""Frames a second of `segment`, where the time goes, and how far the network is from what the machine can do.

    python benchmarks/segment.py [MODEL] [VIDEO ...] [--before OTHER/src] [--rounds 3] [--json FILE]

MODEL is a bundled model or a checkpoint, "lite" by default; without a VIDEO it is the sample of the demo. Three rates:

    network   the network alone, on the clips of a stream that is under way (8 frames, 4 of them new)
    library   frames in memory in, tracks out
    segment   the command: a file in, tracks.json and overlay.mp4 out

Stages are seconds of processor time in `segment`, of the threads that ask for the work; where a tree lets PyTorch share
an operation among cores, the other cores' time is not in them. Operations are PyTorch's
own count for the network as it is trained, of convolutions and matrix products alone, a multiplication and an addition
being two. Their share is that of the rate at which the same process multiplies large float32 matrices.

With --before the same is measured with the source tree of another commit (`git archive COMMIT src | tar x -C OTHER`),
by turns, so that both see the same machine; the table gives medians, and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from memory import peak_memory
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

import chronomask
from chronomask.formats import spool
from chronomask.inference import job, segment, stitch
from chronomask.inference.load import bundled_weights, load
from chronomask.inference.segment import Segmenter
from chronomask.model.checkpoint import load_network
from chronomask.model.network import FrameFeatures
from chronomask.outputs import drawing
from chronomask.video import Frame, VideoSource, open_source

ROOT = Path(__file__).parents[1]
CLIPS = sys.modules.get("chronomask.inference.clips", segment)
"""Where tubes are found; older trees do it where they stitch them."""

STAGES = [
    *((room, name, "clustering") for room in (CLIPS, segment) for name in ("cluster", "label_map")),
    *((room, "looks_of", "stitching") for room in (CLIPS, segment)),
    (stitch.Stitcher, "add", "stitching"),
    (segment, "paint", "painting"),
    (segment, "merge", "painting"),
    (spool.Spool, "add", "run lengths"),
    (spool.Spool, "__getitem__", "masks again"),
    (spool.Spool, "frame", "masks again"),
    (drawing, "draw_tracks", "drawing"),
    (drawing.VideoWriter, "write", "encoding"),
]
"""Where a function is looked up, its name, and the stage that its time belongs to; some trees lack some of them."""


class Stages:
    """Seconds of processor time spent in functions, by the name of their stage, in all threads together.

    What calls another function of its stage counts it in.
    """

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._lock, self._thread = threading.Lock(), threading.local()

    def watch(self, place: Any, name: str, stage: str) -> None:
        """From now on the function of this name notes its time, if there is one."""
        function: Callable[..., Any] | None = getattr(place, name, None)
        if function is not None:
            setattr(place, name, self.timed(function, stage))

    def timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        """The function, which notes its time from now on."""

        def noting(*args: Any, **options: Any) -> Any:
            running = self._thread.__dict__.setdefault("stages", set())
            if stage in running:
                return function(*args, **options)
            running.add(stage)
            begin = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                running.remove(stage)
                with self._lock:
                    self.seconds[stage] += time.thread_time() - begin

        return noting


class Excerpt(VideoSource):
    """The first frames of a source, whose decoding is timed; or frames in memory, which cost nothing."""

    def __init__(
        self, source: VideoSource, frames: int, stages: Stages, images: list[np.ndarray] | None = None
    ) -> None:
        self.name, self.width, self.height, self.fps = source.name, source.width, source.height, source.fps
        self.length, self.sound = frames, source.sound
        self._source, self._stages, self._images = source, stages, images

    def __iter__(self) -> Iterator[Frame]:
        if self._images is not None:
            yield from (Frame(index, index / self.fps, image) for index, image in enumerate(self._images))
            return
        frames = islice(iter(self._source), self.length)
        following = self._stages.timed(lambda: next(frames, None), "decoding")
        while (frame := following()) is not None:
            yield frame


def network_rate(segmenter: Segmenter, images: list[np.ndarray], clips: int) -> float:
    """Frames a second of the network alone, after the first clip."""
    length, step = segmenter.config.clip_length, segmenter.config.step
    shrunk = torch.stack([segmenter._shrunk(images[number % len(images)]) for number in range(length)])
    size = (shrunk.shape[2], shrunk.shape[3])
    with torch.inference_mode(), segmenter._autocast():
        features = segmenter.network.encode(shrunk)
        for clip in range(clips + 2):
            if clip == 2:
                begin = time.perf_counter()
            features = _joined(features[step:], segmenter.network.encode(shrunk[:step]))
            segmenter.network.decode(features, 1, size)
        if segmenter.device.type == "cuda":
            torch.cuda.synchronize()
    return clips * step / (time.perf_counter() - begin)


def _joined(one: FrameFeatures, other: FrameFeatures) -> FrameFeatures:
    """The frames of both; older trees have another name for it."""
    return FrameFeatures.joined([one, other]) if hasattr(FrameFeatures, "joined") else one.followed_by(other)


def operations(checkpoint: Path, segmenter: Segmenter, image: np.ndarray) -> float:
    """Of the network as it is trained, for one more frame of a stream."""
    network, config = load_network(checkpoint), segmenter.config
    frames = segmenter._shrunk(image).cpu().expand(config.clip_length, -1, -1, -1)
    with torch.inference_mode():
        features = network.encode(frames)
        with FlopCounterMode(display=False) as counter:
            network.encode(frames[: config.step])
            network.decode(features, 1, (frames.shape[2], frames.shape[3]))
    return counter.get_total_flops() / config.step


def matrix_rate(device: torch.device, dtype: torch.dtype, most: int = 2048, times: int = 3) -> float:
    """Operations a second of a product of large matrices, the median of some.

    The matrices have up to `most` rows; fewer where a product takes long, as that of bfloat16 does on processors that
    have to emulate it.
    """
    size = 128
    while size < most and _seconds(device, dtype, size, 1) < 0.02:
        size *= 2
    return 2 * size**3 / _seconds(device, dtype, size, times)


def _seconds(device: torch.device, dtype: torch.dtype, size: int, times: int) -> float:
    """Of one product of square matrices, the median; the first, which sets things up, is not counted."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(times + 1):
        begin = time.perf_counter()
        (a @ b)[0, 0].item()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds[1:]))


def measure(model: str, video: str, options: argparse.Namespace) -> dict[str, float]:
    """All figures of the source tree that this process has imported, for one video."""
    checkpoint = Path(model) if Path(model).suffix else bundled_weights(model)
    segmenter, source, stages = load(checkpoint, options.device), open_source(video), Stages()
    images = [frame.image for frame in islice(source, options.frames)]
    for place, name, stage in STAGES:
        stages.watch(place, name, stage)
    with TemporaryDirectory() as folder:
        few = Excerpt(source, 9, stages, images[:9])
        job.segment_to_folder(segmenter, few, Path(folder) / "warm", checkpoint=checkpoint)
        network = network_rate(segmenter, images, options.clips)
        begin = time.perf_counter()
        for _ in segmenter.segment(Excerpt(source, len(images), stages, images)):
            pass
        library = len(images) / (time.perf_counter() - begin)
        stages.seconds.clear()
        stages.watch(segmenter.network, "encode", "frame encoder")
        stages.watch(segmenter.network, "decode", "clip decoder")
        whole = Excerpt(source, len(images), stages)
        begin = time.perf_counter()
        job.segment_to_folder(segmenter, whole, Path(folder) / "out", checkpoint=checkpoint)
        seconds, peak = time.perf_counter() - begin, peak_memory()
    rate = matrix_rate(segmenter.device, torch.float32)
    needed = operations(checkpoint, segmenter, images[0])
    return {
        "network frames/s": network,
        "library frames/s": library,
        "segment frames/s": len(images) / seconds,
        "library of network": library / network,
        "segment of network": len(images) / seconds / network,
        **{f"{stage} s": stages.seconds[stage] for stage in sorted(stages.seconds)},
        "segment s": seconds,
        "peak MiB": peak,
        "Gop a frame": needed / 1e9,
        "float32 Gop/s": rate / 1e9,
        "bfloat16 Gop/s": matrix_rate(segmenter.device, torch.bfloat16) / 1e9,
        "share of float32 rate": needed * network / rate,
    }


def measured_in(tree: Path, options: argparse.Namespace, video: str) -> dict[str, float]:
    """The figures of a source tree, from a process of its own."""
    command = [sys.executable, __file__, options.model, video, "--child", str(tree), "--device", options.device]
    command += ["--frames", str(options.frames), "--clips", str(options.clips)]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def show(video: str, rounds: dict[str, list[dict[str, float]]]) -> None:
    """A table of medians."""
    medians = {
        tree: {name: float(np.median([figures[name] for figures in found])) for name in found[0]}
        for tree, found in rounds.items()
    }
    names = dict.fromkeys(name for figures in medians.values() for name in figures)
    table = Table(video, *medians, *(["ratio"] if len(medians) > 1 else []))
    for name in names:
        values = [figures.get(name) for figures in medians.values()]
        cells = ["-" if value is None else f"{value:,.3g}" if value < 100 else f"{value:,.0f}" for value in values]
        if len(values) > 1:
            cells.append("-" if not all(values) else f"{values[1] / values[0]:.2f}")
        table.add_row(name, *cells)
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="lite")
    parser.add_argument("videos", nargs="*", default=[str(ROOT / "examples" / "sample.mp4")])
    parser.add_argument("--before", type=Path, help="src folder of another commit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=56, help="of each video, at most")
    parser.add_argument("--clips", type=int, default=12, help="that the network alone is measured on")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write the figures of all rounds to this file too")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        assert Path(chronomask.__file__).is_relative_to(options.child.resolve()), "the tree that was asked for"
        print(json.dumps(measure(options.model, options.videos[0], options)))
        return
    trees = {"before": options.before} if options.before else {}
    trees |= {"now": ROOT / "src"}
    everything = {}
    for video in options.videos:
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
        for _ in range(options.rounds):
            for name, tree in trees.items():
                rounds[name].append(measured_in(tree, options, video))
        show(video, rounds)
        everything[video] = rounds
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
