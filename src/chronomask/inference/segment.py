"""The one streaming path: frames in, final frames with tracks out, in memory that does not grow with the video.

Legend: T frames of a clip, O frames shared with the clip before, H W pixels of the source, h w = stride-4 cells.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Generator, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from math import ceil
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from chronomask.categories import OBJECT
from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.inference.clips import ClipNetwork, FoundClip, check_image, network_size
from chronomask.inference.snapshot import Snapshot
from chronomask.inference.stitch import Stitcher
from chronomask.inference.stream import PendingFrame, Stream
from chronomask.inference.tracks import TrackInfo, TrackSummary
from chronomask.inference.workers import Urgency
from chronomask.model.fast import FastNetwork
from chronomask.model.network import Network
from chronomask.painting import paint
from chronomask.structures import FrameResult
from chronomask.video import Frame, VideoSource, ahead, open_source

__all__ = ["Segmenter", "TrackInfo", "network_size"]


class Segmenter(ClipNetwork):
    """A network with settings, ready to segment videos of any length.

    Either hand it a whole source (`segment`), or live frames one by one (`push`, then `flush`). One video at a time.
    """

    def __init__(self, network: Network | FastNetwork, config: SegmentConfig, device: torch.device) -> None:
        super().__init__(network, config, device)
        self.categories = network.config.categories
        self._summaries: dict[int, TrackSummary] = {}
        self._stream = self._new_stream()

    def segment(
        self, source: str | Path | VideoSource, after: Snapshot | None = None
    ) -> Generator[FrameResult, None, None]:
        """Yields every frame of a video file, folder or glob, in order, as soon as no later clip may change it.

        Args:
            after: continue behind this snapshot of an earlier run over the same source; frames that were handed out
                before it do not come again.

        Raises:
            InputError: the source cannot be used, or the snapshot is of a longer source or of other settings.
        """
        source = source if isinstance(source, VideoSource) else open_source(source)
        self._stream = self._new_stream()
        frames = source.frames(0 if after is None else after.replay.start)
        if after is not None:
            self.restore(after, (frame.image for frame in islice(frames, len(after.replay))))
        reading = self._stream.reading
        try:
            # What reads ahead of a live source would delay it; elsewhere no worker shall lack a frame.
            clips = self.clips(reading, frames if source.live else ahead(frames, 2))
            for clip in clips if source.live else ahead(clips, 1 + ceil(self.workers.count / self.config.step)):
                yield from self._take(clip.result())
            yield from self._end()
        finally:
            reading.abandoned = True  # who gives up early does not want the rest

    def push(self, image: np.ndarray, time: float | None = None) -> list[FrameResult]:
        """Takes one live frame (uint8 RGB, shape H W 3) and returns the frames that became final.

        Args:
            time: presentation time in seconds; by default the frame's number at 25 frames a second.

        Raises:
            InputError: the frame is no RGB image of 0-255, or of another size than the frames before.
        """
        check_image(image)
        stream = self._stream
        number = stream.finished + len(stream.pending) + len(stream.reading.waiting)
        clip = self.clip_of(stream.reading, Frame(number, number / 25 if time is None else time, image))
        return [] if clip is None else list(self._take(self._awaited(clip)))

    def flush(self) -> list[FrameResult]:
        """Ends the video: returns the frames that are still outstanding. The next `push` starts another video."""
        reading = self._stream.reading
        last = list(self._take(self._awaited(self.found(reading)))) if reading.waiting else []
        return last + list(self._end())

    def snapshot(self) -> Snapshot | None:
        """The state of the video in progress, or None between two results of one clip: ask again after the next.

        Frames pushed since the last clip are not in it; whoever continues pushes them again, from `Snapshot.position`.
        """
        return None if self._stream.due else self._stream.snapshot(self._settings)

    def restore(self, snapshot: Snapshot, images: Iterable[np.ndarray]) -> None:
        """Puts the segmenter where it was at a snapshot; the next frame to push is number `snapshot.position`.

        The results are those of the uninterrupted run to the last bit, on the same machine with the same weights.

        Args:
            images: the frames `snapshot.replay`, in order; they give no results, but the features that the next clip
                shares.

        Raises:
            InputError: the snapshot is of other settings, or the images are too few or of another size.
        """
        if snapshot.settings != self._settings:
            raise InputError("the interrupted run had other settings; give the same, or start anew")
        stream = Stream.restored(snapshot, Stitcher(self.config.stitch))
        self.read_again(stream.reading, images, snapshot.replay.start, snapshot.batches.tolist())
        self._stream, self._summaries = stream, stream.tracks

    @property
    def tracks(self) -> list[TrackInfo]:
        """All tracks of the video in progress, or of the last one, best first: their final names and scores."""
        return sorted(map(self._info, self._summaries.values()), key=lambda info: -info.score)

    def named(self, allowed: Collection[str]) -> list[TrackInfo]:
        """As `tracks`, but each track is named by the most probable of the allowed classes.

        It is an `object` only where that name is allowed too.
        """
        object_below = self.config.object_below if OBJECT.name in allowed else 0.0
        infos = [
            TrackInfo(summary.id, *summary.verdict(self.categories, object_below, allowed))
            for summary in self._summaries.values()
        ]
        return sorted(infos, key=lambda info: -info.score)

    def _info(self, summary: TrackSummary) -> TrackInfo:
        return TrackInfo(summary.id, *summary.verdict(self.categories, self.config.object_below))

    @property
    def _settings(self) -> str:
        return json.dumps(dataclasses.asdict(self.config))

    def _new_stream(self) -> Stream:
        return Stream(Stitcher(self.config.stitch))

    def _awaited(self, clip: Future[FoundClip]) -> FoundClip:
        try:
            return clip.result()
        except BaseException:
            self._stream = self._new_stream()  # its frames are lost: what is pushed next is another video
            raise

    def _take(self, clip: FoundClip) -> Iterator[FrameResult]:
        """Takes in the next clip; the frames that become final."""
        stream, config = self._stream, self.config
        self._summaries = stream.tracks
        self._take_tubes(clip)
        stream.note_batch(len(clip.fresh), config.clip_length)
        stream.due = max(0, len(stream.pending) - config.held)
        yield from self._hand_out()

    def _end(self) -> Iterator[FrameResult]:
        """The frames that are still outstanding when there are no more clips."""
        self._stream.due = len(self._stream.pending)
        yield from self._hand_out()
        self._stream = self._new_stream()

    def _hand_out(self) -> Iterator[FrameResult]:
        """The frames that are due, one at a time: their masks at full size are large."""
        stream = self._stream
        while stream.due:
            frame = stream.pending.popleft()
            stream.due -= 1
            stream.finished += 1
            yield self._result(frame)

    def _take_tubes(self, clip: FoundClip) -> None:
        """Joins the tubes of a clip to the tracks, and paints its frames as far as they are not final."""
        stream, tubes = self._stream, clip.tubes
        ids, new = stream.stitcher.add(clip.labels, clip.looks, clip.shared)
        sizes = np.bincount(clip.labels.numpy().ravel(), minlength=len(tubes) + 1)[1:]
        for number, tube, size in zip(ids, tubes, sizes.tolist(), strict=True):
            nothing = np.zeros(len(self.categories), np.float32)
            stream.tracks.setdefault(number, TrackSummary(number, nothing)).add(tube, size)
        begin = len(clip.labels) - len(stream.pending) - len(clip.fresh)
        # On frames that older clips have seen too, only new tracks have something to add.
        added = [number if number in new else 0 for number in ids]
        if new:
            for frame, pending in enumerate(stream.pending, begin):
                pending.painted = self.workers.submit(Urgency.PAINTING, _painted, clip, frame, added, pending.painted)
        for frame, (index, time) in enumerate(clip.fresh, begin + len(stream.pending)):
            stream.pending.append(
                PendingFrame(index, time, self.workers.submit(Urgency.PAINTING, _painted, clip, frame, ids))
            )

    def _result(self, frame: PendingFrame) -> FrameResult:
        labels = frame.painted.result()
        numbers = np.bincount(labels.ravel()).nonzero()[0]
        numbers = numbers[numbers > 0]
        infos = [self._info(self._stream.tracks[int(number)]) for number in numbers]
        return FrameResult(
            index=frame.index,
            time=frame.time,
            masks=labels == numbers.astype(labels.dtype)[:, None, None],
            track_ids=numbers,
            category_ids=np.array([info.category.id for info in infos], dtype=np.int64),
            scores=np.array([info.score for info in infos], dtype=np.float32),
        )


def _painted(
    clip: FoundClip, frame: int, ids: list[int], before: Future[Int[np.ndarray, "H W"]] | None = None
) -> Int[np.ndarray, "H W"]:
    """Track ids of one frame of a clip at full size; what was painted before stays as it is."""
    probabilities = [tube.probability[frame].float().cpu().numpy() for tube in clip.tubes]
    canvas = paint(probabilities, clip.labels[frame].numpy(), ids, clip.pictures[frame].numpy(), clip.size)
    return canvas if before is None else np.where(before.result() == 0, canvas, before.result())
