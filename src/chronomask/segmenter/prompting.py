"""Objects that a user points at, cut out and followed through a video, forwards and backwards from there.

Legend: T frames of a clip, H W pixels of the source, h w pixels at stride 4.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chronomask import rle
from chronomask.engines.models import WEIGHTS
from chronomask.painting import paint
from chronomask.progress import Progress, silent
from chronomask.prompts import Prompt, check_prompts
from chronomask.results import CodedMasks, FrameResult, TrackInfo
from chronomask.segmenter.found import FoundClip
from chronomask.segmenter.located import Located
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.sights import clips_of
from chronomask.tracking.cluster import Tube
from chronomask.tracking.following import NOTHING, Followed, Sweep
from chronomask.tracking.heads import Heads
from chronomask.tracking.memory import visit_of
from chronomask.tracking.outputs import Sight
from chronomask.tracking.prompted import Clicks
from chronomask.tracking.scene import Scene
from chronomask.tracking.verdict import TrackSummary
from chronomask.video import VideoSource


class Seen(NamedTuple):
    """An object in a frame: its number, its tube in some clip, and the frame's number in that clip."""

    number: int
    tube: Tube
    frame: int


class Following:
    """The prompted objects of one video. Iterate it once; then `tracks` has their final names and scores.

    Every frame passes the network once. Up to the last frame with a prompt, what the network says is kept on disk, two
    to three megabytes a frame, for the objects are followed back from there; what comes behind passes through memory.

    Args:
        segmenter: computes the network.
        source: can be read again, as a file.
        prompts: what is pointed at.
        progress: shows how far the work is.
        stop: asked before anything is known of any frame: whether to give up.
        folder: where the clips are kept meanwhile; the system's place for temporary files by default.

    Raises:
        InputError: see `prompts.check_prompts`.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        source: VideoSource,
        prompts: Sequence[Prompt],
        progress: Progress = silent,
        stop: Callable[[], bool] = lambda: False,
        folder: Path | None = None,
    ) -> None:
        check_prompts(prompts, source)
        self.segmenter, self.source, self.prompts, self.progress = segmenter, source, prompts, progress
        self.heads, self.stop, self.folder = bundled_heads(), stop, folder
        self._summaries: dict[int, TrackSummary] = {}

    @property
    def tracks(self) -> list[TrackInfo]:
        """Every object that has been seen, by its number, with name and scores from what is known so far."""
        return [self._info(number) for number in sorted(self._summaries)]

    def __iter__(self) -> Generator[FrameResult, None, None]:
        """Every frame with the objects that are seen in it, in order; masks are disjoint.

        Raises:
            InputError: a prompt is after the last frame.
        """
        located = Located(self.prompts)
        frames = self.progress(located.frames(self.source), f"following in {self.source.name}", self.source.length)
        with (
            tempfile.TemporaryDirectory(prefix="chronomask-", dir=self.folder) as folder,
            closing(clips_of(self.segmenter, frames)) as clips,
        ):
            shelf = _Shelf(Path(folder))
            for clip in clips:
                if self.stop():
                    return
                shelf.add(clip)
                if located.all_before(clip.end):
                    break
            located.check()
            sweep = self._both_ways(shelf, located)
            yield from self._shelved(shelf)
            for clip in map(_rounded, clips):
                followed = sweep.take(self.scene(clip), clip.begin, {})
                self._note(followed, clip)
                for frame in range(clip.shared, len(clip.pictures)):
                    yield self._result(clip, frame, [Seen(n, tube, frame) for n, tube in followed.tubes.items()])

    def scene(self, clip: FoundClip) -> Scene:
        """A clip, made ready for prompts."""
        return scene_of(self.segmenter, clip)

    def _both_ways(self, shelf: _Shelf, located: Located) -> Sweep:
        """Follows the objects through all that is on the shelf; what goes on behind it comes back.

        From where an object was pointed at first, and then once more from where it was corrected, towards there.
        """
        said = [located.clicks(*place) for place in shelf.places]
        shelf.anchors = {of: [n for n, clicks in enumerate(said) if of in clicks] for of in self._objects}
        shelf.first = {of: located.first(of, shelf.places) for of in self._objects}
        stitch, length = self.segmenter.config.stitch, len(shelf.places)
        forwards = Sweep(self.heads, stitch)
        for number in range(min(shelf.first.values()), length):
            clicks = {of: some for of, some in said[number].items() if number >= shelf.first[of]}
            self._swept(forwards, shelf, number, "forwards", clicks)
        backwards = Sweep(self.heads, stitch, backwards=True)
        for number in range(max(shelf.first.values()), -1, -1):
            clicks = {of: some for of, some in said[number].items() if number <= shelf.first[of]}
            self._swept(backwards, shelf, number, "backwards", clicks)
        for way, numbers, source in (
            ("back", range(length - 1, -1, -1), "forwards"),
            ("on", range(length), "backwards"),
        ):
            again = Sweep(self.heads, stitch, backwards=way == "back")
            for number in numbers:
                corrected = shelf.corrected(way, number)
                if corrected:
                    at = shelf.followed(source, number).tubes
                    known = {of: at[of] for of in corrected if number in shelf.anchors[of] and of in at}
                    self._swept(again, shelf, number, way, {}, known)
        return forwards

    def _swept(
        self,
        sweep: Sweep,
        shelf: _Shelf,
        number: int,
        way: str,
        clicks: Mapping[int, Clicks],
        known: Mapping[int, Tube] = NOTHING,
    ) -> None:
        clip = shelf[number]
        shelf.put(sweep.take(self.scene(clip), clip.begin, clicks, known), way, number)

    @property
    def _objects(self) -> list[int]:
        return sorted({prompt.object for prompt in self.prompts})

    def _shelved(self, shelf: _Shelf) -> Generator[FrameResult, None, None]:
        """The frames of what is on the shelf."""
        for number in range(len(shelf.places)):
            clip, chosen = shelf[number], shelf.chosen(number)
            self._note(chosen, clip)
            for frame in range(clip.shared, len(clip.pictures)):
                yield self._result(clip, frame, shelf.seen(number, clip.begin + frame))

    def _note(self, followed: Followed, clip: FoundClip) -> None:
        """Adds what a clip says of the objects' names and scores."""
        for number, tube in followed.tubes.items():
            visit = visit_of(tube, clip.begin, clip.found.labels.shape)
            summary = TrackSummary.of(number, tube, followed.looks[number], visit)
            before = self._summaries.get(number)
            self._summaries[number] = before.and_then(summary) if before else summary

    def _info(self, number: int) -> TrackInfo:
        known = self.segmenter
        return self._summaries[number].verdict(known.engine.description.categories, known.config.object_below)

    def _result(self, clip: FoundClip, frame: int, seen: Sequence[Seen]) -> FrameResult:
        fresh = clip.fresh[frame - clip.shared]
        masks = painted(clip, frame, seen)
        infos = tuple(self._info(number) for number in sorted(masks))
        return FrameResult(fresh.index, fresh.time, infos, CodedMasks(tuple(masks[i.id] for i in infos), clip.size))


