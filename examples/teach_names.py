"""Teach the class head of a checkpoint the names that a detector gives: a stage of the recipe of the bundled weights.

    python examples/teach_names.py MODEL.safetensors DATA... --detector DETECTOR.pb --out taught.safetensors

DATA as `chronomask train` takes it. The detector is TensorFlow's SSD MobileNetV2, which has seen the boxes of all of
COCO; docs/weights.md says where to get it. An eighth of the stills is held back, and the probabilities of the names are
then fitted to these. Nothing but the class head changes. Fit the score afterwards with `chronomask calibrate`: the
probability of the name is part of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console

from chronomask.config.training import lite_recipe
from chronomask.data.sources import open_training_sources
from chronomask.model.checkpoint import load_network, save_network
from chronomask.training.class_head import calibrate_class_head, fit_class_head
from chronomask.training.finetune import held_back
from chronomask.training.teacher import Detector

UNKNOWN = 0.5
"""How likely an animal that the detector does not know is held to be, against its share of the stills. They are many
there; videos show dogs and birds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", nargs="+", help="training data, as for `chronomask train`")
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held", type=float, default=0.125, help="share of the stills to calibrate names with, or 0")
    parser.add_argument("--share", type=float, default=1.0, help="of the taught head, beside the one that was there")
    parser.add_argument("--stills", type=int, default=1800, help="views to learn from; a quarter as many to calibrate")
    parser.add_argument("--steps", type=int, default=2400, help="of four views")
    parser.add_argument("--seed", type=int, default=77)
    options = parser.parse_args()

    network = load_network(options.checkpoint)
    categories = network.config.categories
    sources = open_training_sources(options.data, categories)
    teacher = Detector(options.detector, categories)
    if network.config.class_source != "backbone":
        parser.error(f"{options.checkpoint}: its class head does not read the backbone, but the decoder")
    halves = [held_back(source.reader, options.held, options.seed, most=len(source.reader)) for source in sources]
    taught, held = (
        [source._replace(reader=half[k]) for source, half in zip(sources, halves, strict=True)] for k in (0, 1)
    )
    data = lite_recipe().data
    before = {name: tensor.clone() for name, tensor in network.class_head.state_dict().items()}
    with Console().status("learning names"):
        fit_class_head(
            network, taught, data, stills=options.stills, steps=options.steps, seed=options.seed, teacher=teacher
        )
        with torch.no_grad():
            for name, tensor in network.class_head.state_dict().items():
                tensor.lerp_(before[name], 1 - options.share)
        if options.held:
            prior = torch.where(torch.tensor(teacher.knows), 1.0, UNKNOWN)
            calibrate_class_head(network, held, data, stills=options.stills // 4, seed=options.seed + 1, prior=prior)
    save_network(options.out, network, half=True)
    print(f"weights: {options.out}")


if __name__ == "__main__":
    main()
