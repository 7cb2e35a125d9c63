"""From times and pixels that a user names to frames of a video, and to places in its clips.

Legend: T frames of a clip, h w pixels at stride 4.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Sequence
from math import ceil

from chronomask.errors import InputError
from chronomask.prompts import Box, Prompt, kind_of, shown
from chronomask.tracking.prompted import Clicks
from chronomask.video import Frame, VideoSource
from chronomask.video.source import TICK


class Located:
    """Which frame every prompt is about, found out while the frames pass by.

    Attributes:
        frames_of: numbers of the frames, by the prompt's place in the list; those that are known so far.
    """

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self.prompts = prompts
        self.frames_of: dict[int, int] = {}
        self._last: Frame | None = None

    def frames(self, source: VideoSource) -> Generator[Frame, None, None]:
        """The frames of a source; every one comes when it is known which prompts are about it."""
        waiting: Frame | None = None
        for frame in source:
            if waiting is not None:
                self._locate(waiting, frame.time)
                yield waiting
            waiting = frame
        if waiting is not None:
            self._locate(waiting, waiting.time + 1 / source.fps)
            self._last = waiting
            yield waiting

    def _locate(self, frame: Frame, until: float) -> None:
        """Notes which prompts are about a frame that is shown until so many seconds."""
        for place, prompt in enumerate(self.prompts):
            if prompt.frame is None:
                # What is before the first frame is about that one.
                if place not in self.frames_of and prompt.time < until - TICK:
                    self.frames_of[place] = frame.index
            elif prompt.frame == frame.index:
                self.frames_of[place] = frame.index

    def all_before(self, frame: int) -> bool:
        """Whether the frames of all prompts are known, and lie before this one."""
        return len(self.frames_of) == len(self.prompts) and max(self.frames_of.values()) < frame

    def check(self) -> None:
        """Raises InputError if the video is over and a prompt is about no frame of it."""
        missing = [prompt for place, prompt in enumerate(self.prompts) if place not in self.frames_of]
        if missing and self._last is not None:
            prompt, last = missing[0], self._last
            what = f"time {prompt.time:g}" if prompt.frame is None else f"frame {prompt.frame}"
            end = f"the last frame is number {last.index}, at {last.time:.3f} s"
            raise InputError(f"{kind_of(prompt)} {shown(prompt)}: {what} lies after the end of the video: {end}")

    def first(self, number: int, places: Sequence[tuple[int, Container[int], object, object]]) -> int:
        """Number of the clip in which an object is pointed at first, by a prompt that says where it is.

        Args:
            number: of the object.
            places: of every clip, its fresh frames in second place.
        """
        prompt = next(n for n, one in enumerate(self.prompts) if one.object == number and one.positive)
        frame = self.frames_of[prompt]
        return next(clip for clip, (_, fresh, *_) in enumerate(places) if frame in fresh)

    def clicks(
        self, begin: int, fresh: Container[int], size: tuple[int, int], cells: tuple[int, int]
    ) -> dict[int, Clicks]:
        """What is said of every object in some frames of a clip.

        Args:
            begin: number of the clip's first frame.
            fresh: numbers of the frames in question.
            size: height and width of the source.
            cells: h and w.
        """
        said: dict[int, Clicks] = {}
        for place, frame in self.frames_of.items():
            if frame in fresh:
                prompt = self.prompts[place]
                before = said.get(prompt.object, Clicks())
                said[prompt.object] = before.and_also(_placed(prompt, frame - begin, size, cells))
        return said


def _placed(prompt: Prompt, frame: int, size: tuple[int, int], cells: tuple[int, int]) -> Clicks:
    """A prompt in a frame of a clip."""
    down, right = cells[0] / size[0], cells[1] / size[1]
    if isinstance(prompt, Box):
        top, left = int(prompt.top * down), int(prompt.left * right)
        bottom, end = min(cells[0], ceil(prompt.bottom * down)), min(cells[1], ceil(prompt.right * right))
        return Clicks(boxes=((frame, top, left, bottom, end),))
    place = (frame, int(prompt.y * down), int(prompt.x * right))
    return Clicks(inside=(place,)) if prompt.positive else Clicks(outside=(place,))