def painted(clip: FoundClip, frame: int, seen: Sequence[Seen]) -> dict[int, rle.Rle]:
    """Masks at the size of the source of what is seen in a frame of a clip, by number."""
    levels = [tube.probability[at : at + 1] for _, tube, at in seen]
    corners = [(tube.box[0].start, tube.box[1].start) for _, tube, _ in seen]
    [canvas] = paint(levels, corners, [number for number, *_ in seen], [clip.pictures[frame]], clip.size)
    return rle.encode_ids(canvas)


def scene_of(segmenter: Segmenter, clip: FoundClip) -> Scene:
    """A clip, made ready for prompts."""
    known = segmenter.engine.description
    assert clip.sight is not None, "clips of `segmenter.sights` have it"
    tubes, _, _, cuts = clip.found
    cluster = segmenter.config.cluster
    return Scene(clip.sight, clip.pictures, tubes, known.embedding, cluster, known.tube_score, cuts)


@cache
def bundled_heads() -> Heads:
    """Those that were fitted with the bundled model."""
    with np.load(WEIGHTS / "clicks.npz", allow_pickle=False) as arrays:
        return Heads.of(arrays)


def _rounded(clip: FoundClip) -> FoundClip:
    """The clip as it comes back from the shelf, so that results do not depend on whether it lay there."""
    assert clip.sight is not None, "it was asked for"
    return replace(clip, sight=Sight.of_parts(clip.sight.parts()))


