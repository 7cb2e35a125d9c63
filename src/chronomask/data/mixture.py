"""The stream of training clips: which source, which frames, which view, what is copied in.

Every clip is a function of (seed, number of the clip) alone, so any number of workers gives the same bytes, and a
resumed run continues in the middle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from math import exp, log, sqrt
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from chronomask.config import MixtureConfig, MotionConfig
from chronomask.data.coco import CocoImages
from chronomask.data.synthesis import drift_colours, motion_matrices, paste, uniform, warp_clip
from chronomask.data.ytvis import YtvisVideos
from chronomask.errors import InputError
from chronomask.structures import NO_CLASS, Clip


class WeightedSource(NamedTuple):
    """A reader and the share of the clips that come from it (relative to the other shares)."""

    reader: CocoImages | YtvisVideos
    weight: float


class ClipMixture(Dataset[Clip]):
    """Clip number i of an endless stream, for i below `clips`.

    Raises:
        InputError: no source, or a source without entries.
    """

    def __init__(self, sources: Sequence[WeightedSource], config: MixtureConfig, seed: int, clips: int) -> None:
        if not sources:
            raise InputError("no training data: name at least one annotation file")
        for source in sources:
            if len(source.reader) == 0:
                raise InputError(f"{source.reader.annotations}: no images or videos to train on")
        self.sources, self.config, self.seed, self.clips = list(sources), config, seed, clips
        self.weights = torch.tensor([source.weight for source in sources])
        self.objects = _objects_by_class([s.reader for s in sources if isinstance(s.reader, CocoImages)])

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, index: int) -> Clip:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        reader = self.sources[_choose(self.weights, generator)].reader
        clip = self._video(reader, generator) if isinstance(reader, YtvisVideos) else self._still(reader, generator)
        for _ in range(_below(self.config.max_pastes + 1, generator)):
            clip = self._with_object(clip, generator)
        return _limited(drift_colours(clip, self.config.colours, generator), self.config.max_instances)

    def _video(self, reader: YtvisVideos, generator: torch.Generator) -> Clip:
        index, length = _below(len(reader), generator), self.config.length
        total = reader.length(index)
        stride = min(1 + _below(self.config.max_stride, generator), max(1, (total - 1) // max(1, length - 1)))
        start = _below(max(1, total - stride * (length - 1)), generator)
        frames = [min(start + step * stride, total - 1) for step in range(length)]
        if _below(2, generator):
            frames.reverse()
        camera = self.config.camera
        calm = replace(camera, shift=camera.shift / 3, rotation=camera.rotation / 3, zoom=camera.zoom / 3)
        return self._viewed(reader.load(index, frames), calm, generator)

    def _still(self, reader: CocoImages, generator: torch.Generator) -> Clip:
        return self._viewed(reader.load(_below(len(reader), generator)), self.config.camera, generator)

    def _viewed(self, clip: Clip, motion: MotionConfig, generator: torch.Generator) -> Clip:
        """A moving window onto the clip that keeps a random instance in sight."""
        height, width = self.config.height, self.config.width
        rows, columns = clip.frames.shape[2:]
        fit, cover = sorted((height / rows, width / columns))
        scale = exp(uniform(log(self.config.view * fit), log(self.config.closeness * cover), generator))
        x, y = _point_of_interest(clip, generator)
        half_x, half_y = min(width / scale, columns) / 2, min(height / scale, rows) / 2
        focus = (min(max(x, half_x), columns - half_x), min(max(y, half_y), rows - half_y))
        matrices = motion_matrices(
            self.config.length,
            focus,
            (width / 2, height / 2),
            scale,
            bool(_below(2, generator)),
            float(min(height, width)),
            motion,
            generator,
        )
        return warp_clip(clip, matrices, height, width)

    def _with_object(self, clip: Clip, generator: torch.Generator) -> Clip:
        """Copies in one object, its class drawn by the root of its frequency, so that rare classes are seen too."""
        if not self.objects:
            return clip
        frequencies = torch.tensor([len(group) for group in self.objects], dtype=torch.float32)
        candidates = self.objects[_choose(frequencies.sqrt(), generator)]
        reader, image, instance = candidates[_below(len(candidates), generator)]
        still = reader.load(image)
        mask = still.masks[instance, 0]
        if not mask.any():
            return clip
        (top, left), (bottom, right) = (mask.nonzero().amin(0).tolist(), (mask.nonzero().amax(0) + 1).tolist())
        short = float(min(self.config.height, self.config.width))
        side = exp(uniform(log(0.12), log(0.6), generator)) * short
        matrices = motion_matrices(
            self.config.length,
            ((right - left) / 2, (bottom - top) / 2),
            (uniform(0.0, float(self.config.width), generator), uniform(0.0, float(self.config.height), generator)),
            min(side / sqrt(mask.sum().item()), 1.5),
            bool(_below(2, generator)),
            short,
            self.config.objects,
            generator,
        )
        crop = (slice(top, bottom), slice(left, right))
        return paste(clip, still.frames[0][(slice(None), *crop)], mask[crop], int(still.class_ids[instance]), matrices)


def _objects_by_class(
    readers: Sequence[CocoImages], smallest: float = 900.0
) -> list[list[tuple[CocoImages, int, int]]]:
    """(reader, image, instance) of every object of at least `smallest` pixels, grouped by class."""
    groups: dict[int, list[tuple[CocoImages, int, int]]] = defaultdict(list)
    for reader in readers:
        for image in range(len(reader)):
            for position, info in enumerate(reader.instances(image)):
                area = smallest if info.area is None else info.area
                if not info.crowd and info.class_id != NO_CLASS and area >= smallest:
                    groups[info.class_id].append((reader, image, position))
    return [groups[class_id] for class_id in sorted(groups)]


def _point_of_interest(clip: Clip, generator: torch.Generator) -> tuple[float, float]:
    """(x, y) of a random pixel of a random instance; anywhere where there is none."""
    rows, columns = clip.frames.shape[2:]
    seen = clip.masks.flatten(1).any(1).nonzero().flatten()
    if len(seen) == 0:
        return uniform(0.0, float(columns), generator), uniform(0.0, float(rows), generator)
    mask = clip.masks[seen[_below(len(seen), generator)]]
    pixels = mask.any(0).nonzero()
    y, x = pixels[_below(len(pixels), generator)].tolist()
    return float(x), float(y)


def _limited(clip: Clip, most: int) -> Clip:
    """Leaves out instances that are never in sight, and ignores the smallest beyond `most`."""
    areas = clip.masks.flatten(1).sum(1)
    order = areas.argsort(descending=True, stable=True)
    kept = order[areas[order] > 0]
    kept, dropped = kept[:most], kept[most:]
    ignore = clip.ignore | clip.masks[dropped].any(0)
    return Clip(clip.frames, clip.masks[kept], clip.class_ids[kept], ignore, clip.unknown, clip.source)


def _below(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))


def _choose(weights: torch.Tensor, generator: torch.Generator) -> int:
    return int(torch.multinomial(weights, 1, generator=generator))
