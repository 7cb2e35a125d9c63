"""Objects copied into training clips: out of stills, or out of videos with their own movement, and what hides them.

Legend: N objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import ceil, exp, log, sqrt

import cv2
import numpy as np
import torch
from jaxtyping import Int32

from chronomask.categories import NO_CLASS
from chronomask.config import MixtureConfig
from chronomask.data.chance import below, choose, spaced_frames, uniform
from chronomask.data.motion import motion_matrices
from chronomask.data.protocol import Reader
from chronomask.data.synthesis import OWNER_BITS, Canvas, Cutout, cut_out, tinted

SMALLEST_OBJECT = 900.0
"""Objects of fewer pixels are not copied: enlarged, they are blots."""

LONG_GAP = (5, 15)
"""Frames of a video for which an object is hidden, least and most."""

_NONE = np.zeros((0, 3), np.int32)

WIDEST = 0.6
"""What hides an object is no wider than this share of the view."""


class Pasting:
    """Copies objects of some data sets into clips.

    Args:
        readers: where the objects come from, and the strips of pictures that hide others.
        config: how many, how large, how they move.
    """

    def __init__(self, readers: Sequence[Reader], config: MixtureConfig) -> None:
        self.readers, self.config = readers, config
        self.objects = _objects_of_stills(readers) if config.max_pastes else []
        self.movers = _objects_of_videos(readers) if config.max_pastes and config.moving else _NONE

    def paste(self, canvas: Canvas, generator: torch.Generator) -> None:
        """Copies in one object, out of a still or out of a video with its own movement."""
        cutout = self._cutout(len(canvas.frames), generator)
        if cutout is None:
            return
        cutout = tinted(cutout, self.config.colours, generator)
        height, width = canvas.codes.shape[1:]
        rows, columns = cutout.pixels.shape[1:3]
        side = exp(uniform(log(0.12), log(0.6), generator)) * min(height, width)
        matrices = motion_matrices(
            len(canvas.frames),
            source=((columns - 1) / 2, (rows - 1) / 2),
            target=self._place(canvas, generator),
            scale=min(side / sqrt(cutout.area), 1.5),
            mirror=bool(below(2, generator)),
            size=(height, width),
            motion=self.config.objects,
            generator=generator,
        )
        canvas.paste(cutout, matrices, behind=uniform(0.0, 1.0, generator) < self.config.behind)

    def _place(self, canvas: Canvas, generator: torch.Generator) -> tuple[float, float]:
        """(x, y) where an object is at the middle of the clip: anywhere, or where it meets one that is there."""
        codes = canvas.codes[len(canvas.codes) // 2]
        height, width = codes.shape
        taken = np.flatnonzero(codes >> OWNER_BITS)
        if len(taken) and uniform(0.0, 1.0, generator) < self.config.meeting:
            y, x = divmod(int(taken[below(len(taken), generator)]), width)
            return float(x), float(y)
        return uniform(0.0, float(width), generator), uniform(0.0, float(height), generator)

    def _cutout(self, length: int, generator: torch.Generator) -> Cutout | None:
        """Some object: of a video, or of a still, its class drawn by the root of its frequency for the rare ones."""
        moving = uniform(0.0, 1.0, generator) < self.config.moving or not self.objects
        if moving and len(self.movers):
            reader, video, instance = self.movers[below(len(self.movers), generator)].tolist()
            total = self.readers[reader].length(video)
            stride = 1 + below(self.config.max_stride, generator)
            return cut_out(self.readers[reader].load(video, spaced_frames(total, length, stride, generator)), instance)
        if not self.objects:
            return None
        frequencies = torch.tensor([len(group) for group in self.objects], dtype=torch.float32)
        candidates = self.objects[choose(frequencies.sqrt(), generator)]
        reader, image, instance = candidates[below(len(candidates), generator)].tolist()
        return cut_out(self.readers[reader].load(image, [0]), instance)

    def hide(self, canvas: Canvas, stride: int, generator: torch.Generator) -> None:
        """A strip of a picture, as high as the frame, passes in front of an object: a tree, a wall, a pillar.

        It hides the object for `LONG_GAP` frames of a video of which every `stride`-th is shown, or as many as leave
        it a frame before and after. Nothing happens where there is no object, or the strip would fill the view.
        """
        length, (height, width) = len(canvas.frames), canvas.codes.shape[1:]
        gap = min(-(-(LONG_GAP[0] + below(LONG_GAP[1] - LONG_GAP[0] + 1, generator)) // stride), length - 2)
        if gap < 1 or not canvas.class_ids:
            return
        first = 1 + below(length - 1 - gap, generator)
        extent = canvas.extent(below(len(canvas.class_ids), generator), slice(first, first + gap))
        if extent is None:
            return
        left, right = extent
        # In one frame at least the margin of the strip, so that it does not hide the object for longer.
        step = max(4.0, uniform(1.0, 3.0, generator) * (right - left) / (gap + 1)) * (1 if below(2, generator) else -1)
        way = step * (gap - 1)
        left, right = left - max(0.0, way) - 1, right - min(0.0, way) + 1
        if right - left > WIDEST * width:
            return
        matrices = torch.eye(3).repeat(length, 1, 1, 1)
        matrices[:, 0, 0, 2] = left + step * (torch.arange(length) - first)
        canvas.paste(self._strip(ceil(right - left) + 1, height, generator), matrices)

    def _strip(self, width: int, height: int, generator: torch.Generator) -> Cutout:
        """A piece of some still, or of the first frame of a video."""
        reader = self.readers[below(len(self.readers), generator)]
        entry = below(len(reader), generator)
        picture = reader.load(entry, [0]).frames[0].permute(1, 2, 0).numpy()
        scale = max((height + 2) / picture.shape[0], (width + 1) / picture.shape[1])
        size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
        picture = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
        left = below(size[0] - width + 1, generator)
        piece = picture[:height, left : left + width]
        return Cutout(np.dstack([piece, np.full(piece.shape[:2], 255, np.uint8)])[None], None)


def _objects_of_stills(readers: Sequence[Reader]) -> list[Int32[np.ndarray, "N 3"]]:
    """(reader, entry, instance) of every object in a still that is large enough to be copied, grouped by class."""
    groups: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for number, reader in enumerate(readers):
        for entry in range(len(reader)):
            if reader.length(entry) > 1:
                continue
            for position, info in enumerate(reader.instances(entry)):
                large = info.area is None or info.area >= SMALLEST_OBJECT
                if large and not info.crowd and info.class_id != NO_CLASS:
                    groups[info.class_id].append((number, entry, position))
    # Arrays, for workers would copy a million tuples as they count references to them.
    return [np.array(groups[class_id], np.int32) for class_id in sorted(groups)]


def _objects_of_videos(readers: Sequence[Reader]) -> Int32[np.ndarray, "N 3"]:
    """(reader, entry, instance) of every object of the videos, those without a class too."""
    found = [
        (number, entry, position)
        for number, reader in enumerate(readers)
        for entry in range(len(reader))
        if reader.length(entry) > 1
        for position, info in enumerate(reader.instances(entry))
        if not info.crowd and (info.area is None or info.area >= SMALLEST_OBJECT)
    ]
    return np.array(found, np.int32) if found else _NONE
