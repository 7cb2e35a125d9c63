"""Does training wait for data? Clips a second from the loader, beside what a training step of `lite` takes.

    python benchmarks/data.py VIDEOS.json,partial STILLS.json [--sizes 256x448] [--clips N] [--steps N] [--json FILE]
    python benchmarks/data.py DATA... --as-trained "--data.length 4 --batch 4 --data.meeting 0.3" [--precision bfloat16]

DATA are named as for `chronomask train`; each is measured on its own with the default mixture (views moved, some
blurred, objects copied in, targets made), by 0, 1 and 2 worker processes. Training steps of one clip of 8
frames follow on the same machine. With `--as-trained` and options of `chronomask train` they are measured together, in
the shares and steps of such a run. Whatever the number of workers, the bytes must be the same. Last, a json of the
scale of YouTube-VIS 2019 train is made and opened in a process of its own. Busy neighbours change all figures: compare
those of one run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from chronomask.categories import LITE
from chronomask.config import MachineConfig, MixtureConfig, TrainConfig, lite, lite_recipe
from chronomask.data.mixture import ClipMixture
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import open_reader, open_training_sources
from chronomask.device import Precision
from chronomask.files import written_aside
from chronomask.model.backbone_network import to_channels_last
from chronomask.model.network import Network
from chronomask.training.distributed import joined_ranks
from chronomask.training.schedule import build_optimizer
from chronomask.training.step import Stepper
from chronomask.training.targets import Batch, collate

SIZES = {"256x448": (256, 448), "640x1136": (640, 1136)}
WORKERS = (0, 1, 2)
VIDEOS, OBJECTS, MASKS = 2238, 3774, 131_000
"""YouTube-VIS 2019 train; its frames are mostly 1280x720, its masks plain run lengths."""


@dataclass(frozen=True)
class Row:
    """Figures of one data set at one size.

    Attributes:
        data: folder and kind of the data.
        size: of the clips, height and width.
        clips_per_second: by workers.
        cpu_seconds: of one clip, without workers.
        step_clips_per_second: what training steps take in.
        step_cpu_seconds: of a step, for one clip.
    """

    data: str
    size: tuple[int, int]
    clips_per_second: dict[int, float]
    cpu_seconds: float
    step_clips_per_second: float
    step_cpu_seconds: float


def loading(
    sources: Sequence[WeightedSource], config: MixtureConfig, workers: int, clips: int
) -> tuple[float, float, str]:
    """Clips a second, seconds of this process' CPU time for one, and a hash of all; from the second clip on, when
    workers run."""
    mixture = ClipMixture(sources, config, seed=0, clips=clips + 1)
    loader = iter(DataLoader(mixture, batch_size=1, num_workers=workers, collate_fn=partial(collate, stride=4)))
    content = hashlib.sha256(_bytes(next(loader)))
    begun, used = time.perf_counter(), time.process_time()
    hashing = 0.0
    for batch in loader:
        waited = time.perf_counter()
        content.update(_bytes(batch))
        hashing += time.perf_counter() - waited
    seconds, cpu = time.perf_counter() - begun - hashing, time.process_time() - used - hashing
    return clips / seconds, cpu / clips, content.hexdigest()


def _bytes(batch: Batch) -> bytes:
    """Frames and masks."""
    return b"".join(part.numpy().tobytes() for part in (batch.frames, *(one.masks for one in batch.targets)))


def training(
    sources: Sequence[WeightedSource], config: TrainConfig, precision: Precision, steps: int
) -> tuple[float, float]:
    """Clips a second that steps take, and seconds of the processor's time for one; the first step, which allocates,
    does not count."""
    mixture = ClipMixture(sources, config.data, seed=0, clips=(steps + 1) * config.batch)
    batches = [
        collate([mixture[index] for index in range(step * config.batch, (step + 1) * config.batch)], 4)
        for step in range(steps + 1)
    ]
    machine, network = MachineConfig(precision=precision), to_channels_last(Network(lite()))
    with joined_ranks(machine.device) as ranks:
        network.to(ranks.device).freeze_backbone()
        stepper = Stepper(network.train(), build_optimizer(network, config), config, machine, ranks)
        stepper.step(0, iter(batches[:1]))
        begun, used, clips = time.perf_counter(), time.process_time(), steps * config.batch
        for number, batch in enumerate(batches[1:], 1):
            stepper.step(number, iter([batch]))
        return clips / (time.perf_counter() - begun), (time.process_time() - used) / clips


def measured(name: str, sources: Sequence[WeightedSource], config: TrainConfig, options: argparse.Namespace) -> Row:
    """All figures of some data, which are loaded together."""
    found = {workers: loading(sources, config.data, workers, options.clips) for workers in WORKERS}
    assert len({content for *_, content in found.values()}) == 1, f"{name}: workers change the bytes"
    speed, seconds = training(sources, config, options.precision, options.steps)
    return Row(
        data=name,
        size=(config.data.height, config.data.width),
        clips_per_second={workers: speed for workers, (speed, *_) in found.items()},
        cpu_seconds=found[0][1],
        step_clips_per_second=speed,
        step_cpu_seconds=seconds,
    )


def each_alone(options: argparse.Namespace) -> list[Row]:
    """Every data set at every size, in steps of one clip."""
    rows = []
    for height, width in map(SIZES.__getitem__, options.sizes):
        config = TrainConfig(batch=1, data=MixtureConfig(height=height, width=width))
        for specification in options.data:
            source = open_training_sources([specification], LITE)[0]
            name, kind = Path(specification.split(",")[0]), "real" if source.reader.length(0) > 1 else "synthesised"
            rows.append(measured(f"{name.parent.name}, {kind}", [source], config, options))
    return rows


def together(options: argparse.Namespace) -> list[Row]:
    """All data sets in the shares, clips and steps of a training run."""
    config = tyro.cli(TrainConfig, args=shlex.split(options.as_trained), default=lite_recipe())
    return [measured("as trained", open_training_sources(options.data, LITE), config, options)]


def blob(rng: np.random.Generator) -> str:
    """Plain run lengths of an ellipse with a ragged outline in a frame of 720x1280, as json."""
    width, height = rng.integers(60, 400, 2)
    columns = np.arange(width) + rng.integers(0, 1280 - width)
    half = height / 2 * np.sqrt(np.clip(1 - (np.linspace(-1, 1, width)) ** 2, 0, 1)) + rng.uniform(0, 4, (2, width))
    ends = columns * 720 + rng.integers(220, 500) + np.array([[-1], [1]]) * half.astype(int)
    counts = np.diff(np.concatenate([[0], np.sort(ends.T.ravel()), [720 * 1280]]))
    return json.dumps({"counts": counts.tolist(), "size": [720, 1280]})


def write_large_set(path: Path, videos: int) -> None:
    """A json with as many objects and masks a video as YouTube-VIS 2019 train has."""
    rng, pick = np.random.default_rng(0), random.Random(0)
    blobs = [blob(rng) for _ in range(500)]
    objects, length = videos * OBJECTS // VIDEOS, round(MASKS / OBJECTS)
    with path.open("w") as file:
        names = [[f"{video:05d}/{frame:05d}.jpg" for frame in range(length)] for video in range(videos)]
        entries = [
            {"id": video + 1, "height": 720, "width": 1280, "length": length, "file_names": names[video]}
            for video in range(videos)
        ]
        categories = [{"id": number, "name": f"class {number}"} for number in range(1, 41)]
        file.write(f'{{"videos": {json.dumps(entries)}, "categories": {json.dumps(categories)}, "annotations": [')
        for number in range(objects):
            masks = ", ".join(pick.choice(blobs) for _ in range(length))
            file.write(
                f'{", " if number else ""}{{"id": {number + 1}, "video_id": {number % videos + 1}, "iscrowd": 0, '
                f'"category_id": {number % 40 + 1}, "segmentations": [{masks}]}}'
            )
        file.write("]}")


def opening(path: Path) -> dict[str, float]:
    """Seconds, and peak resident memory in GiB, of opening an annotation file; in the process that does it alone."""
    begun = time.perf_counter()
    used = time.process_time()
    reader = open_reader(path, LITE, images=path.parent)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    masks = sum(info.frames for index in range(len(reader)) for info in reader.instances(index))
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**20
    return {"videos": len(reader), "masks": masks, "seconds": seconds, "cpu_seconds": cpu, "peak_gib": peak}


def large_set(videos: int) -> dict[str, float]:
    """`opening` of a set of that many videos, and the size of its json in GiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instances.json"
        write_large_set(path, videos)
        size = path.stat().st_size / 2**30
        command = [sys.executable, __file__, "--open", str(path)]
        return {"json_gib": size} | json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def table_of(rows: list[Row]) -> Table:
    """The rows for people."""
    table = Table("data", "size", *(f"workers {n}" for n in WORKERS), "cpu s", "step", "its cpu s", "ratio", "of cpu s")
    for row in rows:
        speeds = [f"{row.clips_per_second[workers]:.2f}" for workers in WORKERS]
        step, alone = row.step_clips_per_second, row.clips_per_second[0]
        size = f"{row.size[0]}x{row.size[1]}"
        ratios = (f"{alone / step:.1f}", f"{row.step_cpu_seconds / row.cpu_seconds:.1f}")
        table.add_row(
            row.data, size, *speeds, f"{row.cpu_seconds:.3f}", f"{step:.2f}", f"{row.step_cpu_seconds:.3f}", *ratios
        )
    return table


