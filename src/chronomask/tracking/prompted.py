"""Objects that somebody pointed at: from clicks, or what is carried of an object, to its pixels in a clip.

A click is a seed of eq. (7): the pointed pixel instead of the one of the greatest heat, with its own embedding and
variance. Taken as it is, it gathers what the clustering gathers anyway, mistakes included. So what is known of every
pixel in relation to the pointed ones (its membership, how the surroundings look, what other instances want it, ...) is
weighed by a small network, `Heads`: one for what a click says, one for what a mask says, be it of frames before or the
one that the first has just made.

Legend: T frames of a clip, h w pixels at stride 4, E embedding dimensions, C channels, F features, N pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from chronomask.morphology import distance
from chronomask.tracking import relations
from chronomask.tracking.heads import Heads
from chronomask.tracking.random_walk import spread
from chronomask.tracking.relations import Place
from chronomask.tracking.scene import Scene

SURE, NOT = 0.6, 0.4
"""Probabilities above and below which a pixel tells more about its object; between them it says nothing."""

REFINEMENTS = 2
"""Times that what was made of clicks is told to the head once more."""

Level = Float32[np.ndarray, "T h w"]
"""Above 0.5 inside of an object."""


class Cue(NamedTuple):
    """Where an object is known to be in a clip, and where it is known not to be."""

    inside: Bool[np.ndarray, "T h w"]
    outside: Bool[np.ndarray, "T h w"]


@dataclass(frozen=True)
class Clicks:
    """What was said of an object in the frames of a clip.

    Attributes:
        inside: places of the object.
        outside: places that are not the object's.
        boxes: frame, first row and column, and those behind the last, of boxes around the object.
    """

    inside: tuple[Place, ...] = ()
    outside: tuple[Place, ...] = ()
    boxes: tuple[tuple[int, int, int, int, int], ...] = ()

    def and_also(self, other: Clicks) -> Clicks:
        """Both together."""
        return Clicks(self.inside + other.inside, self.outside + other.outside, self.boxes + other.boxes)


def cut_out(scene: Scene, cues: Mapping[int, Cue], clicks: Mapping[int, Clicks], heads: Heads) -> dict[int, Level]:
    """The objects in a clip: levels, above 0.5 inside; a pixel is inside of one object at most.

    In shots in which nothing is known of an object, it is not.

    Args:
        scene: the clip.
        cues: what is known of objects from other clips.
        clicks: what was said of them in this one.
    """
    found = {}
    for number in sorted({*cues, *clicks}):
        cue, said = cues.get(number), clicks.get(number, Clicks())
        level = _one(scene, cue, said, heads)
        if level is not None:
            found[number] = level * _shots_of(scene, cue, said)[:, None, None]
    owner = np.argmax(list(found.values()), 0) if found else None
    half = np.float32(0.5)
    return {
        number: np.where(owner == place, level, np.minimum(level, half))
        for place, (number, level) in enumerate(found.items())
    }


def _shots_of(scene: Scene, cue: Cue | None, clicks: Clicks) -> Bool[np.ndarray, " T"]:
    """The frames of the shots in which something is known of an object."""
    known = np.zeros(scene.shape[0], bool)
    if cue is not None:
        known |= cue.inside.any((1, 2))
    known[[frame for frame, *_ in (*clicks.inside, *clicks.boxes)]] = True
    for shot in scene.shots:
        known[shot] = known[shot].any()
    return known


def _one(scene: Scene, cue: Cue | None, clicks: Clicks, heads: Heads) -> Level | None:
    """The level of one object; None where nothing says where it is."""
    said, begun = (clicks.inside, clicks.outside, clicks.boxes), 0  # clicks that the first level is made of
    if cue is not None and cue.inside.any():
        level = heads.known(relations.of_mask(scene, *cue))
    elif clicks.boxes:
        level = _boxed(scene, clicks.boxes[0], heads)
    elif clicks.inside:
        # The others say what is missed and what is wrong: they are told to the head of masks.
        level, begun = heads.clicked(relations.of_click(scene, clicks.inside[0])), 1
    else:
        return None
    level = as_said(level, *said)
    for _ in range(REFINEMENTS if clicks != Clicks() else 0):
        sure = Cue(level > SURE, level < NOT)
        if sure.inside.any():
            # Heads know clicks that take something away only beside one that says what is left.
            inside = clicks.inside or (_deepest(sure.inside),)
            level = as_said(heads.known(relations.of_mask(scene, *sure, inside, clicks.outside)), *said)
    if clicks.outside or len(clicks.inside) > begun:
        level = as_said(_corrected(scene, level, clicks), *said)
    return level


def _corrected(scene: Scene, level: Level, clicks: Clicks) -> Level:
    """Obeys clicks as far around them as the clip looks alike. Heads alone hardly do: most masks are right nearly
    everywhere, so they have learnt to leave what they are told as it is.
    """
    said = np.full(level.shape, np.nan, np.float32)
    for places, value in ((clicks.outside, 0), (clicks.inside, 1)):  # of two that meet the same wins as in `as_said`
        for place in places:
            said[relations.around(place)] = value
    return spread(level, said, scene.likeness)


def _deepest(inside: Bool[np.ndarray, "T h w"]) -> Place:
    """The place that is the farthest from all outside, in the frame with most inside."""
    frame = int(inside.sum((1, 2)).argmax())
    depth = distance(~np.pad(inside[frame], 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return frame, int(row), int(column)


def as_said(
    level: Level,
    inside: Sequence[Place],
    outside: Sequence[Place],
    boxes: Sequence[tuple[int, int, int, int, int]] = (),
) -> Level:
    """A level that obeys clicks, around each of them, and boxes, outside of them; the arguments are as in `Clicks`."""
    level = level.copy()
    for frame, top, left, bottom, right in boxes:
        beyond = np.ones(level.shape[1:], bool)
        beyond[top:bottom, left:right] = False
        level[frame][beyond] = np.minimum(level[frame][beyond], np.float32(0.1))
    for places, value, bound in ((outside, 0.1, np.minimum), (inside, 0.9, np.maximum)):
        for place in places:
            near = relations.around(place)
            level[near] = bound(level[near], np.float32(value))
    return level


def _boxed(scene: Scene, box: tuple[int, int, int, int, int], heads: Heads) -> Level:
    """What fills a box best, of what single clicks into it gather."""
    frame, top, left, bottom, right = box
    rows, columns = (
        [low + round((high - 1 - low) * share) for share in (0.25, 0.5, 0.75)]
        for low, high in ((top, bottom), (left, right))
    )
    places = [(frame, rows[1], columns[1]), *((frame, row, column) for row in rows[::2] for column in columns[::2])]
    levels = [heads.clicked(relations.of_click(scene, place)) for place in dict.fromkeys(places)]
    return max(levels, key=lambda level: _filling(level[frame] > 0.5, (top, left, bottom, right)))


def _filling(inside: Bool[np.ndarray, "h w"], box: tuple[int, int, int, int]) -> float:
    """IoU of a box and the box around what is inside."""
    sides = [np.flatnonzero(inside.any(axis)) for axis in (1, 0)]
    if not len(sides[0]):
        return 0.0
    own = (sides[0][0], sides[1][0], sides[0][-1] + 1, sides[1][-1] + 1)
    height, width = (max(0, min(own[i + 2], box[i + 2]) - max(own[i], box[i])) for i in (0, 1))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (own, box)]
    return float(height * width / (sum(areas) - height * width))
