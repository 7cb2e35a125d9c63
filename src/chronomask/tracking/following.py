"""Prompted objects carried from clip to clip, one way through a video.

Legend: T frames of a clip, h w pixels at stride 4.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from chronomask.config import StitchConfig
from chronomask.tracking.cluster import Tube
from chronomask.tracking.heads import Heads
from chronomask.tracking.memory import Look, TrackMemory, Visit, visit_of
from chronomask.tracking.prompted import Clicks, Cue, cut_out
from chronomask.tracking.scene import Scene

MINIMUM = 3
"""Pixels at stride 4 that an object must have on shared frames to be carried on."""

NOTHING: Mapping[int, Tube] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Followed:
    """What was made of the prompted objects in a clip; those that are not seen in it are left out.

    Attributes:
        begin: number of its first frame.
        tubes: of the objects, by their numbers; disjoint.
        looks: how each looks.
    """

    begin: int
    tubes: dict[int, Tube] = field(default_factory=dict)
    looks: dict[int, Look] = field(default_factory=dict)


class Sweep:
    """Carries objects through the clips of a video, in their order or against it.

    What an object covers on the frames that two clips share is what the next clip is told of it. An object that is
    not seen there is looked for among the tubes that the clustering found, by the look and place that it had last,
    until the shot ends.

    Args:
        heads: weigh what is known of pixels.
        config: how long and how surely lost objects are remembered.
        backwards: whether the clips come from the last to the first.
    """

    def __init__(self, heads: Heads, config: StitchConfig, backwards: bool = False) -> None:
        self.heads, self.backwards, self.memory = heads, backwards, TrackMemory(config)
        self._last = Followed(0)

    def take(
        self, scene: Scene, begin: int, clicks: Mapping[int, Clicks], known: Mapping[int, Tube] = NOTHING
    ) -> Followed:
        """The objects in the next clip.

        Args:
            scene: the clip.
            begin: number of its first frame.
            clicks: what was said of objects in frames of this clip.
            known: objects of which it is known what they cover in it.
        """
        carried = {number: cue for number, cue in self._carried(scene, begin).items() if number not in known}
        cues = {number: cue for number, cue in carried.items() if cue.inside.sum() >= MINIMUM}
        if not scene.cuts:
            cues |= self._found_again(scene, begin, cues, {*cues, *clicks, *known})
        levels = cut_out(scene, cues, clicks, self.heads)
        tubes = {number: tube for number, level in levels.items() if (tube := scene.tube(level)) is not None}
        tubes |= known
        self._last = Followed(begin, tubes, {number: scene.look(tube) for number, tube in tubes.items()})
        for number, tube in tubes.items():
            self.memory.note(number, self._last.looks[number], self._visit(tube, begin, scene))
        if scene.cuts:
            ahead = scene.shots[0 if self.backwards else -1]
            for number in set(self.memory.tracks) - {n for n, tube in tubes.items() if tube.inside[ahead].any()}:
                del self.memory.tracks[number]
        return self._last

    def _carried(self, scene: Scene, begin: int) -> dict[int, Cue]:
        """What is known on the frames that the clip shares with the one before."""
        cues, before = {}, self._last.begin
        for number, tube in self._last.tubes.items():
            first, end = max(begin, before), min(begin + scene.shape[0], before + len(tube.probability))
            covered = tube.mask((len(tube.probability), *scene.shape[1:]))[first - before : max(first, end) - before]
            inside, outside = np.zeros((2, *scene.shape), bool)
            inside[first - begin : end - begin], outside[first - begin : end - begin] = covered, ~covered
            cues[number] = Cue(inside, outside)
        return cues

    def _found_again(
        self, scene: Scene, begin: int, cues: Mapping[int, Cue], present: Collection[int]
    ) -> dict[int, Cue]:
        """Lost objects among the tubes of the clip that cover none of those that are seen."""
        if not set(self.memory.tracks) - set(present):
            return {}
        known = np.zeros(scene.shape, bool)
        for cue in cues.values():
            known |= cue.inside
        free = {n for n, tube in enumerate(scene.tubes) if not known[(slice(None), *tube.box)][tube.inside].any()}
        looks = [scene.look(tube) for tube in scene.tubes]
        visits = [self._visit(tube, begin, scene) for tube in scene.tubes]
        again = self.memory.recall(looks, visits, free, present)
        masks = {number: scene.tubes[tube].mask(scene.shape) for tube, number in again.items()}
        return {number: Cue(mask, ~mask) for number, mask in masks.items()}

    def _visit(self, tube: Tube, begin: int, scene: Scene) -> Visit:
        """In the order of the sweep: backwards the last frame comes first."""
        visit = visit_of(tube, begin, scene.shape)
        if not self.backwards:
            return visit
        return replace(visit, first=-visit.last, last=-visit.first, start=visit.end, end=visit.start)
