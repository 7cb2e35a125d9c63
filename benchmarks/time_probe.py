"""What does the network make of time? Its embedding of moving objects, looked at within single clips.

    python benchmarks/time_probe.py lite COMPOSITES [--every 2] [--json FILE]

COMPOSITES holds instances.json and JPEGImages; of each video the clips of 8 frames that follow each other, every
--every-th of them. Of each object that is seen in a whole clip, by the number of frames between two of its frames:

- members: pixels of the object in one frame with a membership (eq. 4) above one half, for the object's own mean and
  variance in the other frame; claimed: the same of the pixels of all other objects;
- drift: how far the means are apart, in the object's standard deviations, of each dimension.

Follows: how much of an object's way its mean embedding (y, x) goes along with: 0 where all frames point to one place,
1 where every frame knows itself alone. "Alone" is the same for each frame repeated 8 times, which the network cannot
tell from a clip in which nothing moves. Sensitivity: how much a frame's embedding changes, in standard deviations, when
a frame so many frames away is replaced by one of another clip.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from ablation import shrunk
from jaxtyping import Bool, Float32, UInt8
from rich.console import Console
from rich.progress import track
from rich.table import Table

from chronomask.config import SegmentConfig
from chronomask.data.annotation_file import YtvisVideos
from chronomask.engines.engine import Engine, FrameFeatures, padded
from chronomask.segmenter.load import load
from chronomask.tracking.outputs import ClipOutputs, place
from chronomask.training.targets import make_targets

LENGTH = 8
MOVED = 0.05
"""Objects whose centre strays less from its mean, in half short sides, have not moved."""

SMALLEST = 12
"""Pixels at stride 4 that an object must have in every frame."""

Masks = Bool[np.ndarray, "K T h w"]


class Probe:
    """Gathers what is seen of clips."""

    def __init__(self) -> None:
        self.apart: dict[str, defaultdict[int, list]] = {
            name: defaultdict(list) for name in ("members", "claimed", "drift", "sensitivity")
        }
        self.follows: dict[str, list[float]] = {"clip": [], "alone": []}

    def objects(self, outputs: ClipOutputs, masks: Masks) -> None:
        """Members, claimed pixels and drift."""
        for number, mask in enumerate(masks):
            others = np.logical_or.reduce(np.delete(masks, number, 0))
            means, spreads = moments(outputs, mask)
            deviation = np.sqrt(spreads.mean(0))
            for one, other in np.ndindex(LENGTH, LENGTH):
                distance = abs(one - other)
                pixels = outputs.embedding[:, one]
                member = np.exp(-0.5 * ((pixels.T - means[other]) ** 2 / spreads[other]).sum(-1).T) > 0.5
                self.apart["members"][distance].append(member[mask[one]].mean())
                self.apart["drift"][distance].append(np.abs(means[one] - means[other]) / deviation)
                if others[one].any():
                    self.apart["claimed"][distance].append(member[others[one]].mean())

    def motion(self, kind: str, outputs: ClipOutputs, masks: Masks) -> None:
        """How far the embedding goes along with each object that moves."""
        for mask in masks:
            places = [np.argwhere(frame).mean(0) / (min(mask.shape[1:]) / 2) for frame in mask]
            way = np.array(places) - np.mean(places, 0)
            if (way**2).sum() > LENGTH * MOVED**2:
                means = moments(outputs, mask)[0][:, :2]
                self.follows[kind].append(float(((means - means.mean(0)) * way).sum() / (way**2).sum()))

    def change(self, outputs: ClipOutputs, changed: ClipOutputs, frame: int, masks: Masks) -> None:
        """What another frame in the place of one does to the objects' embedding in the others."""
        deviation = np.exp(outputs.log_variance / 2)
        difference = np.abs(changed.embedding - outputs.embedding) / deviation
        for one in range(LENGTH):
            if one != frame and (inside := masks[:, one].any(0)).any():
                self.apart["sensitivity"][abs(one - frame)].append(difference[:, one][:, inside].mean())


def moments(
    outputs: ClipOutputs, mask: Bool[np.ndarray, "T h w"]
) -> tuple[Float32[np.ndarray, "T E"], Float32[np.ndarray, "T E"]]:
    """Mean embedding and mean variance of an object in each frame."""
    variance = np.exp(outputs.log_variance)
    frames = range(len(mask))
    return (
        np.array([outputs.embedding[:, t][:, mask[t]].mean(1) for t in frames]),
        np.array([variance[:, t][:, mask[t]].mean(1) for t in frames]),
    )


def clips(folder: Path, engine: Engine, every: int) -> Iterator[tuple[UInt8[np.ndarray, "T 3 H W"], Masks]]:
    """Frames of clips, shrunk for the network, and the masks at stride 4 of the objects in sight throughout."""
    categories = engine.description.categories
    data = YtvisVideos(folder / "instances.json", folder / "JPEGImages", categories, complete=True)
    places = [(i, first) for i in range(len(data)) for first in range(0, data.length(i) - LENGTH + 1, LENGTH)]
    for video, first in track(places[::every], "clips"):
        clip = shrunk(data.load(video, range(first, first + LENGTH)), SegmentConfig())
        masks = make_targets(clip, 4).masks.numpy()
        yield clip.frames.numpy(), masks[(masks.sum((2, 3)) >= SMALLEST).all(1)]


def looked_at(engine: Engine, folder: Path, every: int) -> Probe:
    """All of it."""
    probe, known = Probe(), engine.description
    before: Sequence[FrameFeatures] | None = None

    def decoded(features: Sequence[FrameFeatures], size: tuple[int, int]) -> ClipOutputs:
        return place(
            np.array(engine.decode(features)),
            [frame.class_logits for frame in features if frame.class_logits is not None],
            known.embedding,
            known.foreground,
            size,
        )

    for frames, masks in clips(folder, engine, every):
        size = frames.shape[2], frames.shape[3]
        features = engine.encode(padded(frames))
        outputs = decoded(features, size)
        probe.objects(outputs, masks)
        probe.motion("clip", outputs, masks)
        alone = [decoded([frame] * LENGTH, size) for frame in features]
        middle = LENGTH // 2
        single = ClipOutputs(
            np.stack([one.embedding[:, middle] for one in alone], 1),
            np.stack([one.log_variance[:, middle] for one in alone], 1),
            np.stack([one.heat[middle] for one in alone]),
            outputs.class_logits,
            None,
        )
        probe.motion("alone", single, masks)
        if before is not None:
            for t in range(LENGTH):
                changed = decoded([*features[:t], before[t], *features[t + 1 :]], size)
                probe.change(outputs, changed, t, masks)
        before = features
    return probe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="lite, an exported network or a checkpoint")
    parser.add_argument("composites", type=Path)
    parser.add_argument("--every", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    torch.set_num_threads(1)
    probe = looked_at(load(options.model).engine, options.composites, options.every)
    table, figures = Table("frames between", *probe.apart), {}
    for distance in range(LENGTH):
        row = {name: np.mean(values[distance], 0) for name, values in probe.apart.items() if values[distance]}
        figures[distance] = {name: np.round(np.float64(value), 3).tolist() for name, value in row.items()}
        table.add_row(str(distance), *(f"{np.round(row[name], 2)}" if name in row else "" for name in probe.apart))
    Console().print(table)
    for kind, values in probe.follows.items():
        figures[f"follows, {kind}"] = [round(float(value), 2) for value in np.quantile(values, [0.25, 0.5, 0.75])]
        print(f"follows, {kind}: median and quartiles of {len(values)} objects: {figures[f'follows, {kind}']}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
