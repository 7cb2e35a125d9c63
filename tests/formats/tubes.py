"""Files of tracks for tests."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.categories import Category
from chronomask.formats.capabilities import FORMATS
from chronomask.formats.convert import capabilities
from chronomask.formats.polygons import filled, outlines

JSON = [format for format in FORMATS if capabilities(format).several_videos == "in the file"]
"""Formats whose file has all videos."""

CAT, DOG, ROBOT = Category(17, "cat"), Category(18, "dog"), Category(96, "robot")


def box(video: VideoEntry, left: int, top: int, width: int, height: int) -> rle.Rle:
    mask = np.zeros((video.height, video.width), bool)
    mask[top : top + height, left : left + width] = True
    return rle.encode(mask)


def plain_file() -> TracksFile:
    """What every format carries but for the classes that DAVIS lacks: nothing overlaps, ends early or has a score."""
    video = VideoEntry(1, "clip", width=9, height=7, length=3)
    whole = tuple(box(video, 1 + t, 1, 3, 2) for t in range(3))
    return TracksFile(
        (Track(1, 1, 17, 1.0, whole), Track(2, 1, 17, 1.0, (None, box(video, 0, 4, 5, 3), None))), (video,), (CAT,)
    )


def outlined(file: TracksFile) -> TracksFile:
    """The file with the masks that its outlines fill."""

    def drawn(mask: rle.Rle | None) -> rle.Rle | None:
        return None if mask is None else filled(outlines(rle.decode(mask)), *mask["size"])

    return replace(
        file,
        tracks=tuple(replace(t, segmentations=tuple(drawn(mask) for mask in t.segmentations)) for t in file.tracks),
    )


@dataclass(frozen=True)
class Drawn:
    """A video as drawn: its size in `shape` (height, width, length), and of every tube one number a frame.

    The bits of such a number are the pixels; None is out of sight.
    """

    name: str
    shape: tuple[int, int, int]
    fps: float | None
    named_frames: bool
    tubes: list[tuple[list[int | None], float, Category, tuple[bool, bool]]]


@st.composite
def drawn_videos(draw: st.DrawFn) -> Drawn:
    """Tubes of any shape with gaps, overlaps, masks without a pixel and empty frames."""
    height, width, length = shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)))
    masks = st.lists(st.none() | st.integers(0, 2 ** (height * width) - 1), min_size=length, max_size=length)
    flags = st.sampled_from([(False, False), (False, False), (True, False), (False, True)])
    tube = st.tuples(masks, st.sampled_from([1.0, 0.3]), st.sampled_from([CAT, DOG, ROBOT]), flags)
    return Drawn(
        draw(st.sampled_from(["a", "b/c", "labels", "frame 10", "été"])),
        shape,
        draw(st.sampled_from([None, 12.5])),
        draw(st.booleans()),
        draw(st.lists(tube, max_size=4)),
    )


def built(drawn: list[Drawn], first_id: int) -> TracksFile:
    """The file of drawn videos; ids of tracks count down from `first_id`, those of videos go up by three."""
    videos, tracks = [], []
    for number, entry in enumerate(drawn):
        height, width, length = entry.shape
        names = tuple(f"film/{t + 5}.jpg" for t in range(length)) if entry.named_frames else None
        videos.append(VideoEntry(3 * number + 2, entry.name, width, height, length, entry.fps, names))
        own = []
        for bits, score, category, flags in entry.tubes:
            row = tuple(None if n is None else _mask(n, height, width) for n in bits)
            own.append(Track(first_id, videos[-1].id, category.id, score, row, *flags))
            first_id -= 1
        tracks += own[::-1]
    return TracksFile(tuple(tracks), tuple(videos), (CAT, DOG, ROBOT), {"version": "1"} if first_id % 2 else {})


def _mask(bits: int, height: int, width: int) -> rle.Rle:
    return rle.encode(np.array([bits >> place & 1 for place in range(height * width)], bool).reshape(height, width))
