"""The stream of training clips: which source, which frames, which view, what is copied in.

Every clip is a function of (seed, number of the clip) alone, so any number of workers gives the same bytes, and a
resumed run continues in the middle.

Legend: T frames, S sub-frames of one exposure.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import NamedTuple

import cv2
import torch
from torch.utils.data import Dataset

from chronomask.config import MixtureConfig, MotionConfig
from chronomask.data.chance import below, choose, some_pixel, spaced_frames, uniform
from chronomask.data.motion import motion_matrices
from chronomask.data.pasting import Pasting
from chronomask.data.protocol import WeightedSource
from chronomask.data.synthesis import Canvas, drift_colours
from chronomask.errors import InputError
from chronomask.structures import Clip

MOST_ATTEMPTS = 20
"""So many unreadable clips in a row are no accident."""


class Sample(NamedTuple):
    """A training clip, and what could not be read when it was drawn (one message each)."""

    clip: Clip
    skipped: tuple[str, ...] = ()


class ClipMixture(Dataset[Sample]):
    """Clip number i of an endless stream, for i below `clips`.

    Args:
        sources: readers and their shares. Stills (entries of one frame) are moved; objects are copied from them.
        config: what the clips look like.
        seed: of all chance.
        clips: how many there are.
        skip_broken: draw another clip where an image or a mask cannot be read, and report it.

    Raises:
        InputError: no source, or a source without entries; on access, what cannot be read.
    """

    def __init__(
        self,
        sources: Sequence[WeightedSource],
        config: MixtureConfig,
        seed: int,
        clips: int,
        skip_broken: bool = False,
    ) -> None:
        if not sources:
            raise InputError("no training data: name at least one annotation file")
        for source in sources:
            if len(source.reader) == 0:
                raise InputError(f"{source.reader.annotations}: no images or videos to train on")
        self.readers = [source.reader for source in sources]
        self.weights = torch.tensor([source.weight for source in sources])
        self.config, self.seed, self.clips, self.skip_broken = config, seed, clips, skip_broken
        self.pasting = Pasting(self.readers, config)

    def __len__(self) -> int:
        return self.clips

    def __getitem__(self, index: int) -> Sample:
        # OpenCV's threads do not outlive the fork of a worker process, which would wait for them for ever.
        cv2.setNumThreads(1)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        skipped: list[str] = []
        while True:
            try:
                return Sample(self._draw(generator), tuple(skipped))
            except InputError as error:
                if not self.skip_broken:
                    raise
                skipped.append(str(error))
                if len(skipped) == MOST_ATTEMPTS:
                    raise InputError(f"{MOST_ATTEMPTS} unreadable clips in a row, the last: {error}") from error

    def _draw(self, generator: torch.Generator) -> Clip:
        reader = self.readers[choose(self.weights, generator)]
        entry = below(len(reader), generator)
        total = reader.length(entry)
        still = total == 1
        stride = 1 + below(self.config.max_stride, generator)
        clip = reader.load(entry, [0] if still else spaced_frames(total, self.config.length, stride, generator))
        view = _whole_view if self.config.fit == "resize" else _moving_window
        canvas = view(clip, self.config, self.config.camera if still else self.config.video_camera, generator)
        for _ in range(below(self.config.max_pastes + 1, generator)):
            self.pasting.paste(canvas, generator)
        if uniform(0.0, 1.0, generator) < self.config.hidden:
            self.pasting.hide(canvas, stride, generator)
        return drift_colours(canvas.clip_of_largest(self.config.max_instances), self.config.colours, generator)


def _moving_window(clip: Clip, config: MixtureConfig, motion: MotionConfig, generator: torch.Generator) -> Canvas:
    """A view of fixed size that keeps a random instance in sight."""
    height, width = config.height, config.width
    rows, columns = clip.frames.shape[2:]
    fit, cover = sorted((height / rows, width / columns))
    scale = exp(uniform(log(config.view * fit), log(config.closeness * cover), generator))
    x, y = _point_of_interest(clip, generator)
    half_x, half_y = min(width / scale, columns) / 2, min(height / scale, rows) / 2
    focus = (min(max(x, half_x), columns - half_x), min(max(y, half_y), rows - half_y))
    return _view(clip, focus, scale, (height, width), config.length, motion, generator)


def _whole_view(clip: Clip, config: MixtureConfig, motion: MotionConfig, generator: torch.Generator) -> Canvas:
    """A view of the whole frame; the size depends on its shape."""
    rows, columns = clip.frames.shape[2:]
    scale = min(config.short_side / min(rows, columns), config.long_side / max(rows, columns))
    size = (max(1, round(rows * scale)), max(1, round(columns * scale)))
    return _view(clip, ((columns - 1) / 2, (rows - 1) / 2), scale, size, config.length, motion, generator)


def _view(
    clip: Clip,
    focus: tuple[float, float],
    scale: float,
    size: tuple[int, int],
    length: int,
    motion: MotionConfig,
    generator: torch.Generator,
) -> Canvas:
    """The camera looks at `focus` at the middle of the clip; one clip in two is mirrored."""
    middle = ((size[1] - 1) / 2, (size[0] - 1) / 2)
    mirror = bool(below(2, generator))
    return Canvas(clip, motion_matrices(length, focus, middle, scale, mirror, size, motion, generator), size)


def _point_of_interest(clip: Clip, generator: torch.Generator) -> tuple[float, float]:
    """(x, y) of a random pixel of a random instance; anywhere where there is none."""
    rows, columns = clip.frames.shape[2:]
    point = some_pixel(clip.masks.numpy(), generator)
    return point or (uniform(0.0, float(columns), generator), uniform(0.0, float(rows), generator))
