"""Segmenters that workers can open in another process: what they see is known, and what kills them."""

import os
import signal
import time

from chronomask.config import ClusterConfig, SegmentConfig
from chronomask.errors import InputError
from chronomask.segmenter.segmenter import Segmenter
from segmenter.colour import ColourEngine

POISON = (250, 250, 250)
"""A frame of this colour kills the process that looks at it."""

LULLABY = (3, 3, 3)
"""A frame of this colour sends the process that looks at it to sleep."""


class Mortal(ColourEngine):
    """Dies of poison, and sleeps."""

    def encode(self, frames):
        if frames[..., :8, :8].min() > 240:
            os.kill(os.getpid(), signal.SIGKILL)
        if frames.max(axis=(-3, -2, -1)).min() < 10:
            time.sleep(1000)
        return super().encode(frames)


def open_colour(*_):
    """Sees every patch of colour as an object, in clips of four frames."""
    cluster = ClusterConfig(seed_threshold=0.6, minimum_pixels=1)
    return Segmenter(Mortal(4), SegmentConfig(clip_length=4, overlap=2, score=0.0, cluster=cluster))


def open_nothing(*_):
    raise InputError("lite: no such model")


def open_never(*_):
    """No worker comes so far that it could begin."""
    os._exit(7)


def open_broken(*_):
    """A segmenter with a fault of ours."""
    segmenter = open_colour()
    segmenter.relink = lambda: 1 // 0
    return segmenter


def open_slowly(*_, seconds=0.2):
    """Takes a while for every frame."""
    segmenter = open_colour()
    encode = segmenter.engine.encode
    segmenter.engine.encode = lambda frames: (time.sleep(seconds), encode(frames))[1]
    return segmenter


def open_patient(*_):
    """Takes a little while for every frame."""
    return open_slowly(seconds=0.03)


def open_mortal_once(note, *_):
    """One process of all dies, in the middle of its second clip, and leaves a note."""
    segmenter = open_colour()
    decode, clips = segmenter.engine.decode, []

    def dying(frames):
        clips.append(frames)
        if len(clips) == 2 and not os.path.exists(note):
            open(note, "x").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(frames)

    segmenter.engine.decode = dying
    return segmenter
