"""A long video in pieces: the clips of each are found apart, by anybody, and joined to the tracks of the video in one.

What costs time, the network, the clustering and the painting, depends on one clip alone. What depends on the past,
which tube continues which track, costs little and is done in order, over all clips, by the tracker that does it in
one piece too: the tracks are the same.

Only which tubes are to be painted in frames that two clips share depends on the past as well. A piece guesses it, by a
tracker of its own that begins with the piece; where it guessed wrong, the clip is found anew.

Legend: K tubes, T frames of a clip, L classes, C channels, M masks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise

import numpy as np

from chronomask import rle, state
from chronomask.config import SegmentConfig
from chronomask.errors import InputError, refusing
from chronomask.rle import Rle
from chronomask.segmenter.clips import EndsBefore, Reading
from chronomask.segmenter.found import Clip, FoundClip, FreshFrame, Painted, PaintedFrame
from chronomask.segmenter.segmenter import Segmenter
from chronomask.tracking.cluster import Tube, label_map
from chronomask.tracking.memory import Look
from chronomask.tracking.tracker import Found, Tracker
from chronomask.video import VideoSource

_SURE = 8
"""Clips from the beginning of a piece on in which all tubes are painted: its tracker has yet to learn."""


@dataclass(frozen=True)
class Piece:
    """Some clips of a video, one after the other.

    Attributes:
        number: of the piece, from 0.
        first: number of its first clip.
        count: of clips; None for all up to the end of the video.
        time: of the first frame that it looks at, where that is known.
    """

    number: int
    first: int
    count: int | None
    time: float | None = None


class Misfit(InputError):
    """Raised where pieces do not begin where those before them end, as with a video that cannot be entered anywhere."""


def pieces(config: SegmentConfig, frames: int, length: int, times: Sequence[float] | None = None) -> list[Piece]:
    """A video in pieces of about equal length.

    Args:
        config: how it is segmented.
        frames: how many it has, or claims to have: the last piece goes on to the end, wherever that is.
        length: frames of a piece, about.
        times: of the frames, where they are known.
    """
    clips = 1 + max(0, -(-(frames - config.delay - 1) // config.step))
    count = max(1, min(clips, round(frames / length)))
    borders = [round(number * clips / count) for number in range(count)]
    sizes = [*(end - start for start, end in pairwise(borders)), None]
    begins = [begin - sum(again) for begin, again in (_seen_before(config, first) for first in borders)]
    known = [times[begin] if times and begin < len(times) else None for begin in begins]
    return [Piece(number, *piece) for number, piece in enumerate(zip(borders, sizes, known, strict=True))]


def _seen_before(config: SegmentConfig, first: int) -> tuple[int, list[int]]:
    """How many frames come before a clip; and in what batches its last ones came, whose features it may share."""
    seen: list[int] = []
    for number in range(first - 1, -1, -1):
        if sum(seen) >= config.clip_length:
            break
        seen.insert(0, config.step if number else config.delay + 1)
    return config.delay + 1 + (first - 1) * config.step if first else 0, seen


@dataclass(frozen=True, eq=False)
class RecordedClip:
    """A clip that was found elsewhere; as `FoundClip`, but with masks instead of pictures.

    Attributes:
        found: tubes whose probability is 0 or 1, looks and label map.
        masks: of the tubes at full size, by frame of the clip.
        sure: tubes that were painted in shared frames.
        anew: finds the clip again.
    """

    found: Found
    shared: int
    fresh: list[FreshFrame]
    size: tuple[int, int]
    masks: Sequence[Mapping[int, Rle]]
    sure: frozenset[int]
    anew: Callable[[], FoundClip]

    def paintable(self, tubes: Collection[int]) -> Clip:
        """See `FoundClip`."""
        return self if self.sure.issuperset(tubes) else self.anew()

    def painted(self, frames: range, ids: Sequence[int], before: Sequence[PaintedFrame] = ()) -> list[Painted]:
        """See `FoundClip`."""
        known = [frame.masks() for frame in before] or [{} for _ in frames]
        return [self._painted(*one, ids) for one in zip(known, self.masks[frames.start : frames.stop], strict=True)]

    def _painted(self, known: Painted, found: Mapping[int, Rle], ids: Sequence[int]) -> Painted:
        masks = dict(known)
        taken = rle.decode(rle.union(list(masks.values()))) if masks else None
        for tube, code in found.items():
            if not ids[tube]:
                continue
            if taken is not None:
                [*left] = rle.encode_ids(np.where(taken, 0, rle.decode(code))).values()
                if not left:
                    continue
                [code] = left
            masks[ids[tube]] = code
        return {number: masks[number] for number in sorted(masks)}


def record(segmenter: Segmenter, source: VideoSource, piece: Piece) -> Iterator[bytes]:
    """Finds the clips of a piece, each as `joined` takes it. None, where the video ends before the piece begins."""
    tracker = Tracker(segmenter.config, segmenter.engine.description.categories)
    paint = segmenter.finder.painted
    times: list[float] = []
    for number, clip in enumerate(_found(segmenter, source, piece, times)):
        ids, new = tracker.take(clip.found, clip.shared)
        everything = range(len(ids))
        guess = [tube for tube in everything if number < _SURE or ids[tube] in new]
        guessed = [tube + 1 if tube in guess else 0 for tube in everything]
        masks = paint(clip, range(clip.shared), guessed)
        masks += paint(clip, range(clip.shared, len(clip.found.labels)), [tube + 1 for tube in everything])
        yield _to_bytes(clip, [mask.masks() for mask in masks], guess, times)
        times = [frame.time for frame in clip.fresh]


def joined(segmenter: Segmenter, source: VideoSource, clips: Iterable[bytes], where: str) -> Iterator[Clip]:
    """The clips of all pieces of a video in order, for `Segmenter.join`.

    Args:
        segmenter: with the engine and the settings that found them.
        source: the video, for clips that must be found anew.
        clips: what `record` gave.
        where: what messages call them.

    Raises:
        Misfit: they are not of one video, frame after frame.
        InputError: they are damaged.
    """
    last = None
    for number, data in enumerate(clips):
        known = state.from_bytes(data, where)
        with refusing(where):
            clip = _clip_of(known, partial(_anew, segmenter, source, number))
            before = known["before"].tolist()
        if last is not None and before != [last]:
            raise Misfit(f"{source.name}: its pieces do not fit together; segment it in one piece")
        yield clip
        last = clip.fresh[-1].time


def _anew(segmenter: Segmenter, source: VideoSource, number: int) -> FoundClip:
    return next(_found(segmenter, source, Piece(0, number, 1), []))


def _found(segmenter: Segmenter, source: VideoSource, piece: Piece, times: list[float]) -> Iterator[FoundClip]:
    """The clips of a piece, as they are in the whole video; `times` takes those of the frames seen before."""
    reading, (begin, batches) = Reading(), _seen_before(segmenter.config, piece.first)
    again = sum(batches)
    frames = source.frames_from(begin - again, piece.time)

    def before() -> Iterator[np.ndarray]:
        for frame in islice(frames, again):
            times.append(frame.time)
            yield frame.image

    try:
        segmenter.finder.read_again(reading, before(), begin - again, batches)
    except EndsBefore:
        return
    if piece.count is not None:
        begun = segmenter.config.step if piece.first else segmenter.config.delay + 1
        frames = islice(frames, begun + (piece.count - 1) * segmenter.config.step)
    yield from segmenter.finder.clips_ahead(reading, frames)


def _to_bytes(clip: FoundClip, masks: Sequence[Painted], guess: Sequence[int], times: Sequence[float]) -> bytes:
    tubes, looks, labels = clip.found
    codes = [(frame, tube - 1, code["counts"]) for frame, by_tube in enumerate(masks) for tube, code in by_tube.items()]
    boxes = [[side.start, side.stop] for tube in tubes for side in tube.box]
    inside = np.concatenate([np.zeros(0, bool), *(tube.inside.ravel() for tube in tubes)])
    return state.to_bytes(
        {
            "size": np.array(clip.size),
            "shape": np.array(labels.shape),
            "shared": np.array(clip.shared),
            "index": np.array([frame.index for frame in clip.fresh], np.int64),
            "time": np.array([frame.time for frame in clip.fresh], np.float64),
            "boxes": np.array(boxes, np.int64).reshape(-1, 2, 2),
            "inside": np.packbits(inside),
            "classes": np.array([tube.class_probabilities for tube in tubes], np.float32),
            "objectness": np.array([tube.objectness for tube in tubes], np.float64),
            "features": np.array([look.feature for look in looks], np.float32),
            "painted": np.array([code[:2] for code in codes], np.int64).reshape(-1, 2),
            "counts": np.frombuffer(" ".join(counts for *_, counts in codes).encode(), np.uint8),
            "sure": np.array(guess, np.int64),
            "before": np.array(times[-1:], np.float64),
        }
    )


def _clip_of(known: state.State, anew: Callable[[], FoundClip]) -> RecordedClip:
    frames, rows, columns = (int(side) for side in known["shape"])
    size = (int(known["size"][0]), int(known["size"][1]))
    tubes = list(_tubes(known, frames))
    looks = [Look(feature, tube.class_probabilities) for feature, tube in zip(known["features"], tubes, strict=True)]
    masks: list[dict[int, Rle]] = [{} for _ in range(frames)]
    texts = known["counts"].tobytes().decode("ascii").split()
    for (frame, tube), counts in zip(known["painted"].tolist(), texts, strict=True):
        masks[frame][tube] = Rle(size=list(size), counts=counts)
    nothing = np.zeros((3, 0, 0), np.uint8)
    numbers = zip(known["index"].tolist(), known["time"].tolist(), strict=True)
    fresh = [FreshFrame(index, time, nothing) for index, time in numbers]
    found = Found(tubes, looks, label_map(tubes, (frames, rows, columns)))
    sure = frozenset(known["sure"].tolist())
    return RecordedClip(found, int(known["shared"]), fresh, size, masks, sure, anew)


def _tubes(known: state.State, frames: int) -> Iterator[Tube]:
    """The tubes of a clip, of which it is only known which pixels are inside."""
    begin, inside = 0, np.unpackbits(known["inside"])
    for box, classes, objectness in zip(known["boxes"], known["classes"], known["objectness"].tolist(), strict=True):
        sides = (slice(*box[0].tolist()), slice(*box[1].tolist()))
        shape = (frames, *(side.stop - side.start for side in sides))
        end = begin + int(np.prod(shape))
        yield Tube(sides, inside[begin:end].reshape(shape).astype(np.float32), classes, objectness)
        begin = end
