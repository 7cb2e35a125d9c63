"""How a camera and objects move: homographies from source to frame pixels along smooth paths, or frame by frame.

Legend: T frames, S sub-frames of one exposure. Where the shutter is open for no time, all sub-frames are equal.
"""

from __future__ import annotations

from functools import partial
from math import pi
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from chronomask.config import MotionConfig
from chronomask.data.chance import uniform

SUBFRAMES = 17
"""Sub-frames of every exposure, the middle one the frame itself; 2^n + 1, so that every second one can be left out."""


class Pose(NamedTuple):
    """Where something is in every sub-frame, against where it is at the middle of the clip.

    Attributes:
        x, y: travel in pixels.
        angle: turn in radians.
        zoom: logarithm of the change of scale.
        pan, tilt: relative change of scale over half the width and half the height of the frame.
    """

    x: Float[Tensor, "T S"]
    y: Float[Tensor, "T S"]
    angle: Float[Tensor, "T S"]
    zoom: Float[Tensor, "T S"]
    pan: Float[Tensor, "T S"]
    tilt: Float[Tensor, "T S"]


def smooth_path(
    times: Float[Tensor, "*any"], travel: float, sway: float, generator: torch.Generator
) -> Float[Tensor, "*any"]:
    """A straight line through 0 at time 0, plus one slow swing: how cameras and objects move.

    Args:
        times: 0 is the middle of the clip, -0.5 and 0.5 are its ends.
        travel: largest way along the line from end to end.
        sway: size of the swing, as a share of `travel`.
        generator: source of all chance.
    """
    line = uniform(-travel, travel, generator) * times
    frequency, phase = uniform(0.5, 1.5, generator), uniform(0.0, 2 * pi, generator)
    swing = torch.sin(2 * pi * frequency * times + phase) - torch.sin(torch.tensor(phase))
    return line + 0.5 * sway * uniform(-travel, travel, generator) * swing


def motion_matrices(
    length: int,
    source: tuple[float, float],
    target: tuple[float, float],
    scale: float,
    mirror: bool,
    size: tuple[int, int],
    motion: MotionConfig,
    generator: torch.Generator,
) -> Float[Tensor, "T S 3 3"]:
    """Homographies from source to frame pixels that carry the point `source` along a path about `target`.

    Args:
        length: T.
        source: (x, y) in the source image that moves along the path.
        target: (x, y) in the frame where it is at the middle of the clip.
        scale: frame pixels a source pixel at the middle of the clip.
        mirror: flip left and right.
        size: (height, width) of the frames.
        motion: how far the path goes.
        generator: source of all chance.
    """
    short_side = float(min(size))
    poses = _jumps if motion.independent else _paths
    pose = poses(length, short_side, motion, generator)
    return _homographies(pose, source, target, scale, mirror, size)


def _paths(length: int, short_side: float, motion: MotionConfig, generator: torch.Generator) -> Pose:
    """One smooth path for the clip; the shutter shows a piece of it."""
    exposure = motion.exposure if uniform(0.0, 1.0, generator) < motion.blur else 0.0
    shutter = torch.linspace(-0.5, 0.5, SUBFRAMES) * exposure / max(1, length - 1)
    frames = torch.linspace(-0.5, 0.5, length) if length > 1 else torch.zeros(1)
    path = partial(smooth_path, frames[:, None] + shutter, sway=motion.sway, generator=generator)
    return Pose(
        x=path(motion.shift * short_side),
        y=path(motion.shift * short_side),
        angle=path(motion.rotation * pi / 180),
        zoom=path(motion.zoom),
        pan=path(motion.perspective),
        tilt=path(motion.perspective),
    )


def _jumps(length: int, short_side: float, motion: MotionConfig, generator: torch.Generator) -> Pose:
    """Every frame on its own, some blurred along a random direction."""
    jump = partial(_jump, length, generator)
    blurred = torch.rand(length, 1, generator=generator) < motion.blur
    direction = jump(pi)
    shortest, longest = motion.streak
    streak = (shortest + (longest - shortest) * torch.rand(length, 1, generator=generator)) * blurred
    way = torch.linspace(-0.5, 0.5, SUBFRAMES) * streak
    return Pose(
        x=jump(motion.shift * short_side) + way * direction.cos(),
        y=jump(motion.shift * short_side) + way * direction.sin(),
        angle=jump(motion.rotation * pi / 180),
        zoom=jump(motion.zoom),
        pan=jump(motion.perspective),
        tilt=jump(motion.perspective),
    )


def _jump(length: int, generator: torch.Generator, most: float) -> Float[Tensor, "T S"]:
    return most * (2 * torch.rand(length, 1, generator=generator) - 1).expand(-1, SUBFRAMES)


def _homographies(
    pose: Pose,
    source: tuple[float, float],
    target: tuple[float, float],
    scale: float,
    mirror: bool,
    size: tuple[int, int],
) -> Float[Tensor, "T S 3 3"]:
    height, width = size
    zeros, ones = torch.zeros_like(pose.x), torch.ones_like(pose.x)
    grown = scale * pose.zoom.exp()
    cosine, sine = grown * pose.angle.cos(), grown * pose.angle.sin()
    flip = -1.0 if mirror else 1.0
    to_origin = torch.tensor([[1.0, 0.0, -source[0]], [0.0, 1.0, -source[1]], [0.0, 0.0, 1.0]])
    turned = _matrices([flip * cosine, -sine, zeros], [flip * sine, cosine, zeros], [zeros, zeros, ones])
    tilted = _matrices(
        [ones, zeros, zeros], [zeros, ones, zeros], [pose.pan * (2 / width), pose.tilt * (2 / height), ones]
    )
    moved = _matrices([ones, zeros, target[0] + pose.x], [zeros, ones, target[1] + pose.y], [zeros, zeros, ones])
    return moved @ tilted @ turned @ to_origin


def _matrices(*rows: list[Tensor]) -> Float[Tensor, "T S 3 3"]:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
