"""A long video in pieces: the clips of each are found apart, by anybody, and joined to the tracks of the video in one.

What costs time, the network, the clustering and the painting, depends on few clips. What depends on the past, which
tube continues which track, costs little and is done in order, over all clips, by the tracker that does it in one piece
too: the tracks are the same.

Only which tubes of two clips are one track, in frames that both have in them, depends on the past as well. A piece
guesses it, by a tracker of its own that begins just before the piece; where it guessed wrong, the clips are found anew.

Legend: K tubes, T frames of a clip, L classes, C channels, M masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice, pairwise
from math import ceil
from typing import NamedTuple

import numpy as np

from chronomask import state
from chronomask.config import SegmentConfig
from chronomask.errors import InputError, refusing
from chronomask.rle import Rle
from chronomask.segmenter.clips import EndsBefore, Reading
from chronomask.segmenter.found import Clip, FoundClip, FreshFrame, Painted, Stretch, levels_in
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.stream import Stream
from chronomask.tracking.cluster import Tube, label_map
from chronomask.tracking.memory import Look
from chronomask.tracking.tracker import Found, Tracker
from chronomask.video import VideoSource


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
    seen = (_seen_before(config, _entry(config, first)) for first in borders)
    begins = [begin - sum(again) for begin, again in seen]
    known = [times[begin] if times and begin < len(times) else None for begin in begins]
    return [Piece(number, *piece) for number, piece in enumerate(zip(borders, sizes, known, strict=True))]


def _entry(config: SegmentConfig, first: int) -> int:
    """The first of the clips that a piece finds: with those before its own it shares frames that are still pending."""
    return max(0, first - ceil(config.held / config.step))


def _seen_before(config: SegmentConfig, first: int) -> tuple[int, list[int]]:
    """How many frames come before a clip; and in what batches its last ones came, whose features it may share."""
    seen: list[int] = []
    for number in range(first - 1, -1, -1):
        if sum(seen) >= config.clip_length:
            break
        seen.insert(0, config.step if number else config.delay + 1)
    return config.delay + 1 + (first - 1) * config.step if first else 0, seen


class RecordedFrame(NamedTuple):
    """A painted frame.

    Attributes:
        slots: which tubes of the clips that have the frame in them are one track, see `Stretch.slots`.
        masks: at full size, by the number that a track has there.
    """

    slots: list[list[int]]
    masks: Painted


@dataclass(frozen=True, eq=False)
class RecordedClip:
    """A clip that was found elsewhere; as `FoundClip`, but with masks instead of pictures.

    Attributes:
        found: tubes whose probability is 0 or 1, looks and label map.
        frames: those that are painted whose last clip this is, by their number in the video.
        whole: finds the clip again, once.
    """

    found: Found
    shared: int
    fresh: list[FreshFrame]
    size: tuple[int, int]
    frames: Mapping[int, RecordedFrame]
    whole: Callable[[], FoundClip]

    def recorded(self, stretch: Stretch) -> list[Painted] | None:
        """See `FoundClip`."""
        slots = stretch.slots()
        known = [self.frames.get(frame.index) for frame in stretch.frames]
        if any(frame is None or frame.slots != slots for frame in known):
            return None
        ids = list(dict.fromkeys(number for view in stretch.views for number in view.ids))
        renamed = [{ids[slot - 1]: mask for slot, mask in frame.masks.items()} for frame in known if frame]
        return [dict(sorted(masks.items())) for masks in renamed]


def record(segmenter: Segmenter, source: VideoSource, piece: Piece) -> Iterator[bytes]:
    """Finds the clips of a piece, each as `joined` takes it. None, where the video ends before the piece begins."""
    config, entry = segmenter.config, _entry(segmenter.config, piece.first)
    stream, times, last = Stream(Tracker(config, segmenter.engine.description.categories)), list[float](), None
    wanted = replace(piece, first=entry, count=piece.count and piece.first - entry + piece.count)
    for number, clip in enumerate(_found(segmenter, source, wanted, times), entry):
        final = stream.take(clip, config)
        if last is not None:
            yield _to_bytes(*last)
        if number >= piece.first:
            before = times[len(times) - sum(_seen_before(config, number)[1]) :]
            last = clip, _recorded(segmenter, final), before, piece.time is not None
        times += [frame.time for frame in clip.fresh]
    if last is not None:
        # What waits for the next clip is final only where there is none; else the next piece paints it.
        rest = _recorded(segmenter, stream.final()) if piece.count is None else {}
        yield _to_bytes(last[0], last[1] | rest, *last[2:])


def _recorded(segmenter: Segmenter, final: Sequence[Stretch]) -> dict[int, RecordedFrame]:
    recorded = {}
    for stretch in final:
        slots = stretch.slots()
        views = [view._replace(ids=places) for view, places in zip(stretch.views, slots, strict=True)]
        frames = segmenter.finder.painted(stretch._replace(views=views))
        for fresh, painted in zip(stretch.frames, frames, strict=True):
            recorded[fresh.index] = RecordedFrame(slots, painted.masks())
    return recorded


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
    last, count = None, 0
    for number, data in enumerate(clips):
        known = state.from_bytes(data, where)
        with refusing(where):
            before = known["before"].tolist()
            again = Piece(0, number, 1, before[0] if before and known["timed"] else None)
            clip = _clip_of(known, cache(partial(_anew, segmenter, source, again)))
        if last is not None and before[-1:] != [last]:
            raise _misfit(source)
        yield clip
        last, count = clip.fresh[-1].time, clip.fresh[-1].index + 1
    if source.file_names is not None and count != len(source.file_names):
        raise _misfit(source)  # an image could not be read, and who joins does not know which


def _misfit(source: VideoSource) -> Misfit:
    return Misfit(f"{source.name}: its pieces do not fit together; segment it in one piece")


def _anew(segmenter: Segmenter, source: VideoSource, piece: Piece) -> FoundClip:
    [clip] = _found(segmenter, source, piece, [])
    return clip


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


def _to_bytes(clip: FoundClip, frames: Mapping[int, RecordedFrame], before: Sequence[float], timed: bool) -> bytes:
    """A clip for `joined`.

    Args:
        before: times of the last frames before it, from the first that the network must see to find it again.
        timed: whether the source can be entered at such a time.
    """
    tubes, looks, labels, cuts = clip.found
    codes = [(frame, slot, code["counts"]) for frame, (_, masks) in frames.items() for slot, code in masks.items()]
    slots = [
        (frame, view, slot)
        for frame, (views, _) in frames.items()
        for view, places in enumerate(views)
        for slot in (0, *places)  # a clip may have no tubes
    ]
    boxes = [[side.start, side.stop] for tube in tubes for side in tube.box]
    inside = np.concatenate([np.zeros(0, bool), *(tube.inside.ravel() for tube in tubes)])
    return state.to_bytes(
        {
            "size": np.array(clip.size),
            "shape": np.array(labels.shape),
            "cuts": np.array(cuts, np.int64),
            "shared": np.array(clip.shared),
            "index": np.array([frame.index for frame in clip.fresh], np.int64),
            "time": np.array([frame.time for frame in clip.fresh], np.float64),
            "boxes": np.array(boxes, np.int64).reshape(-1, 2, 2),
            "inside": np.packbits(inside),
            "classes": np.array([tube.class_probabilities for tube in tubes], np.float32),
            "objectness": np.array([tube.objectness for tube in tubes], np.float64),
            "features": np.array([look.feature for look in looks], np.float32),
            "slots": np.array(slots, np.int64).reshape(-1, 3),
            "painted": np.array([code[:2] for code in codes], np.int64).reshape(-1, 2),
            "counts": np.frombuffer(" ".join(counts for *_, counts in codes).encode(), np.uint8),
            "before": np.array(before, np.float64),
            "timed": np.array(timed),
        }
    )


def _clip_of(known: state.State, whole: Callable[[], FoundClip]) -> RecordedClip:
    frames, rows, columns = (int(side) for side in known["shape"])
    size = (int(known["size"][0]), int(known["size"][1]))
    parts = levels_in(known["boxes"], frames, np.unpackbits(known["inside"]))
    facts = zip(parts, known["classes"], known["objectness"].tolist(), strict=True)
    # Of the tubes it is only known which pixels are inside.
    tubes = [Tube(box, inside.astype(np.float32), classes, sure) for (box, inside), classes, sure in facts]
    looks = [Look(feature, tube.class_probabilities) for feature, tube in zip(known["features"], tubes, strict=True)]
    recorded: dict[int, RecordedFrame] = {}
    for frame, view, slot in known["slots"].tolist():
        views = recorded.setdefault(frame, RecordedFrame([], {})).slots
        if slot:
            views[view].append(slot)
        else:
            views.append([])
    texts = known["counts"].tobytes().decode("ascii").split()
    for (frame, slot), counts in zip(known["painted"].tolist(), texts, strict=True):
        recorded[frame].masks[slot] = Rle(size=list(size), counts=counts)
    nothing = np.zeros((3, 0, 0), np.uint8)
    numbers = zip(known["index"].tolist(), known["time"].tolist(), strict=True)
    fresh = [FreshFrame(index, time, nothing) for index, time in numbers]
    found = Found(tubes, looks, label_map(tubes, (frames, rows, columns)), known["cuts"].tolist())
    return RecordedClip(found, int(known["shared"]), fresh, size, recorded, whole)
