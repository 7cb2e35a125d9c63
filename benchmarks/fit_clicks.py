"""Fits the heads that make masks of clicks (`tracking/heads.py`) to videos of several objects with true masks.

    python benchmarks/fit_clicks.py COMPOSITES... --out src/chronomask/weights/clicks.npz [--every 1] [--rounds 2]

COMPOSITES are folders with instances.json and JPEGImages. Every clip of every video is looked at by the bundled model,
and its objects are clicked at by chance, more often in their middle. The head of clicks learns from the pixels around.
The head of masks learns from masks as it will meet them: of some frames of the clip, a little wrong, as they come from
the clip before; and those that the heads of the round before make of clicks, mended by further clicks into what is
most wrong. It takes some minutes of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from clicks import next_click
from rich.progress import track
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt, label

from chronomask import rle
from chronomask.annotations.reader import read
from chronomask.files import written_aside
from chronomask.heap import share_heap
from chronomask.segmenter.load import load
from chronomask.segmenter.prompting import scene_of
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.sights import clips_of
from chronomask.tracking import relations
from chronomask.tracking.heads import Head, Heads
from chronomask.tracking.prompted import NOT, SURE, as_said
from chronomask.tracking.relations import Place
from chronomask.tracking.scene import Scene
from chronomask.video import open_frames

SMALLEST = 60
"""Pixels at stride 4 that an object needs in a clip to be learnt from."""

NEAR = 8
"""Pixels at stride 4 around an object from which most samples are taken."""

COUNT = 1000
"""Samples of a clip and object from near it, and half as many from elsewhere."""

HIDDEN = (32, 16)
"""Widths of the hidden layers."""


class Samples(NamedTuple):
    """Features "N F", whether each pixel is the object's, and how many pixels it stands for."""

    features: np.ndarray
    inside: np.ndarray
    weights: np.ndarray


class Example(NamedTuple):
    """An object in a clip: "T h w"."""

    scene: Scene
    true: np.ndarray


def examples(segmenter: Segmenter, folder: Path, every: int, random: np.random.Generator) -> Iterator[Example]:
    """Three in four of the objects of all clips of every n-th video."""
    file = read(folder / "instances.json").file
    for video in track(file.videos[::every], folder.name):
        source = open_frames(video.name, [folder / "JPEGImages" / name for name in video.file_names or ()])
        objects = [entry for entry in file.tracks if entry.video_id == video.id]
        for clip in clips_of(segmenter, source.frames()):
            scene = scene_of(segmenter, clip)
            for entry in objects:
                codes = entry.segmentations[clip.begin : clip.end]
                true = np.stack([_at_cells(None if code is None else rle.decode(code), scene) for code in codes])
                if true.sum() >= SMALLEST and random.random() < 0.75:
                    yield Example(scene, true)


def _at_cells(mask: np.ndarray | None, scene: Scene) -> np.ndarray:
    """A mask of the source in the middles of pixels at stride 4."""
    rows, columns = scene.shape[1:]
    if mask is None:
        return np.zeros((rows, columns), bool)
    y, x = (
        ((np.arange(count) + 0.5) * side / count).astype(int)
        for count, side in zip((rows, columns), mask.shape, strict=True)
    )
    return mask[np.ix_(y, x)]


