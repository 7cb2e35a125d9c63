"""Settings of the data set commands."""

from __future__ import annotations

from dataclasses import dataclass

from chronomask.bounds import MAX_LENGTH, MAX_PIXELS, MAX_SIDE
from chronomask.config import MixtureConfig, MotionConfig
from chronomask.config.checks import at_least, within
from chronomask.errors import InputError

_MOST = 2**30
"""Pixels of a video: 3.2 GB as RGB."""


@dataclass(frozen=True)
class SynthesizeConfig:
    """What the videos made from stills and videos look like.

    Attributes:
        length: frames a video.
        height: of the videos, in pixels.
        width: of the videos, in pixels.
        videos_per_image: videos made from every still or video, each with a camera path or piece of its own.
        seed: the same seed gives the same bytes.
        smallest: objects with fewer pixels in the video (mean over the frames that show them) become iscrowd, so that
            evaluation neither asks for them nor punishes finding them.
        closeness: the camera comes up to this many times closer than its path needs to stay inside the still.
        colours: strength of the drift in brightness, contrast and colour; 0 leaves the pixels as they are.
        max_stride: of a video every 1st to this-th frame is taken.
        max_pastes: at most this many objects are copied into a video, each on a path of its own.
        moving: share of the copied objects that come out of videos, with their own movement, where there are any.
        meeting: share of the copied objects that lie on another one at the middle of the video.
        behind: share of the copied objects that pass behind those that are there.
        hidden: share of the videos in which something passes in front of an object and hides it for a while.
        quality: of the JPEG files, 1 to 95.
        camera: motion of the camera.
        objects: motion of copied objects.
    """

    length: int = 8
    height: int = 256
    width: int = 448
    videos_per_image: int = 1
    seed: int = 0
    smallest: float = 0.0
    closeness: float = 1.2
    colours: float = 0.0
    max_stride: int = 4
    max_pastes: int = 0
    moving: float = MixtureConfig().moving
    meeting: float = MixtureConfig().meeting
    behind: float = MixtureConfig().behind
    hidden: float = 0.0
    quality: int = 95
    camera: MotionConfig = MotionConfig()  # noqa: RUF009  (frozen)
    objects: MotionConfig = MixtureConfig().objects

    def __post_init__(self) -> None:
        within(self, 1, MAX_LENGTH, "length")
        within(self, 1, MAX_SIDE, "height", "width")
        size = f"height {self.height} and width {self.width}"
        if self.height * self.width > MAX_PIXELS:
            raise InputError(f"{size}: a frame may have {MAX_PIXELS:,} pixels, or it could not be read again")
        if self.length * self.height * self.width > _MOST:
            raise InputError(
                f"length {self.length}, {size}: a video may have {_MOST:,} pixels, as it is made in memory"
            )
        within(self, 1, 95, "quality")
        at_least(self, 1, "videos_per_image", "closeness")
        at_least(self, 0, "seed", "smallest", "colours", "max_pastes")
        _ = self.pasting

    @property
    def pasting(self) -> MixtureConfig:
        """The same settings, under the names that training has for them."""
        shared = ("length", "height", "width", "max_stride", "max_pastes", "moving", "meeting", "behind", "hidden")
        return MixtureConfig(colours=0.0, objects=self.objects, **{name: getattr(self, name) for name in shared})
