"""Does time pay where objects really move? Clips of 8 frames against single ones, pyramid and attention on and off.

    python benchmarks/time_pays.py DATA... --composites FOLDER --out FOLDER [--steps N] [--seeds 0 1] [--only ...]

DATA as `chronomask train` takes it. Every setting is trained for N steps of 16 frames, in bfloat16, on what the last
stage of the bundled weights saw: objects of videos and stills that move, meet and hide each other. All begin with the
bundled weights but for Squeezes and attention, which are random, and equal wherever two settings have one in common.
Scored without names on COMPOSITES (instances.json and JPEGImages), of videos that DATA leaves out. "Frame by frame" has
clips of one frame, sixteen a step, and the best of the ten trackers of benchmarks/baseline.py, by AP on this very data.

Intervals hold 95 % of 2,000 draws of the videos. Runs lie in OUT/<setting>-<seed>, results as tracks.json there: a
finished one is not repeated, a killed one continues; several processes may share the work by --only and --seeds.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from ablation import SETTINGS, Setting, sharing, training
from baseline import FrameSegmenter, on_frames
from recorder import Recorder
from rich.console import Console
from rich.table import Table

from chronomask.config import MachineConfig, SegmentConfig, StitchConfig, TrainConfig
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import open_training_sources
from chronomask.engines.engine import Engine
from chronomask.engines.models import bundled_weights
from chronomask.evaluation.ap import score
from chronomask.evaluation.compare import resampled
from chronomask.evaluation.matching import match
from chronomask.evaluation.selection import without_classes
from chronomask.evaluation.tracking import score_tracking
from chronomask.evaluation.validate import read_results, read_truth
from chronomask.model.checkpoint import load_network
from chronomask.model.network import Network
from chronomask.runs.predict import EVERYTHING, predict
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.training.checkpoint import WEIGHTS
from chronomask.training.loop import train
from chronomask.training.progress import ProgressLine

NAMES = ("both (the paper)", "time pyramid off", "attention none", "frame by frame")
COLUMNS = ("AP", "AP50", "HOTA", "IDF1")
THRESHOLDS, MEMORIES = (0.05, 0.1, 0.2, 0.3, 0.5), (1, 8)
DRAWS = 2000


@dataclass(frozen=True, eq=False)
class Scored:
    """One run, or one tracker of it, on the composites.

    Attributes:
        figures: of `COLUMNS`.
        drawn: AP of every draw of the videos.
    """

    figures: dict[str, float]
    drawn: np.ndarray


def start(setting: Setting, seed: int) -> Network:
    """The network of a setting before its first step."""
    bundled = load_network(bundled_weights("lite"))
    torch.manual_seed(seed)
    whole = Network(bundled.config)
    kept = {name: x for name, x in bundled.state_dict().items() if not name.startswith(("squeeze.", "attention."))}
    whole.load_state_dict(kept, strict=False)
    return sharing(whole, setting)


def recipe(setting: Setting, steps: int, seed: int) -> TrainConfig:
    """As the last stage of the bundled weights (examples/make_weights.py), for so many steps."""
    config = training(setting, steps, seed)
    objects = replace(config.data.objects, shift=0.2, rotation=6.0, zoom=0.1, blur=0.0)
    data = replace(config.data, height=192, width=352, meeting=0.3, hidden=0.1, objects=objects)
    return replace(config, ema=0.99, data=data)


def trackers(length: int) -> dict[str, Callable[[Engine], Segmenter]]:
    """What joins the clips of a network to tracks, by name: the product's tracker, or ten for single frames."""
    settings = replace(SegmentConfig(), score=EVERYTHING.score, max_tracks=EVERYTHING.max_tracks)
    if length > 1:
        return {"clips": lambda engine: Segmenter(engine, settings)}
    made: dict[str, Callable[[Engine], Segmenter]] = {}
    for memory, threshold in itertools.product(MEMORIES, THRESHOLDS):
        config = replace(on_frames(settings), stitch=StitchConfig(minimum_iou=threshold, memory_frames=memory))
        made[f"IoU {threshold:g}, memory {memory}"] = lambda engine, config=config: FrameSegmenter(engine, config)
    return made


