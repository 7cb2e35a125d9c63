"""What the time pyramid and the attention of the paper, and choices of our own, are worth at a small fixed budget.

    python benchmarks/ablation.py DATA... --synthesised FOLDER --davis DAVIS/instances.json --videos boat hike \
        --out FOLDER [--steps N] [--seeds 0 1] [--only "pull 0" ...] [--json FILE] [--markdown FILE]

DATA as `chronomask train` takes it. Unless its name says otherwise, a setting is trained for N steps on the same clips
(two a step, 8 frames of 128x224) from the same start: the `lite` model with the frozen backbone of the bundled weights,
all other weights random, and equal wherever two settings have one in common. Scored at 128x224, in clips of 8 frames:
average precision on what `chronomask dataset synthesize` made, the embedding loss on the same (lower is better; no
threshold has a say in it), and J on videos with one main object.

Without --only it is the paper's ablation; "time pyramid off" has no Squeeze, so that its coarse levels have no 3x3x3
convolution either. Other settings compare with "both (the paper)", which is `lite` as it is. "Frame by frame" has clips
of one frame, as many frames a step, and a tracker by mask IoU. Runs lie in OUT/<setting>-<seed>: a finished one is not
repeated, a killed one continues; several processes may share the work by --only.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baseline import load_frames
from rich.console import Console
from rich.table import Table
from scoring import clip_scores, video_means
from torch import Tensor
from torch.nn import functional as F

from chronomask.baselines.own_network import on_frames
from chronomask.config import ClusterConfig, MachineConfig, SegmentConfig, StitchConfig, TrainConfig, lite
from chronomask.config.training import lite_recipe
from chronomask.data.annotation_file import YtvisVideos
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import open_training_sources
from chronomask.engines.models import bundled_weights
from chronomask.files import written_aside
from chronomask.losses import clip_losses
from chronomask.model.checkpoint import load_network
from chronomask.model.network import STRIDE, Network
from chronomask.segmenter.clips import network_size
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.structures import Clip
from chronomask.training.checkpoint import WEIGHTS
from chronomask.training.loop import train
from chronomask.training.objective import outputs_of_clip
from chronomask.training.progress import ProgressLine
from chronomask.training.targets import make_targets
from chronomask.training.validation import EVERYTHING

STEPS = 300

WHOLE = replace(lite(), attention="both")


@dataclass(frozen=True)
class Setting:
    """What differs from `lite` and its recipe, by the names of the fields."""

    network: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


PAPER = {
    "time pyramid off": Setting({"squeezes": (0, 0, 0, 0)}),
    "attention none": Setting({"attention": "none"}),
    "attention channel": Setting({"attention": "channel"}),
    "attention space-time": Setting({"attention": "space-time"}),
    "both (the paper)": Setting(),
}

OWN = {
    "attention se": Setting({"attention": "se"}),
    "attention non-local": Setting({"attention": "non-local"}),
    "attention dual": Setting({"attention": "dual"}),
    "along optical flow": Setting({"squeezes": (0, 0, 0, 0), "aggregation": "flow"}),
    "embedding of cosines, frame by frame": Setting({"embedding": ("unit",) * 8}, {}, {"length": 1}, {"batch": 16}),
    "embedding (y, x)": Setting({"embedding": ("y", "x")}),
    "embedding (y, x, t)": Setting({"embedding": ("y", "x", "t")}),
    "no foreground output": Setting({"foreground": False}),
    "group normalisation": Setting({"norm": "group"}),
    "pull 0": Setting(losses={"pull": 0.0}),
    "smoothness 10": Setting(losses={"smooth": 10.0}),
    "no copied objects": Setting(data={"max_pastes": 0}),
    "clips of 4 frames, twice as many": Setting(data={"length": 4}, training={"batch": 4}),
    "clips of 2 frames, four times as many": Setting(data={"length": 2}, training={"batch": 8}),
    "backbone trained too": Setting(training={"backbone_rate": 0.1}),
    "frame by frame": Setting(data={"length": 1}, training={"batch": 16}),
    "no moving average": Setting(training={"ema": 0.0}),
}

SETTINGS = PAPER | OWN

SEGMENT = SegmentConfig(short_side=128, long_side=224, cluster=ClusterConfig(minimum_pixels=25))
"""The default settings, at half the size; a tube has a quarter of the pixels then."""

COLUMNS = ("embedding loss", "AP50 any", "AP50", "AR10 any", "union", "best", "seconds a step")


@dataclass(frozen=True)
class Scoring:
    """What the runs are scored on."""

    synthesised: Path
    davis: Path
    videos: list[str]


def initial_network(setting: Setting, seed: int) -> Network:
    """The network of a setting before its first step; weights that settings have in common are equal."""
    torch.manual_seed(seed)
    whole = Network(WHOLE)
    whole.backbone.load_state_dict(load_network(bundled_weights("lite")).backbone.state_dict())
    return sharing(whole, setting)


def sharing(whole: Network, setting: Setting) -> Network:
    """The network of a setting, with all weights that it has in common with the whole one; others are random."""
    network = Network(replace(whole.config, **setting.network))
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    shared = {
        name: tensor
        for name, tensor in whole.state_dict().items()
        if not name.startswith("attention.") and shapes.get(name) == tensor.shape
    }
    network.load_state_dict(shared, strict=False)
    for mine, theirs in zip(network.attention, whole.attention, strict=True):
        by_kind = {type(part): part.state_dict() for part in theirs.children()}
        for part in mine.children():
            if type(part) in by_kind:
                part.load_state_dict(by_kind[type(part)])
    return network


def training(setting: Setting, steps: int, seed: int) -> TrainConfig:
    """The recipe of a setting."""
    recipe = lite_recipe()
    return replace(
        recipe,
        **{"steps": steps, "warmup": min(30, steps // 4), "ema": 0.98, "seed": seed} | setting.training,
        losses=replace(recipe.losses, **setting.losses),
        data=replace(recipe.data, **{"length": 8, "height": 128, "width": 224} | setting.data),
    )


def run(name: str, seed: int, sources: Sequence[WeightedSource], steps: int, scoring: Scoring, out: Path) -> dict:
    """Trains and scores one setting, or what is still missing of that; its figures."""
    folder, path = out / f"{name}-{seed}", out / f"{name}-{seed}" / "scores.json"
    machine = MachineConfig(workers=0, checkpoint_every=100)
    origin = {"data": [[str(source.reader.annotations), source.weight] for source in sources]}
    network, config = initial_network(SETTINGS[name], seed), training(SETTINGS[name], steps, seed)
    with ProgressLine() as progress:
        train(network, sources, config, folder, machine, [progress], origin)
    scored_on = {"synthesised": str(scoring.synthesised), "davis": str(scoring.davis), "videos": scoring.videos}
    if path.exists() and (known := json.loads(path.read_text()))["scored_on"] == scored_on:
        return known["figures"]
    weights = folder / WEIGHTS
    everything = replace(SEGMENT, score=EVERYTHING.score, max_tracks=EVERYTHING.max_tracks)
    length = config.data.length
    figures = clip_scores(segmenter(weights, everything, length), scoring.synthesised)
    figures |= video_means(segmenter(weights, SEGMENT, length), scoring.davis, scoring.videos)
    if length > 1:  # of single frames it would be another loss
        figures["embedding loss"] = embedding_loss(load_network(weights), scoring.synthesised)
    figures["seconds a step"] = seconds_a_step(folder / "log.csv")
    with written_aside(path) as aside:
        aside.write_text(json.dumps({"scored_on": scored_on, "figures": figures}, indent=1))
    return figures


def segmenter(weights: Path, settings: SegmentConfig, length: int) -> Segmenter:
    """What runs the network; one of single frames as benchmarks/baseline.py does, with its best tracker."""
    if length > 1:
        return load(weights, config=settings)
    return load_frames(weights, replace(on_frames(settings), stitch=StitchConfig(minimum_iou=0.05, memory_frames=8)))


@torch.inference_mode()
def embedding_loss(network: Network, folder: Path) -> float:
    """Mean L_embedding on the synthesised clips: how far the pixels of different objects are from coming apart."""
    data = YtvisVideos(folder / "instances.json", folder / "JPEGImages", network.config.categories, complete=True)
    losses = []
    for index in range(len(data)):
        clip = shrunk(data.load(index, range(data.length(index))), SEGMENT)
        outputs = network(clip.frames[None])
        losses.append(float(clip_losses(outputs_of_clip(outputs, 0, None), make_targets(clip, STRIDE)).embedding))
    return float(np.mean(losses))


def shrunk(clip: Clip, settings: SegmentConfig) -> Clip:
    """The clip at the size at which it is segmented."""
    size = network_size(clip.frames.shape[2], clip.frames.shape[3], settings)

    def resampled(masks: Tensor) -> Tensor:
        return F.interpolate(masks.byte(), size=size, mode="nearest-exact").bool()

    return replace(
        clip,
        frames=F.interpolate(clip.frames, size=size, mode="bilinear", antialias=True, align_corners=False),
        masks=resampled(clip.masks),
        ignore=resampled(clip.ignore[None])[0],
        unknown=resampled(clip.unknown[None])[0],
    )


def seconds_a_step(path: Path) -> float:
    """Median over the steps that log.csv has."""
    with path.open(newline="") as file:
        return float(np.median([float(row["seconds"]) for row in csv.DictReader(file)]))


def cells(figures: Sequence[dict[str, float]]) -> list[str]:
    """One row of the table: means over the seeds, and each seed's value where there are several."""
    texts = []
    for column in COLUMNS:
        values = [of_seed[column] for of_seed in figures if column in of_seed]
        each = f" ({', '.join(f'{value:.3f}' for value in values)})" if len(values) > 1 else ""
        texts.append(f"{np.mean(values):.3f}{each}" if values else "-")
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="training data, as for `chronomask train`")
    parser.add_argument("--synthesised", type=Path, required=True, help="folder of `chronomask dataset synthesize`")
    parser.add_argument("--davis", type=Path, required=True, help="instances.json; frames lie in JPEGImages beside it")
    parser.add_argument("--videos", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--only", nargs="+", choices=list(SETTINGS), default=list(PAPER))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path, help="write the rows of the table here")
    options = parser.parse_args()

    sources = open_training_sources(options.data, WHOLE.categories)
    scoring = Scoring(options.synthesised, options.davis, options.videos)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in options.only}
    for seed in options.seeds:
        for name, figures in found.items():
            figures.append(run(name, seed, sources, options.steps, scoring, options.out))
            print(json.dumps({"setting": name, "seed": seed, **figures[-1]}), flush=True)
    table = Table("setting", *COLUMNS, title=f"{options.steps} steps, seeds {options.seeds}")
    rows = [(name, *cells(figures)) for name, figures in found.items()]
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    if options.markdown:
        heading = [("setting", *COLUMNS), ("---",) * (len(COLUMNS) + 1)]
        options.markdown.write_text("".join(f"| {' | '.join(row)} |\n" for row in [*heading, *rows]))
    if options.json:
        options.json.write_text(json.dumps({"steps": options.steps, "seeds": options.seeds, "runs": found}, indent=1))


if __name__ == "__main__":
    main()
