"""The one streaming path: frames in, final frames with tracks out, in memory that does not grow with the video.

Legend: T frames of a clip, O frames shared with the clip before, H W pixels of the source, h w = stride-4 cells.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from itertools import islice
from threading import Lock, local

import numpy as np

from chronomask.categories import OBJECT
from chronomask.config import SegmentConfig
from chronomask.engines.engine import Engine
from chronomask.errors import InputError, refusing
from chronomask.results import CodedMasks, FrameResult, TrackInfo
from chronomask.segmenter.clips import ClipFinder, check_image
from chronomask.segmenter.found import Clip, FoundClip, Stretch
from chronomask.segmenter.snapshot import Snapshot
from chronomask.segmenter.stream import DueFrame, Stream
from chronomask.tracking.tracker import Tracker
from chronomask.video import Frame, Source, given_up, open_source


class Segmenter:
    """A loaded model with its settings. `load` makes one.

    Give it whole videos (`segment`), or live frames one by one (`push`, then `flush`). Both may go on at the same time,
    and so may several loops over `segment`, in one thread or more: each is a video of its own. `tracks`, `named` and
    `snapshot` are about the video that this thread began last (or any thread, if this one began none). In the middle of
    several videos they raise an error. A segmenter does not survive a fork: each process needs its own.

    Attributes:
        engine: what computes the network.
        config: how videos are segmented.
        categories: everything that a track may be called: `object`, and the classes of the network.
        finder: shows the engine the frames, and finds the objects of every clip.
    """

    def __init__(self, engine: Engine, config: SegmentConfig) -> None:
        if engine.description.clip_length != config.clip_length:
            raise InputError(
                f"clip_length {config.clip_length}: this engine was made for clips of"
                f" {engine.description.clip_length} frames; give that, or load it for others"
            )
        self.engine, self.config = engine, config
        self.categories = (OBJECT, *engine.description.categories)
        self.finder = ClipFinder(engine, config)
        self._pushed = self._last = self._new_stream()
        self._of_thread = _OfThread()
        self._pushing = Lock()

    def segment(
        self,
        source: Source,
        after: Snapshot | None = None,
        *,
        raw: bool = False,
        keep_images: bool = False,
    ) -> Generator[FrameResult, None, None]:
        """Yields every frame of a video, in order, as soon as nothing that comes later can change it.

        Examples:
            >>> segmenter = chronomask.load("lite")
            >>> pictures = np.zeros((5, 90, 160, 3), np.uint8)
            >>> for frame in segmenter.segment(pictures):
            ...     print(f"{frame.time:.2f}", frame.names)
            0.00 ()
            0.04 ()
            0.08 ()
            0.12 ()
            0.16 ()

        Args:
            source: as for `chronomask.segment`.
            after: continue behind this snapshot of an earlier run over the same source. Frames that came before it do
                not come again.
            raw: give every track, also those that score below `config.score` or lie beyond the best
                `config.max_tracks`. Which ones these are is decided by what is known so far.
            keep_images: give every frame its picture, as `FrameResult.image`.

        Raises:
            InputError: the source cannot be used, or the snapshot belongs to other settings or a longer source.
        """
        source = open_source(source)
        frames = source.frames(0 if after is None else after.replay.start)
        stream = self._new_stream()
        stream.reading.keep_images = keep_images
        if after is not None:
            self._restore(stream, after, (frame.image for frame in islice(frames, len(after.replay))))
        found = self.finder.live_clips if source.live else self.finder.clips_ahead
        yield from self._results(stream, found(stream.reading, frames), raw)

    def join(self, clips: Iterable[Clip], *, raw: bool = False) -> Generator[FrameResult, None, None]:
        """As `segment`, of a video whose clips were found elsewhere; see `segmenter.pieces`."""
        yield from self._results(self._new_stream(), clips, raw)

    def _results(self, stream: Stream, clips: Iterable[Clip], raw: bool) -> Iterator[FrameResult]:
        """All frames of a video, from its clips in their order."""
        self._begin(stream)
        looping = self._of_thread.looping
        looping.append(stream)
        try:
            with given_up(clips):
                for clip in clips:
                    yield from self._take(stream, clip, raw)
            yield from self._end(stream, raw)
        finally:
            looping.remove(stream)
            stream.reading.abandoned = True  # who gives up early does not want the rest

    def push(
        self, image: np.ndarray, time: float | None = None, *, raw: bool = False, keep_images: bool = False
    ) -> list[FrameResult]:
        """Takes one live frame and returns the frames that became final: none, one or several.

        The first frame, and the first after `flush`, begins a video.

        Examples:
            >>> segmenter = chronomask.load("lite")
            >>> pictures = np.zeros((8, 90, 160, 3), np.uint8)
            >>> [len(segmenter.push(picture)) for picture in pictures]
            [0, 0, 0, 0, 0, 0, 0, 4]
            >>> len(segmenter.flush())
            4

        Args:
            image: uint8 RGB, shape (H, W, 3).
            time: when it is shown, in seconds. By default 25 frames make a second.
            raw, keep_images: as for `segment`. The picture is copied, so you may use its memory again.

        Raises:
            InputError: the frame is no RGB image of 0 to 255, or has another size than the frames before; or another
                thread is pushing a frame of the same video.
        """
        check_image(image)
        with self._alone():
            return self._push(image, time, raw, keep_images)

    def _push(self, image: np.ndarray, time: float | None, raw: bool, keep_images: bool) -> list[FrameResult]:
        stream = self._pushed
        self._begin(stream)
        number = stream.finished + len(stream.due) + stream.waiting + len(stream.reading.waiting)
        stream.reading.keep_images = keep_images
        kept = image.copy() if keep_images else image
        frame = Frame(number, number / 25 if time is None else time, kept)
        clip = self.finder.clip_of(stream.reading, self.finder.fresh(stream.reading, frame))
        return [] if clip is None else list(self._take(stream, self._awaited(clip), raw))

    def flush(self, *, raw: bool = False) -> list[FrameResult]:
        """Ends the video and returns the frames still outstanding. The next `push` begins another video."""
        with self._alone():
            stream, last = self._pushed, []
            if stream.reading.waiting:
                last = list(self._take(stream, self._awaited(self.finder.found(stream.reading)), raw))
            last += self._end(stream, raw)
            self._pushed = self._new_stream()
        return last

    def snapshot(self) -> Snapshot | None:
        """The state of the video in progress, to go on from later; None in the middle of a clip: ask again later.

        Frames pushed since the last clip are not in it. To continue, push them again, from `Snapshot.position` on.
        """
        stream = self._asked_for()
        return None if stream.due else Snapshot(self._settings, stream.state())

    def restore(self, snapshot: Snapshot, images: Iterable[np.ndarray]) -> None:
        """Goes back to a snapshot; the next frame to push is number `snapshot.position`.

        On the same machine with the same weights the results equal those of an uninterrupted run, to the last bit.

        Args:
            snapshot: what `snapshot` returned.
            images: the frames `snapshot.replay`, in order. They give no results; the next clip needs their features.

        Raises:
            InputError: the snapshot belongs to other settings, or the images are too few or of another size.
        """
        stream = self._new_stream()
        self._restore(stream, snapshot, images)
        self._pushed = stream
        self._begin(stream)

    def _restore(self, stream: Stream, snapshot: Snapshot, images: Iterable[np.ndarray]) -> None:
        if snapshot.settings != self._settings:
            raise InputError(f"{snapshot.where}: had other settings; give the same, or start anew")
        damaged = "is damaged, start anew"
        with refusing(snapshot.where, damaged):
            stream.restore(snapshot.stream)
        seen = self.finder.read_again(stream.reading, images, snapshot.replay.start, list(stream.batches))
        with refusing(snapshot.where, damaged):
            stream.restore_pending(snapshot.stream, seen)

    @property
    def tracks(self) -> list[TrackInfo]:
        """All tracks of the video in progress, or of the last one, best first, also those below `config.score`.

        After the video has ended, names and scores are final.
        """
        return self._asked_for().tracker.tracks

    def named(self, allowed: Collection[str]) -> list[TrackInfo]:
        """As `tracks`, but each track gets the most probable of the allowed names (`object` only if allowed)."""
        return self._asked_for().tracker.named(allowed)

    def relink(self) -> dict[int, int]:
        """Joins tracks of a video that has ended: those that never meet and are likely one object.

        `tracks` and `named` then give the joined ones. Frames that you have already keep their ids; replace them by
        what this returns. If `config.relink` is off, nothing happens.

        Returns:
            Each id that is gone, with the id that took its place.
        """
        return self._asked_for().tracker.relink()

    def _begin(self, stream: Stream) -> None:
        self._last = self._of_thread.last = stream

    def _asked_for(self) -> Stream:
        """The video that `tracks` and the like are about."""
        mine = self._of_thread
        if len(mine.looping) > 1:
            raise InputError(
                "several videos are in progress here, and which one is meant cannot be told: take the tracks of"
                " FrameResult, or load a segmenter for each video"
            )
        return mine.last or self._last

    @contextmanager
    def _alone(self) -> Generator[None, None, None]:
        """Keeps other threads from pushing: frames of a video have an order."""
        if not self._pushing.acquire(blocking=False):
            raise InputError("another thread is pushing a frame of the same video; load a segmenter for each thread")
        try:
            yield
        finally:
            self._pushing.release()

    @property
    def _settings(self) -> str:
        return json.dumps(dataclasses.asdict(self.config))

    def _new_stream(self) -> Stream:
        return Stream(Tracker(self.config, self.engine.description.categories))

    def _awaited(self, clip: Future[FoundClip]) -> FoundClip:
        try:
            return clip.result()
        except BaseException:
            self._pushed = self._new_stream()  # its frames are lost: what is pushed next is another video
            raise

    def _take(self, stream: Stream, clip: Clip, raw: bool) -> Iterator[FrameResult]:
        """Takes in the next clip of a video; the frames that become final."""
        stream.reading.size = clip.size
        yield from self._hand_out(stream, stream.take(clip, self.config), raw)

    def _end(self, stream: Stream, raw: bool) -> Iterator[FrameResult]:
        """The frames that are still outstanding when there are no more clips."""
        yield from self._hand_out(stream, stream.final(), raw)

    def _hand_out(self, stream: Stream, final: Sequence[Stretch], raw: bool) -> Iterator[FrameResult]:
        """Frames that have become final, and those that were so before, one at a time."""
        for stretch in final:
            frames = zip(stretch.frames, self.finder.painted(stretch), strict=True)
            stream.due += [DueFrame(*frame) for frame in frames]
        # Both say the same until the next clip.
        info, chosen = cache(stream.tracker.info), () if raw else stream.tracker.chosen()
        while stream.due:
            fresh, painted = stream.due.popleft()
            stream.finished += 1
            masks = painted.masks()
            tracks = [info(number) for number in masks if raw or number in chosen]
            assert stream.reading.size is not None, "there is a frame, and it has a size"
            coded = CodedMasks(tuple(masks[info.id] for info in tracks), stream.reading.size)
            yield FrameResult(fresh.index, fresh.time, tuple(tracks), coded, fresh.image)
            self.finder.workers.check_process()  # whoever forked in a loop would wait for ever


class _OfThread(local):
    """What a thread has begun: the last video, and the loops that it is in the middle of."""

    def __init__(self) -> None:
        self.last: Stream | None = None
        self.looping: list[Stream] = []