def sampled(features: np.ndarray, true: np.ndarray, random: np.random.Generator) -> Samples:
    """Some pixels of a clip; every object counts as much, however large."""
    near = binary_dilation(true, iterations=NEAR).ravel()
    chosen, weights = [], []
    for places, most in ((np.flatnonzero(near), COUNT), (np.flatnonzero(~near), COUNT // 2)):
        taken = random.choice(places, min(most, len(places)), replace=False)
        chosen.append(taken)
        weights.append(np.full(len(taken), len(places) / max(1, len(taken)) / true.sum(), np.float32))
    pixels = np.concatenate(chosen)
    return Samples(features.reshape(len(features), -1)[:, pixels].T, true.ravel()[pixels], np.concatenate(weights))


def click(true: np.ndarray, random: np.random.Generator) -> Place:
    """Into a frame where the object is large, the likelier the deeper inside."""
    areas = true.sum((1, 2))
    frame = int(random.choice(np.flatnonzero(areas >= 0.4 * areas.max())))
    depth = distance_transform_edt(np.pad(true[frame], 1))[1:-1, 1:-1].ravel() ** 1.5
    place = int(random.choice(depth.size, p=depth / depth.sum()))
    row, column = np.unravel_index(place, true.shape[1:])
    return frame, int(row), int(column)


def carried(scene: Scene, true: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What the clip before or behind might tell of its half of the frames: inside and outside."""
    half = slice(0, len(true) // 2) if random.random() < 0.5 else slice(len(true) // 2, None)
    kind, mask = random.integers(5), true
    if kind == 1:
        mask = binary_erosion(true, np.ones((1, 3, 3)))
    elif kind == 2:
        mask = binary_dilation(true, np.ones((1, 3, 3)))
    elif kind == 3:
        mask = np.roll(true, random.integers(-1, 2, 2), (1, 2))
    elif kind == 4 and (owner := np.bincount(scene.owners[true] + 1).argmax() - 1) >= 0:
        mask = scene.owners == owner
    known = np.zeros(true.shape, bool)
    known[half] = True
    return mask & known, ~mask & known


def guessed(
    example: Example, heads: Heads, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, list[Place], list[Place]]:
    """What the heads make of a click, told where it is wrong by up to three more: inside, outside, and the clicks."""
    scene, true = example
    clicked, denied = [click(true, random)], []
    level = heads.clicked(relations.of_click(scene, clicked[0]))
    if heads.known.kernels and random.random() < 0.75 and (level > SURE).any():
        level = heads.known(relations.of_mask(scene, level > SURE, level < NOT, clicked))
    before = level
    for _ in range(int(random.integers(0, 4))):
        for point in next_click(level > 0.5, true):
            assert point.frame is not None, "it was made so"
            (clicked if point.positive else denied).append((point.frame, int(point.y), int(point.x)))
            before, level = level, _mended(level, true, (point.frame, int(point.y), int(point.x)))
    # Mostly the last error is still there, as it is when somebody has just clicked.
    level = as_said(before if random.random() < 0.7 else level, clicked, denied)
    return level > SURE, level < NOT, clicked, denied


def _mended(level: np.ndarray, true: np.ndarray, place: Place) -> np.ndarray:
    """Without the error that a click is in."""
    parts, _ = label(true & (level <= 0.5) if true[place] else ~true & (level > 0.5))
    return np.where(parts == parts[place], 0.9 if true[place] else 0.1, level) if parts[place] else level


def fitted(samples: list[Samples], steps: int) -> Head:
    """By AdamW with one cycle of the learning rate; standardisation is folded into the first layer."""
    features, inside, weights = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    mean, scale = features.mean(0), features.std(0) + np.float32(1e-3)
    x = torch.from_numpy((features - mean) / scale)
    y, w = torch.from_numpy(inside.astype(np.float32)), torch.from_numpy(weights / weights.mean())
    sizes = (x.shape[1], *HIDDEN, 1)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    network = torch.nn.Sequential(*(part for layer in layers for part in (torch.nn.ReLU(), layer)))[1:]
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(len(x), (8192,))
        raw = network(x[chosen])[:, 0]
        loss = (
            torch.nn.functional.binary_cross_entropy_with_logits(raw, y[chosen], reduction="none") * w[chosen]
        ).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    kernels, biases = (
        [p.detach().numpy().copy() for p in (getattr(layer, name) for layer in layers)] for name in ("weight", "bias")
    )
    kernels[0] = kernels[0] / scale
    biases[0] = biases[0] - kernels[0] @ mean
    print(f"{len(samples)} examples, {len(x):,} pixels, loss {loss.item():.4f}")
    return Head(tuple(kernels), tuple(biases))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("composites", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="only every n-th video")
    parser.add_argument("--rounds", type=int, default=2, help="times that masks are made by the heads of before")
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    share_heap()
    torch.manual_seed(0)
    segmenter, heads = load("lite"), Heads(Head((), ()), Head((), ()))
    for turn in range(options.rounds + 1):
        random = np.random.default_rng(turn)
        clicks, masks = [], []
        for folder in options.composites:
            for example in examples(segmenter, folder, options.every, random):
                scene, true = example
                if turn == 0:
                    clicks.append(sampled(relations.of_click(scene, click(true, random)), true, random))
                elif random.random() < 0.35:
                    inside, outside = carried(scene, true, random)
                    if inside.any():
                        masks.append(sampled(relations.of_mask(scene, inside, outside), true, random))
                else:
                    inside, outside, clicked, denied = guessed(example, heads, random)
                    if inside.any():
                        features = relations.of_mask(scene, inside, outside, clicked, denied)
                        masks.append(sampled(features, true, random))
        if turn == 0:
            heads = heads._replace(clicked=fitted(clicks, options.steps))
        else:
            heads = heads._replace(known=fitted(masks, options.steps))
    with written_aside(options.out) as aside:
        np.savez(aside, allow_pickle=False, **heads.arrays())
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
