"""Average checkpoints of one network that were trained on from each other (a "model soup", Wortsman et al. 2022).

    python examples/average_weights.py ONE.safetensors ANOTHER.safetensors ... --out mean.safetensors

A stage of the recipe of the bundled weights. The coefficients of the score are those of the first; fit them afterwards
with `chronomask calibrate`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from chronomask.model.checkpoint import load_network, save_network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    networks = [load_network(path) for path in options.checkpoints]
    mean = networks[0]
    for path, network in zip(options.checkpoints, networks, strict=True):
        if replace(network.config, tube_score=mean.config.tube_score) != mean.config:
            parser.error(f"{path}: another network than that of {options.checkpoints[0]}")
    states = [network.state_dict() for network in networks]
    for name, tensor in mean.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.stack([state[name] for state in states]).mean(0))
    save_network(options.out, mean, half=True)
    print(f"weights: {options.out}")


if __name__ == "__main__":
    main()