def results(folder: Path, length: int, composites: Path) -> dict[str, Path]:
    """The tracks of a run on the composites, by tracker; the network runs once for all of them."""
    wanted = {name: folder / composites.name / name / "tracks.json" for name in trackers(length)}
    recorder: Recorder | None = None
    for name, path in wanted.items():
        if path.exists():
            continue
        if recorder is None:
            settings = SegmentConfig() if length > 1 else on_frames(SegmentConfig())
            recorder = Recorder(load(folder / WEIGHTS, config=settings).engine)
        segmenter = trackers(length)[name](recorder)
        predict(segmenter, composites / "instances.json", composites / "JPEGImages", path)
        recorder.playing = True
    return wanted


def scored(path: Path, composites: Path) -> Scored:
    """Figures of a tracks.json, without names."""
    truth = read_truth(composites / "instances.json")
    truth, found = without_classes(truth, read_results(path, truth))
    videos = len(truth.videos)
    draws = np.random.default_rng(0).multinomial(videos, np.full(videos, 1 / videos), DRAWS).astype(np.float64)
    precision, tracking = score(truth, found).scores, score_tracking(truth, found).scores
    values = (precision.AP, precision.AP50, tracking.HOTA, tracking.IDF1)
    return Scored(dict(zip(COLUMNS, values, strict=True)), resampled(match(truth, found), draws)["AP"])


def run(name: str, seed: int, sources: Sequence[WeightedSource], options: argparse.Namespace) -> Scored:
    """Trains and scores one setting, or what is still missing of that; the best of its trackers."""
    folder, config = options.out / f"{name}-{seed}", recipe(SETTINGS[name], options.steps, seed)
    machine = MachineConfig(workers=0, precision="bfloat16", checkpoint_every=100)
    origin = {"data": [[str(source.reader.annotations), source.weight] for source in sources]}
    with ProgressLine() as progress:
        train(start(SETTINGS[name], seed), sources, config, folder, machine, [progress], origin)
    found = {
        tracker: scored(path, options.composites)
        for tracker, path in results(folder, config.data.length, options.composites).items()
    }
    for tracker, result in found.items():
        print(json.dumps({"setting": name, "seed": seed, "tracker": tracker, **result.figures}), flush=True)
    return max(found.values(), key=lambda result: result.figures["AP"])


def interval(values: np.ndarray) -> str:
    """Of an AP or a difference of two, in percent."""
    low, high = np.nanquantile(values, [0.025, 0.975]) * 100
    return f"{low:+.1f} to {high:+.1f}"


def rows(found: dict[str, list[Scored]]) -> list[list[str]]:
    """Of every setting the means over the seeds and each seed's value; the AP's distance to the first setting's."""
    drawn = {name: np.mean([result.drawn for result in runs], 0) for name, runs in found.items()}
    first, table = next(iter(found)), []
    for name, runs in found.items():
        row = [name]
        for column in COLUMNS:
            values = [100 * result.figures[column] for result in runs]
            row.append(f"{np.mean(values):.1f} ({', '.join(f'{value:.1f}' for value in values)})")
        table.append([*row, "" if name == first else interval(drawn[name] - drawn[first])])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="training data, as for `chronomask train`")
    parser.add_argument("--composites", type=Path, required=True, help="folder with instances.json and JPEGImages")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    options = parser.parse_args()

    sources = open_training_sources(options.data, load_network(bundled_weights("lite")).config.categories)
    found: dict[str, list[Scored]] = {name: [] for name in options.only}
    for seed in options.seeds:
        for name, runs in found.items():
            runs.append(run(name, seed, sources, options))
    table = Table("setting", *COLUMNS, "AP, less that of the first", title=f"{options.steps} steps")
    for row in rows(found):
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
