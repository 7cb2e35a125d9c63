"""What a user points at: points and boxes in frames of a video, each about one object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from chronomask.errors import InputError

Number = int | float

MOST_OBJECTS = 100
"""Objects that may be pointed at in one video."""


@dataclass(frozen=True)
class Point:
    """A click into a frame: here is the object, or here it is not.

    >>> chronomask.Point(320, 180, time=1.5)
    Point(x=320, y=180, time=1.5, frame=None, positive=True, object=1)

    Attributes:
        x: pixels of the source from the left edge.
        y: pixels from the upper edge.
        time: of the frame, in seconds, on the clock of the video: the frame that is shown then is meant.
        frame: its number from 0, among the frames that are looked at; goes before `time`.
        positive: whether the object is there.
        object: number of the object, from 1; points of the same number speak of the same object.
    """

    x: Number
    y: Number
    time: Number = 0.0
    frame: int | None = None
    positive: bool = True
    object: int = 1

    def __post_init__(self) -> None:
        _check(self)

    @property
    def corners(self) -> tuple[tuple[Number, Number], ...]:
        """(x, y) of everything that has to lie in the frame."""
        return ((self.x, self.y),)


@dataclass(frozen=True)
class Box:
    """A box around an object, as tight as it can be drawn.

    Attributes:
        left, top, right, bottom: edges, in pixels of the source; the left and top ones are the smaller.
        time, frame, object: as in `Point`.
    """

    left: Number
    top: Number
    right: Number
    bottom: Number
    time: Number = 0.0
    frame: int | None = None
    object: int = 1

    positive = True

    def __post_init__(self) -> None:
        _check(self)
        for low, high in (("left", "right"), ("top", "bottom")):
            if not getattr(self, low) < getattr(self, high):
                raise InputError(f"box: {low} {getattr(self, low)} must be less than {high} {getattr(self, high)}")

    @property
    def corners(self) -> tuple[tuple[Number, Number], ...]:
        """(x, y) of everything that has to lie in the frame."""
        return ((self.left, self.top), (self.right, self.bottom))


Prompt = Point | Box


def prompt_of(said: Mapping[str, Any]) -> Prompt:
    """A prompt by the names of its fields, as the page has it.

    Raises:
        InputError: it is none.
    """
    kind = Box if "left" in said else Point
    try:
        return kind(**said)
    except (TypeError, OverflowError) as error:
        raise InputError(f"point: {dict(said)!r:.80} is none") from error


def kind_of(prompt: Prompt) -> str:
    """What messages call a prompt: "point" or "box"."""
    return type(prompt).__name__.lower()


def _check(prompt: Prompt) -> None:
    kind = kind_of(prompt)
    for x, y in prompt.corners:
        if not (isfinite(x) and isfinite(y)):
            raise InputError(f"{kind}: ({x}, {y}) is no place in a frame")
    if not (isfinite(prompt.time) and prompt.time >= 0):
        raise InputError(f"{kind}: time {prompt.time} must be 0 seconds or later")
    if prompt.frame is not None and prompt.frame < 0:
        raise InputError(f"{kind}: frame {prompt.frame} must be 0 or more")
    if not 1 <= prompt.object <= MOST_OBJECTS:
        raise InputError(f"{kind}: object {prompt.object} must be from 1 to {MOST_OBJECTS}")


def check_prompts(prompts: Sequence[Prompt], source: Any) -> None:
    """Refuses, before a frame is looked at, what can have no meaning for a source.

    That a time lies behind the last frame is certain only at the end of a video, whose claims about its length are
    taken with a second to spare.

    Args:
        prompts: all of them.
        source: a `video.VideoSource`.

    Raises:
        InputError: a point outside the frame, or after the end of the video; an object of which nothing but where it
            is not is said; a source of which frames pass by once.
    """
    if not (isinstance(prompts, Sequence) and all(isinstance(prompt, Prompt) for prompt in prompts)):
        raise InputError(f"points: must be a list of chronomask.Point and chronomask.Box, not {prompts!r:.80}")
    if not source.again:
        raise InputError(
            f"{source.name}: its frames pass by once; points need a video that can be read again, as a file"
        )
    for prompt in prompts:
        kind = kind_of(prompt)
        for x, y in prompt.corners:
            for name, value, side in (("x", x, source.width), ("y", y, source.height)):
                # A box may end with the last pixel.
                if not (0 <= value < side or (isinstance(prompt, Box) and value == side)):
                    raise InputError(
                        f"{kind} {shown(prompt)}: {name} {value:g} lies outside the frame, 0 to {side - 1}"
                    )
        _check_time(prompt, source)
    for number in sorted({prompt.object for prompt in prompts}):
        if not any(prompt.positive for prompt in prompts if prompt.object == number):
            raise InputError(f"object {number}: is said to be nowhere; point at it once at least, or draw a box")


def _check_time(prompt: Prompt, source: Any) -> None:
    what, selection = f"{kind_of(prompt)} {shown(prompt)}", source.selection
    if prompt.frame is not None:
        spare = 0 if source.file_names is not None else source.fps
        if source.length is not None and prompt.frame >= source.length + spare:
            raise InputError(f"{what}: frame {prompt.frame} lies after the last one, {source.length - 1}")
        return
    if not selection.begun(prompt.time) or selection.over(prompt.time):
        end = "" if selection.end is None else f" to {selection.end:g}"
        raise InputError(f"{what}: time {prompt.time:g} lies outside of what is looked at, {selection.start:g}{end} s")
    if source.length is not None and selection.end is None:
        end = selection.start + source.length / source.fps
        if prompt.time > end + 1:
            raise InputError(f"{what}: time {prompt.time:g} lies after the end of the video, at about {end:.2f} s")


def shown(prompt: Prompt) -> str:
    """The prompt as `--point` takes it, for messages."""
    when = f"{prompt.time:g}" if prompt.frame is None else f"@{prompt.frame}"
    places = ",".join(f"{value:g}" for corner in prompt.corners for value in corner)
    return f"{'' if prompt.object == 1 else f'{prompt.object}='}{when}:{places}"


_FORM = re.compile(r"(?:(?P<object>\d+)=)?(?P<when>@\d+|(?:\d+:){0,2}\d+(?:\.\d*)?):(?P<places>[^:=@]+)")


def read_prompts(points: Iterable[str] = (), negative: Iterable[str] = (), boxes: Iterable[str] = ()) -> list[Prompt]:
    """Prompts as they are typed: [OBJECT=]TIME:X,Y, and [OBJECT=]TIME:LEFT,TOP,RIGHT,BOTTOM for a box.

    TIME is in seconds, mm:ss, hh:mm:ss or @ and the number of a frame; OBJECT is 1 where it is left out.

    Raises:
        InputError: a text is of another form, or says something impossible.
    """
    read: list[Prompt] = []
    for option, texts, positive in (("point", points, True), ("negative", negative, False)):
        for text in texts:
            number, time, frame, (x, y) = _parsed(option, text, "TIME:X,Y", "1.5:320,180", 2)
            read.append(Point(x, y, time, frame, positive, number))
    for text in boxes:
        form, example = "TIME:LEFT,TOP,RIGHT,BOTTOM", "1.5:250,90,410,270"
        number, time, frame, edges = _parsed("box", text, form, example, 4)
        read.append(Box(*edges, time, frame, number))
    return read


def seconds(option: str, text: str) -> float:
    """Seconds of "12.5", "1:30" or "1:02:03.5".

    Raises:
        InputError: the text, which an option of this name was given, is none of them.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text):
        raise InputError(f"{option} {text!r}: must be seconds, such as 12.5, mm:ss or hh:mm:ss")
    return sum(float(part) * 60**place for place, part in enumerate(reversed(text.split(":"))))


def _parsed(option: str, text: str, form: str, example: str, count: int) -> tuple[int, float, int | None, list[float]]:
    match = _FORM.fullmatch(text.strip())
    try:
        places = [float(value) for value in match["places"].split(",")] if match else []
    except ValueError:
        places = []
    if match is None or len(places) != count:
        hint = "seconds, mm:ss, hh:mm:ss or @FRAME before the colon, pixels behind it"
        raise InputError(
            f"{option} {text!r:.80}: must be {form}, such as {example}: {hint}; OBJECT= in front for a further object"
        )
    when = match["when"]
    frame = int(when[1:]) if when.startswith("@") else None
    time = 0.0 if frame is not None else seconds(option, when)
    return int(match["object"] or 1), time, frame, places
