"""Gathers the objects that fine-tuning rehearses, so that a fine-tuned model does not take them for a user's classes.

    python benchmarks/gather_known.py DATA... --out src/chronomask/weights/known.npz

DATA is training data of the bundled model, as `chronomask train` takes it. What is kept is what the class head of the
bundled model reads of four objects of every class, and no picture. It takes two minutes of one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track

from chronomask.config.training import lite_recipe
from chronomask.data.sources import open_training_sources
from chronomask.engines.models import bundled_weights
from chronomask.files import written_aside
from chronomask.model.checkpoint import load_network
from chronomask.training.known_objects import gather_known_objects


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--views", type=int, default=1500)
    parser.add_argument("--each", type=int, default=4, help="objects of a class")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    network = load_network(bundled_weights("lite"))
    sources = open_training_sources(options.data, network.config.categories)
    arrays = gather_known_objects(
        network,
        sources,
        lite_recipe().data,
        views=options.views,
        each=options.each,
        seed=options.seed,
        progress=lambda some, words, total: track(some, words, total=total),
    )
    with written_aside(options.out) as aside, aside.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    print(f"{options.out}: {len(arrays['classes'])} objects of {len(set(arrays['classes'].tolist()))} classes")


if __name__ == "__main__":
    main()
