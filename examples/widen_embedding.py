"""Give a checkpoint more free dimensions of the embedding: a stage of the recipe of the bundled weights.

    python examples/widen_embedding.py MODEL.safetensors --free 4 --out wider.safetensors

Their weights are near zero, so that the network finds what it found, and learns what to use them for.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from chronomask.model.checkpoint import load_network, save_network
from chronomask.model.network import Network

SMALL = 0.1
"""Weights of the new dimensions, as a share of what a fresh network has."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--free", type=int, required=True, help="free dimensions of the result")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    network = load_network(options.checkpoint)
    old = network.config.embedding
    more = options.free - old.count("free")
    if more < 1 or old[-1] != "free":
        parser.error(f"--free {options.free}: {options.checkpoint} has the dimensions {', '.join(old)}")
    torch.manual_seed(options.seed)
    wider = Network(replace(network.config, embedding=(*old, *["free"] * more)))
    state = network.state_dict()
    for name, tensor in wider.state_dict().items():
        if tensor.shape == state[name].shape:
            tensor.copy_(state[name])
        else:
            if name.startswith("embedding_head"):
                tensor *= SMALL
            tensor[: len(state[name])] = state[name]
    save_network(options.out, wider, half=True)
    print(f"weights: {options.out}")


if __name__ == "__main__":
    main()
