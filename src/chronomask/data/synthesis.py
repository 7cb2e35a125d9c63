"""Clips from stills and videos: moved views, objects copied in, colours that drift (section 5.3).

Legend: T frames, S sub-frames of one exposure, H W pixels of the source, h w pixels of the clip, K instances.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int16, UInt8
from torch import Tensor

from chronomask.data.chance import uniform
from chronomask.data.warp import expose, shrink, warp_labels
from chronomask.structures import Clip

UNKNOWN, IGNORE = np.int16(1), np.int16(2)
OWNER_BITS = 2
"""A code is the sum of UNKNOWN, IGNORE and, from bit OWNER_BITS on, k + 1 for instance k: one map to warp."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """An object cut out of a still, or out of every frame of a video, with its own movement then.

    Attributes:
        pixels: RGB and alpha (255 on the object) of one frame, or of as many as the clip has that it is pasted into;
            colours are 0 off the object, so that none of its old surroundings bleeds into the edge when it is warped.
        class_id: network class index, or NO_CLASS; None for what is no object, but hides some.
    """

    pixels: UInt8[np.ndarray, "F H W 4"]
    class_id: int | None

    @property
    def area(self) -> float:
        """Its size in pixels, mean over the frames that show it."""
        pixels = np.count_nonzero(self.pixels[..., 3], axis=(1, 2))
        return float(pixels[pixels > 0].mean())


def cut_out(clip: Clip, instance: int) -> Cutout | None:
    """An instance of a clip, on the smallest box around it in all frames; None where it has no pixels."""
    mask = clip.masks[instance].numpy()
    rows, columns = np.flatnonzero(mask.any((0, 2))), np.flatnonzero(mask.any((0, 1)))
    if not len(rows):
        return None
    box = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    alpha = mask[box][..., None].astype(np.uint8)
    colours = clip.frames.permute(0, 2, 3, 1).numpy()[box]
    return Cutout(np.concatenate([colours * alpha, 255 * alpha], 3), int(clip.class_ids[instance]))


def tinted(cutout: Cutout, strength: float, generator: torch.Generator) -> Cutout:
    """The object brighter or darker, and with another balance of colours: few moving objects must do for many."""
    gain = 1 + uniform(-strength, strength, generator)
    gains = [gain * (1 + 0.5 * uniform(-strength, strength, generator)) for _ in range(3)]
    pixels = cutout.pixels * np.array([*gains, 1.0], np.float32)
    return replace(cutout, pixels=np.minimum(pixels + 0.5, 255).astype(np.uint8))


class Canvas:
    """A clip in the making. Every pixel has one owner at most, so what hides an object takes exactly its own pixels.

    Attributes:
        frames: RGB 0-255, T h w 3.
        codes: see OWNER_BITS; T h w.
        class_ids: of the owners, in order.
    """

    def __init__(self, clip: Clip, matrices: Float[Tensor, "T S 3 3"], size: tuple[int, int]) -> None:
        """A moved view of `clip`: each of its frames once, or its only frame T times.

        Beyond the border pixels are mirrored, so that no black edge teaches the network anything, and ignored. Masks
        are those at the middle of the exposure.

        Args:
            clip: T frames, or a still.
            matrices: homographies from source to frame pixels.
            size: (height, width) of the frames, in pixels.
        """
        exposures = matrices.double().numpy()
        length, middle = len(exposures), exposures.shape[1] // 2
        pictures = [np.ascontiguousarray(frame.permute(1, 2, 0).numpy()) for frame in clip.frames]
        codes = _codes(clip)
        self.frames = np.empty((length, *size, 3), np.uint8)
        self.codes = np.empty((length, *size), np.int16)
        self.class_ids: list[int] = clip.class_ids.tolist()
        self.source = clip.source
        small, adapted = shrink(pictures[0], exposures)
        for frame in range(length):
            origin = frame if len(pictures) > 1 else 0
            if origin:
                small = shrink(pictures[origin], exposures)[0]
            self.frames[frame] = expose(small, adapted[frame], size, reflect=True)
            self.codes[frame] = warp_labels(codes[origin], exposures[frame, middle], size, int(IGNORE))

    def paste(self, cutout: Cutout, matrices: Float[Tensor, "T S 3 3"], behind: bool = False) -> None:
        """Lays an object over the clip, in place; it becomes the last instance.

        Edges are blended over about one pixel, for a hard edge would give the copy away.

        Args:
            cutout: of one frame, or of T.
            matrices: homographies from its pixels to frame pixels.
            behind: show it only where no other instance is.
        """
        height, width = cutout.pixels.shape[1:3]
        corners = np.array([[-1, width, -1, width], [-1, -1, height, height], [1, 1, 1, 1]], np.float64)
        exposures = matrices.double().numpy()
        pixels, adapted = shrink(cutout.pixels[0], exposures)
        code = UNKNOWN
        if cutout.class_id is not None:
            self.class_ids.append(cutout.class_id)
            code = np.int16(len(self.class_ids) << OWNER_BITS)
        for frame, exposure in enumerate(exposures):
            if frame and len(cutout.pixels) > 1:
                pixels = shrink(cutout.pixels[frame], exposures)[0]
            box = self._box_around(exposure @ corners)
            if box is not None:
                self._lay(pixels, adapted[frame], frame, box, code, behind)

    def _lay(
        self,
        pixels: UInt8[np.ndarray, "H W 4"],
        exposure: Float[np.ndarray, "S 3 3"],
        frame: int,
        box: tuple[int, int, int, int],
        code: np.int16,
        behind: bool,
    ) -> None:
        """One frame of `paste`."""
        left, top, right, bottom = box
        shift = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
        size, local = (bottom - top, right - left), shift @ exposure
        layer = expose(pixels, local, size, reflect=False)
        middle = len(local) // 2
        inside = expose(pixels, local[middle : middle + 1], size, reflect=False)[..., 3] > 127
        codes = self.codes[frame, top:bottom, left:right]
        if behind:
            taken = codes >> OWNER_BITS > 0
            layer[taken] = 0
            inside &= ~taken
        under = self.frames[frame, top:bottom, left:right]
        seen_through = 255 - layer[..., 3:].astype(np.uint16)
        under[:] = layer[..., :3] + ((under * seen_through + 127) // 255).astype(np.uint8)
        codes[inside] = code

    def extent(self, instance: int, frames: slice) -> tuple[int, int] | None:
        """First column of an instance in these frames, and the one behind its last; None where it is out of sight."""
        columns = np.flatnonzero((self.codes[frames] >> OWNER_BITS == instance + 1).any((0, 1)))
        return (int(columns[0]), int(columns[-1]) + 1) if len(columns) else None

    def clip(self) -> Clip:
        """The clip with all instances in their places, those that are out of sight with empty masks."""
        return self._clip_of(list(range(len(self.class_ids))), [])

    def clip_of_largest(self, most: int) -> Clip:
        """The clip with the `most` largest instances, largest first; smaller ones are ignored, unseen ones left out."""
        owners = torch.from_numpy(self.codes >> OWNER_BITS).flatten()
        areas = torch.bincount(owners, minlength=len(self.class_ids) + 1)[1:]
        order = [k for k in areas.argsort(descending=True, stable=True).tolist() if areas[k]]
        return self._clip_of(order[:most], order[most:])

    def _clip_of(self, kept: list[int], ignored: list[int]) -> Clip:
        owners = self.codes >> OWNER_BITS
        numbers = np.array(kept, np.int16).reshape(-1, 1, 1, 1) + 1
        ignore = (self.codes & IGNORE) > 0
        if ignored:
            ignore |= np.isin(owners, np.array(ignored, np.int16) + 1)
        return Clip(
            frames=torch.from_numpy(self.frames).permute(0, 3, 1, 2),
            masks=torch.from_numpy(owners == numbers),
            class_ids=torch.tensor([self.class_ids[k] for k in kept], dtype=torch.int64),
            ignore=torch.from_numpy(ignore),
            unknown=torch.from_numpy((self.codes & UNKNOWN) > 0),
            source=self.source,
        )

    def _box_around(self, points: Float[np.ndarray, "S 3 P"]) -> tuple[int, int, int, int] | None:
        """(left, top, right, bottom) of the part of the frame that holds the points, or None."""
        x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
        height, width = self.codes.shape[1:]
        left, right = max(0, int(x.min())), min(width, int(x.max()) + 2)
        top, bottom = max(0, int(y.min())), min(height, int(y.max()) + 2)
        return (left, top, right, bottom) if left < right and top < bottom else None


def drift_colours(clip: Clip, strength: float, generator: torch.Generator) -> Clip:
    """Brightness, contrast, saturation and colour balance, changed for the whole clip and drifting a little within it.

    Args:
        clip: is left as it is.
        strength: largest relative change; the drift within the clip is a quarter of it.
        generator: source of all chance.
    """
    length = clip.frames.shape[0]
    wander = partial(_wander, length, strength, generator)
    saturation, contrast = (1 + wander()).numpy(), (1 + wander()).numpy()
    balance = torch.stack([wander() * 0.3 for _ in range(3)], 1)
    gains = (1 + wander()[:, None] + balance).numpy()
    frames = clip.frames.permute(0, 2, 3, 1).numpy()
    changed = np.empty_like(frames, order="C")
    grey = np.full((3, 3), 1 / 3)
    for frame in range(length):
        picture = np.ascontiguousarray(frames[frame])
        level = sum(cv2.mean(picture)[:3]) / 3
        linear = contrast[frame] * (saturation[frame] * (np.eye(3) - grey) + grey)
        offset = np.full((3, 1), level * (1 - contrast[frame]))
        # One affine map of the colours of a pixel; OpenCV rounds and keeps it within 0-255.
        changed[frame] = cv2.transform(picture, gains[frame][:, None] * np.hstack([linear, offset]))
    return replace(clip, frames=torch.from_numpy(changed).permute(0, 3, 1, 2))


def _wander(length: int, strength: float, generator: torch.Generator) -> Float[Tensor, " T"]:
    time = torch.linspace(-0.5, 0.5, length)
    return uniform(-strength, strength, generator) + uniform(-strength, strength, generator) * 0.25 * time


def _codes(clip: Clip) -> Int16[np.ndarray, "T H W"]:
    # Instances beyond 8,190 would overflow; no frame holds so many.
    codes = clip.unknown.numpy() * UNKNOWN + clip.ignore.numpy() * IGNORE
    for instance, masks in enumerate(clip.masks.numpy(), 1):
        for code, mask in zip(codes, masks, strict=True):
            if mask.any():
                code += mask * np.int16(instance << OWNER_BITS)
    return codes