def main() -> None:
    """Measure, print a table of clips a second, and write the json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", help="training data, with options as for `chronomask train`")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="of the clips")
    parser.add_argument("--clips", type=int, default=24, help="clips a measurement")
    parser.add_argument("--steps", type=int, default=4, help="training steps a measurement")
    parser.add_argument("--as-trained", metavar="OPTIONS", help="of `chronomask train`, for all data together")
    parser.add_argument("--precision", default="float32", help="of the steps")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch, for the steps")
    parser.add_argument("--videos", type=int, default=VIDEOS, help="of the large set; 0 leaves it out")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open:
        print(json.dumps(opening(options.open)))
        return
    torch.set_num_threads(options.threads)
    console, rows = Console(width=120), together(options) if options.as_trained else each_alone(options)
    if rows:
        console.print(
            "clips a second: loaded, by workers, and taken by a step; cpu s: of loading a clip, and of a step for one; "
            "ratios: workers 0 / step, and of the processor's seconds, which busy neighbours change less"
        )
        console.print(table_of(rows))
    large = large_set(options.videos) if options.videos else None
    if large:
        console.print("opening a json of YouTube-VIS 2019 train's scale:", large)
    if options.json:
        with written_aside(options.json) as aside:
            aside.write_text(json.dumps({"clips": [asdict(row) for row in rows], "large_set": large}, indent=1))


if __name__ == "__main__":
    main()
