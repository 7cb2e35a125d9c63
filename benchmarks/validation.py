"""All quality figures of a checkpoint on the frozen validation data, by one command.

    chronomask dataset synthesize COCO/instances_val.json SYNTHESISED --videos-per-image 2 ... (see RESULTS.md)
    python benchmarks/validation.py lite --davis DAVIS/instances.json --videos boat hike --synthesised SYNTHESISED \
        --json FILE --reliability FILE.svg [--record]

DAVIS: default settings, figures of `video_scores.py`. Synthesised clips: AP with and without classes; names on the true
masks, macro accuracy over classes with five or more objects, beside the answer that is always the commonest class;
share of the results of a score that found an object (IoU 0.5, whatever its class), the reliability of the score.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from axes import plotted
from figures import record
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scoring import davis, found_in

from chronomask.annotations.records import Track
from chronomask.categories import NO_CLASS
from chronomask.data.annotation_file import YtvisVideos
from chronomask.engines.models import checkpoint_file
from chronomask.evaluation.ap import score
from chronomask.evaluation.matching import match
from chronomask.evaluation.records import GroundTruth
from chronomask.evaluation.selection import without_classes
from chronomask.losses import masked_class_logits
from chronomask.model.backbone_network import to_channels_last
from chronomask.model.checkpoint import load_network
from chronomask.model.folding import fold_batch_norm
from chronomask.model.network import Network
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.training.targets import make_targets
from chronomask.training.validation import EVERYTHING

COLUMNS = {
    "union J": "union",
    "top J": "top",
    "best J": "best",
    "fragmentation": "fragmentation",
    "one id": "one_id",
    "tracks": "tracks",
}
KEYS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR10")
COMMAND = (
    "python benchmarks/validation.py lite --davis $D/davis-train/instances.json --videos $V --synthesised synthesised"
)
BINS = np.linspace(0, 1, 11)


class Reliability(NamedTuple):
    """Results by score, in ten bins.

    Attributes:
        count: results in the bin.
        score: their mean score.
        right: share of them that found an object.
    """

    count: list[int]
    score: list[float]
    right: list[float]


def reliability(truth: GroundTruth, found: list[Track]) -> Reliability:
    """Whether scores mean what they say: of the results on no crowd, how many found an object at IoU 0.5."""
    matches = match(truth, found)
    counted = ~matches.ignored[0]
    scores, right = np.array([t.score for t in found])[counted], (matches.hits[0] >= 0)[counted]
    bins = np.digitize(scores, BINS[1:-1])
    groups = [(scores[bins == k], right[bins == k]) for k in range(10)]
    return Reliability(
        [len(s) for s, _ in groups],
        [float(s.mean()) if len(s) else 0.0 for s, _ in groups],
        [float(r.mean()) if len(r) else 0.0 for _, r in groups],
    )


def names_on_true_masks(network: Network, data: YtvisVideos, smallest: int = 5) -> dict[str, float]:
    """Naming alone: class scores averaged over the true masks of the clips."""
    right: dict[int, list[bool]] = {}
    network = to_channels_last(fold_batch_norm(network))
    for index in track(range(len(data)), "names"):
        clip = data.load(index, range(data.length(index)))
        targets = make_targets(clip, 4)
        with torch.inference_mode():
            outputs = network(clip.frames[None])
        for mask, class_id in zip(targets.masks, clip.class_ids.tolist(), strict=True):
            if class_id != NO_CLASS and mask.any():
                answer = int(masked_class_logits(outputs.class_logits[0], mask).argmax())
                right.setdefault(class_id, []).append(answer == class_id)
    common = [answers for answers in right.values() if len(answers) >= smallest]
    total = sum(map(len, right.values()))
    return {
        "macro": float(np.mean([np.mean(answers) for answers in common])),
        "classes": len(common),
        "always_commonest_macro": 1 / len(common),
        "right": sum(map(sum, right.values())) / total,
        "always_commonest_right": max(map(len, right.values())) / total,
        "objects": total,
    }


def plot(found: Reliability) -> str:
    """The reliability plot as SVG: bars reach the share that is right, the diagonal is a score that means it."""
    bars = "".join(
        f'<rect x="{50 + 36 * k}" y="{380 - 360 * right:.0f}" width="34" height="{360 * right:.0f}" fill="#1f77b4"/>'
        f'<text x="{67 + 36 * k}" y="396">{BINS[k]:.1f}</text><text x="{67 + 36 * k}" y="412">{count}</text>'
        for k, (count, right) in enumerate(zip(found.count, found.right, strict=True))
    )
    return plotted(bars, "score (from), and number of results", "share that found an object (IoU 0.5)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="lite, or a checkpoint file")
    parser.add_argument("--engine", default="auto", help="openvino, onnxruntime, torch")
    parser.add_argument("--precision", default="auto", help="float32, bfloat16")
    parser.add_argument("--davis", type=Path, help="instances.json; frames lie in JPEGImages beside it")
    parser.add_argument("--videos", nargs="+", default=[])
    parser.add_argument("--synthesised", type=Path, help="folder made by `chronomask dataset synthesize`")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--record", action="store_true", help="keep the figures for RESULTS.md")
    parser.add_argument("--reliability", type=Path, help="write the reliability plot here, as SVG")
    options = parser.parse_args()

    loaded = partial(load, options.model, engine=options.engine, precision=options.precision)
    segmenter = loaded()
    figures: dict[str, object] = {}
    console = Console()
    if options.davis:
        data = YtvisVideos(
            options.davis, options.davis.parent / "JPEGImages", segmenter.engine.description.categories, complete=False
        )
        scores = davis(segmenter, data, options.videos)
        rows = {name: {heading: getattr(s, key) for heading, key in COLUMNS.items()} for name, s in scores.items()}
        means = {key: float(np.mean([getattr(s, key) for s in scores.values()])) for key in COLUMNS.values()}
        rows["mean"] = {heading: means[key] for heading, key in COLUMNS.items()}
        for name, s in scores.items():
            rows[name]["class"] = s.name
        table = Table("video", *COLUMNS, "class")
        for name, row in rows.items():
            table.add_row(name, *(value if isinstance(value, str) else f"{value:.3f}" for value in row.values()))
        console.print(table)
        figures["davis"] = {"mean": means, **{name: asdict(s) for name, s in scores.items()}}
        if options.record:
            record("davis", rows, command=COMMAND, weights=checkpoint_file(options.model))
    if options.synthesised:
        figures["synthesised"] = synthesised(loaded(config=EVERYTHING), options, console)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def synthesised(everything: Segmenter, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Figures on the synthesised clips; prints them."""
    folder: Path = options.synthesised
    truth, found = found_in(everything, folder, lambda items, task, total: track(items, task, total))
    one_class = without_classes(truth, found)
    table = Table("", *KEYS)
    figures: dict[str, Any] = {"objects": sum(not t.crowd for t in truth.tracks), "results": len(found)}
    precisions = {}
    for name, pair in (("with names", (truth, found)), ("without names", one_class)):
        scores = asdict(score(*pair).scores)
        table.add_row(name, *(f"{100 * scores[key]:.1f}" for key in KEYS))
        precisions[name] = {key: 100 * scores[key] for key in KEYS}
    console.print(table)
    trusted = reliability(*one_class)
    network = load_network(checkpoint_file(options.model))
    clips = YtvisVideos(folder / "instances.json", folder / "JPEGImages", network.config.categories)
    names = names_on_true_masks(network, clips)
    console.print(f"{figures['objects']} objects, {len(found)} results")
    console.print(f"names on true masks: {names}")
    console.print("score -> share right:", ", ".join(f"{a:.2f} -> {b:.2f}" for _, a, b in zip(*trusted, strict=True)))
    if options.reliability:
        options.reliability.write_text(plot(trusted))
    if options.record:
        record(
            "synthesised",
            precisions | {"names on true masks": names},
            command=COMMAND,
            weights=checkpoint_file(options.model),
        )
    return {**figures, **precisions, "names": names, "reliability": trusted._asdict()}


if __name__ == "__main__":
    main()
