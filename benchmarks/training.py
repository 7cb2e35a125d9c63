"""Seconds a training step, and peak memory, at 256x448x8: each case in a process of its own, data included.

    python benchmarks/training.py [--models lite paper] [--steps 3] [--batch 2] [--workers 0] [--json FILE]

The data are made-up stills with three objects each, moved and pasted as in training. The paper's model keeps little for
its backward pass (gradient checkpointing). The first step, which allocates, is not counted unless it is the only one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from chronomask import rle
from chronomask.config import NAMED_MODELS, RECIPES, MachineConfig
from chronomask.data.sources import open_training_sources
from chronomask.device import Precision
from chronomask.model.network import Network
from chronomask.training.loop import train
from chronomask.training.monitor import Monitor, StepReport

CASES = ("float32", "bfloat16")


class Recorder(Monitor):
    """A monitor that keeps every report."""

    def __init__(self) -> None:
        self.reports: list[StepReport] = []

    def on_step(self, report: StepReport) -> None:
        self.reports.append(report)


def make_stills(folder: Path, count: int = 8) -> Path:
    """A COCO-form file with images of 640x480 and three rectangles on each."""
    generator = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        coarse.resize((640, 480)).save(folder / f"{number}.jpg")
        images.append({"id": number, "file_name": f"{number}.jpg", "height": 480, "width": 640})
        for place in range(3):
            mask = np.zeros((480, 640), bool)
            mask[120:360, 40 + 200 * place : 180 + 200 * place] = True
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0})
            annotations[-1] |= {"segmentation": rle.encode(mask), "area": int(mask.sum())}
    path = folder / "stills.json"
    content = {"images": images, "categories": [{"id": 1, "name": "person"}], "annotations": annotations}
    path.write_text(json.dumps(content))
    return path


def measure(model: str, precision: Precision, options: argparse.Namespace) -> dict[str, float]:
    """Trains a few steps here; seconds a step (median), and peak memory in GiB."""
    recipe = RECIPES[model]()
    data = replace(recipe.data, length=8, fit="crop", height=256, width=448)
    config = replace(recipe, steps=options.steps, batch=options.batch, data=data)
    machine = MachineConfig(
        device=options.device,
        precision=precision,
        gradient_checkpointing=model == "paper",
        workers=options.workers,
        checkpoint_every=options.steps + 1,
    )
    torch.manual_seed(0)
    network, recorder = Network(NAMED_MODELS[model]()), Recorder()
    with TemporaryDirectory() as place:
        sources = open_training_sources([str(make_stills(Path(place)))], network.config.categories)
        train(network, sources, config, Path(place) / "run", machine, [recorder])
    seconds = [report.seconds for report in recorder.reports]
    return {
        "seconds": float(np.median(seconds[1:] or seconds)),
        "memory": recorder.reports[-1].memory / 2**30,
        "steps": len(seconds),
    }


def why_not(precision: str, device: str) -> str:
    """The reason to leave a case out; empty for none."""
    if precision == "float32" or device.startswith("cuda") or (device == "auto" and torch.cuda.is_available()):
        return ""
    if torch.cpu._is_amx_tile_supported():
        return ""
    return "not measured: this processor has no matrix units for bfloat16 (AMX)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["lite", "paper"], choices=list(NAMED_MODELS))
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=2, help="clips a step")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(*options.case, options)))
        return

    table = Table("model", "precision", "seconds a step", "peak GiB", title=f"256x448x8, {options.batch} clips a step")
    figures = {}
    for model, precision in ((model, precision) for model in options.models for precision in CASES):
        reason = why_not(precision, options.device)
        if reason:
            figures[f"{model} {precision}"] = reason
            table.add_row(model, precision, reason, "")
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--case", model, precision]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        figures[f"{model} {precision}"] = found
        table.add_row(model, precision, f"{found['seconds']:.2f}", f"{found['memory']:.1f}")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
