"""Teach the class head of a checkpoint the names that a detector gives: a stage of the recipe of the bundled weights.

    python examples/teach_names.py MODEL.safetensors DATA... --detector DETECTOR.pb --out taught.safetensors

DATA as `chronomask train` takes it. The detector is TensorFlow's SSD MobileNetV2, which has seen the boxes of all of
COCO; docs/weights.md says where to get it. Nothing but the class head changes. Fit the score afterwards with
`chronomask calibrate`: the probability of the name is part of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from chronomask.config.training import lite_recipe
from chronomask.data.sources import open_training_sources
from chronomask.model.checkpoint import load_network, save_network
from chronomask.training.class_head import fit_class_head
from chronomask.training.teacher import Detector


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", nargs="+", help="training data, as for `chronomask train`")
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stills", type=int, default=1600, help="views to learn from")
    parser.add_argument("--steps", type=int, default=2400, help="of four views")
    parser.add_argument("--seed", type=int, default=77)
    options = parser.parse_args()

    network = load_network(options.checkpoint)
    categories = network.config.categories
    sources = open_training_sources(options.data, categories)
    teacher = Detector(options.detector, categories)
    if network.config.class_source != "backbone":
        parser.error(f"{options.checkpoint}: its class head does not read the backbone, but the decoder")
    with Console().status("learning names"):
        fit_class_head(
            network,
            sources,
            lite_recipe().data,
            stills=options.stills,
            steps=options.steps,
            seed=options.seed,
            teacher=teacher,
        )
    save_network(options.out, network, half=True)
    print(f"weights: {options.out}")


if __name__ == "__main__":
    main()
