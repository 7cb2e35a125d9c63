"""Scripted detections, whose right tracks are known."""

import numpy as np

from chronomask import rle
from chronomask.baselines.detections import Detection

SIZE = (60, 100)


def seen(x, y=20, width=12, height=16, score=0.9, category=1, feature=(1.0, 0.0), who=0):
    """A detection of a rectangle whose upper left corner is given; `who` it really is, for the tests, is its area."""
    mask = np.zeros(SIZE, bool)
    left, top = round(x), round(y)
    mask[max(0, top) : top + height, max(0, left) : left + width] = True
    box = np.array([x, y, x + width, y + height], np.float32)
    return Named(rle.encode(mask), box, score, category, np.array(feature, np.float32), who)


class Named(Detection):
    """A detection that knows of which object it is."""

    def __init__(self, mask, box, score, category, feature, who):
        super().__init__(mask, box, score, category, feature)
        object.__setattr__(self, "who", who)


A, B, C = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def apart():
    """Two objects that move side by side."""
    return [[seen(10 + 2 * t, 5, who=1, feature=A), seen(10 + 2 * t, 38, who=2, feature=B)] for t in range(8)]


def crossing():
    """Two that look different pass each other at one height, overlapping on the way; the boxes come in any order."""
    rng = np.random.default_rng(0)
    frames = []
    for t in range(16):
        both = [seen(4 + 5 * t, 20, who=1, feature=A), seen(79 - 5 * t, 22, who=2, feature=B)]
        frames.append([both[k] for k in rng.permutation(2)])
    return frames


def occlusion(missing=4):
    """One is missed for some frames and comes back where its motion leads; another stays."""
    frames = []
    for t in range(16):
        frame = [seen(70, 40, who=2, feature=B)]
        if not 5 <= t < 5 + missing:
            frame.append(seen(5 + 3 * t, 10, who=1, feature=A))
        frames.append(frame)
    return frames


def entry_and_exit():
    """The first leaves at frame 5, the second enters at frame 3, elsewhere."""
    frames = []
    for t in range(10):
        frame = []
        if t < 5:
            frame.append(seen(60 + 3 * t, 5, who=1, feature=A))
        if t >= 3:
            frame.append(seen(2 * t, 40, who=2, feature=B))
        frames.append(frame)
    return frames


def clutter():
    """As `apart`, with a false detection in every third frame, each elsewhere, and a detection missed now and then."""
    places = [(80, 2), (84, 42), (66, 22)]
    frames = []
    for t, frame in enumerate(apart()):
        kept = [found for found in frame if (t, found.who) not in {(3, 1), (5, 2)}]
        if t % 3 == 1:
            x, y = places[t // 3]
            kept.append(seen(x, y, width=8, height=8, score=0.3, who=10 + t, feature=C))
        frames.append(kept)
    return frames


def who_is_in(tracks):
    """Of every track whose detections it has, frame by frame: sorted lists of (object, frames)."""
    return sorted(
        (sorted({found.who for found in track.detections.values()}), sorted(track.detections)) for track in tracks
    )