class _Shelf:
    """Clips, and what was made of the prompted objects in them, on disk.

    Attributes:
        places: of every clip the number of its first frame, those of its fresh frames, the size of the source, h and w.
        anchors: by object, numbers of the clips that it is pointed at in.
        first: by object, the one of them that it is pointed at in by the first prompt, in their given order.
    """

    def __init__(self, folder: Path) -> None:
        self.places: list[tuple[int, range, tuple[int, int], tuple[int, int]]] = []
        self.anchors: dict[int, list[int]] = {}
        self.first: dict[int, int] = {}
        self._folder = folder

    def add(self, clip: FoundClip) -> None:
        rows, columns = clip.found.labels.shape[1:]
        assert clip.sight is not None, "it was asked for"
        self.put((replace(clip, sight=None), clip.sight.parts()), "clip", len(self.places))
        self.places.append((clip.begin, range(clip.begin + clip.shared, clip.end), clip.size, (rows, columns)))

    def put(self, value: Any, kind: str, number: int) -> None:
        (self._folder / f"{number}.{kind}").write_bytes(pickle.dumps(value, protocol=5))

    def __getitem__(self, number: int) -> FoundClip:
        clip, parts = pickle.loads((self._folder / f"{number}.clip").read_bytes())
        return replace(clip, sight=Sight.of_parts(parts))

    def followed(self, kind: str, number: int) -> Followed:
        path = self._folder / f"{number}.{kind}"
        return pickle.loads(path.read_bytes()) if path.exists() else Followed(0)

    def corrected(self, way: str, number: int) -> list[int]:
        """Objects that are corrected behind a clip (on the way back) or before it (on), and first pointed at beyond."""
        if way == "back":
            return [of for of, first in self.first.items() if first < number <= max(self.anchors[of])]
        return [of for of, first in self.first.items() if min(self.anchors[of]) <= number < first]

    def _away(self, number: int, of: int) -> tuple[int, str]:
        """Clips from here to the nearest in which an object is pointed at, and which way it is followed from there."""
        nearest = min(self.anchors[of], key=lambda anchor: abs(anchor - number))
        if number >= self.first[of]:
            return abs(nearest - number), "forwards" if number >= nearest else "back"
        return abs(nearest - number), "backwards" if number <= nearest else "on"

    def chosen(self, number: int) -> Followed:
        """The objects in a clip, each as it is followed from the nearest clip in which it is pointed at."""
        chosen, known = Followed(self.places[number][0]), cache(partial(self.followed, number=number))
        for of, first in self.first.items():
            followed = known(self._away(number, of)[1])
            if of not in followed.tubes:  # lost on the way, but perhaps not on the other
                followed = known("forwards" if number >= first else "backwards")
            if of in followed.tubes:
                chosen.tubes[of], chosen.looks[of] = followed.tubes[of], followed.looks[of]
        return chosen

    def seen(self, number: int, frame: int) -> list[Seen]:
        """The objects in a fresh frame of a clip, each from the clip that is the closest to where it is pointed at."""
        numbers = list(takewhile(lambda n: self.places[n][0] <= frame, range(number, len(self.places))))
        chosen = {number: self.chosen(number) for number in numbers}
        seen = []
        for of in self.anchors:
            number = min(numbers, key=lambda number: self._away(number, of)[0])
            if of in chosen[number].tubes:
                seen.append(Seen(of, chosen[number].tubes[of], frame - chosen[number].begin))
        return seen
