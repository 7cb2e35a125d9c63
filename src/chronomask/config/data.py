"""What training clips look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Literal

from chronomask.config.checks import BEFORE, at_least, within
from chronomask.errors import InputError


@dataclass(frozen=True)
class MotionConfig:
    """How far something moves over a clip, and how its motion blurs the frames.

    Attributes:
        shift: largest travel in x and y, as a share of the short side.
        rotation: largest turn, in degrees.
        zoom: largest change of the logarithm of the scale.
        perspective: largest change of scale over half a side of the frame, to the right and downwards each; below 0.2.
        sway: size of the smooth swing about the straight path, as a share of the travel.
        blur: probability that a clip is blurred along the motion of its pixels; of a frame where `independent`.
        exposure: how long the shutter of a blurred clip is open, as a share of the time between two frames.
        independent: move every frame on its own, by up to `shift`, `rotation`, `zoom` and `perspective` either way,
            instead of along a smooth path. Blur then has a random direction.
        streak: shortest and longest way in pixels of the blur of an independent frame.
    """

    shift: float = 0.2
    rotation: float = 12.0
    zoom: float = 0.15
    perspective: float = 0.0
    sway: float = 0.3
    blur: float = 0.25
    exposure: float = 0.5
    independent: bool = False
    streak: tuple[float, float] = (9.0, 11.0)

    def __post_init__(self) -> None:
        at_least(self, 0, "shift", "rotation", "zoom", "sway", "exposure")
        # From 0.2 on, the horizon of a path may come into sight.
        if not 0 <= self.perspective < 0.2:
            raise InputError(f"perspective {self.perspective}: must lie in [0, 0.2)")
        within(self, 0, 1, "blur")
        if not 0 <= self.streak[0] <= self.streak[1]:
            raise InputError(f"streak {self.streak}: need 0 <= shortest <= longest")


def published_motion() -> MotionConfig:
    """What a published predecessor with the paper's data did to stills: every frame warped and blurred on its own."""
    return MotionConfig(shift=0.1, rotation=12.0, zoom=0.0, perspective=0.08, blur=0.25, independent=True)


@dataclass(frozen=True)
class MixtureConfig:
    """What training clips look like.

    Attributes:
        length: T, frames a clip.
        fit: "crop" looks through a moving window of `height` x `width` that keeps an instance in sight; "resize" shows
            the whole frame, scaled to `short_side`, or less where the long side would exceed `long_side`.
        height, width: of a crop, in pixels.
        view: a crop's scale ranges from this times "the whole frame is seen" ...
        closeness: ... to this times "the frame just covers the crop".
        short_side, long_side: of a resized frame, in pixels.
        max_stride: videos are sampled at every 1st to this-th frame.
        max_pastes: at most this many objects are copied into a clip, each on a path of its own.
        moving: share of the copied objects that come out of videos, with their own movement, where there are any.
        meeting: share of the copied objects that lie on another one at the middle of the clip.
        behind: share of the copied objects that pass behind those that are there.
        hidden: share of the clips in which something passes in front of an object and hides it, for as long as 5 to 15
            frames of a video (less where a clip is too short to show it before and after).
        colours: strength of the colour changes.
        max_instances: the smallest instances beyond this many become ignored pixels.
        camera: motion of the view of stills.
        video_camera: motion of the view of videos, on top of their own.
        objects: motion of copied objects.
    """

    length: int = 8
    fit: Literal["crop", "resize"] = "crop"
    height: int = 192
    width: int = 352
    view: float = 0.9
    closeness: float = 1.5
    short_side: int = 640
    long_side: int = 1196
    max_stride: int = 4
    max_pastes: int = 2
    moving: float = field(default=0.5, metadata={BEFORE: 0.0})
    meeting: float = field(default=0.5, metadata={BEFORE: 0.0})
    behind: float = field(default=0.3, metadata={BEFORE: 0.0})
    hidden: float = field(default=0.1, metadata={BEFORE: 0.0})
    colours: float = 0.3
    max_instances: int = 16
    camera: MotionConfig = MotionConfig()
    video_camera: MotionConfig = MotionConfig(shift=0.07, rotation=4.0, zoom=0.05, blur=0.0)
    objects: MotionConfig = MotionConfig(shift=0.6, rotation=20.0, zoom=0.25)

    def __post_init__(self) -> None:
        at_least(self, 1, "length", "height", "width", "short_side", "long_side", "max_stride", "max_instances")
        at_least(self, 0, "max_pastes", "colours")
        within(self, 0, 1, "moving", "meeting", "behind", "hidden")
        for name in ("view", "closeness"):
            if not 0 < getattr(self, name) < inf:
                raise InputError(f"{name} {getattr(self, name)}: must be positive and finite")
