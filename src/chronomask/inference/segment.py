"""The one streaming path: frames in, final frames with tracks out, in memory that does not grow with the video.

Legend: T frames of a clip, O frames shared with the clip before, H W pixels of the source, h w = stride-4 cells.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.config import SegmentConfig
from chronomask.data.categories import OBJECT
from chronomask.errors import InputError
from chronomask.inference.cluster import cluster, label_map
from chronomask.inference.memory import looks_of
from chronomask.inference.snapshot import Snapshot
from chronomask.inference.stitch import Stitcher, merge
from chronomask.inference.stream import PendingFrame, Stream, WaitingFrame
from chronomask.inference.tracks import TrackInfo, TrackSummary
from chronomask.inference.upsample import paint
from chronomask.losses import ClipOutputs
from chronomask.model.fast import FastNetwork
from chronomask.model.network import STRIDE, FrameFeatures, Network, PixelOutputs
from chronomask.structures import FrameResult
from chronomask.video import Frame, VideoSource, open_source

__all__ = ["Segmenter", "TrackInfo", "network_size"]


class Segmenter:
    """A network with settings, ready to segment videos of any length.

    Either hand it a whole source (`segment`), or live frames one by one (`push`, then `flush`). One video at a time.
    """

    def __init__(self, network: Network | FastNetwork, config: SegmentConfig, device: torch.device) -> None:
        self.network: Network | FastNetwork = network.to(device).eval()
        self.config, self.device = config, device
        self.categories = network.config.categories
        self._summaries: dict[int, TrackSummary] = {}
        self._stream = self._new_stream()

    def segment(self, source: str | Path | VideoSource, after: Snapshot | None = None) -> Iterator[FrameResult]:
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
        for frame in frames:
            yield from self._push(frame)
        yield from self._flush()

    def push(self, image: np.ndarray, time: float | None = None) -> list[FrameResult]:
        """Takes one live frame (uint8 RGB, shape H W 3) and returns the frames that became final.

        Args:
            time: presentation time in seconds; by default the frame's number at 25 frames a second.

        Raises:
            InputError: the frame is no RGB image of 0-255, or of another size than the frames before.
        """
        _check_image(image)
        stream = self._stream
        number = stream.finished + len(stream.pending) + len(stream.waiting)
        return list(self._push(Frame(number, number / 25 if time is None else time, image)))

    def flush(self) -> list[FrameResult]:
        """Ends the video: returns the frames that are still outstanding. The next `push` starts another video."""
        return list(self._flush())

    def snapshot(self) -> Snapshot | None:
        """The state of the video in progress, or None between two results of one clip: ask again after the next.

        Frames pushed since the last clip are not in it; whoever continues pushes them again, from `Snapshot.position`.
        """
        return None if self._stream.due else self._stream.snapshot(self._settings)

    @torch.inference_mode()
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
        pixels = []
        for number, image in zip(snapshot.replay, images, strict=False):
            _check_image(image)
            _check_size(number, image, stream.size)
            pixels.append(self._shrunk(image))
        if len(pixels) < len(snapshot.replay):
            raise InputError(f"the source ends before frame {snapshot.position}, where the interrupted run was")
        with self._autocast():
            for batch in torch.stack(pixels).split(snapshot.batches.tolist()) if pixels else ():
                features = self.network.encode(batch)
                stream.features = features if stream.features is None else stream.features.followed_by(features)
        if stream.features is not None:
            stream.features = stream.features[max(0, len(pixels) - self.config.clip_length) :]
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

    def _push(self, frame: Frame) -> Iterator[FrameResult]:
        stream, config = self._stream, self.config
        if stream.size is None:
            self._summaries = stream.tracks
            stream.size = (frame.image.shape[0], frame.image.shape[1])
        _check_size(frame.index, frame.image, stream.size)
        stream.waiting.append(WaitingFrame(frame.index, frame.time, self._shrunk(frame.image)))
        # A first clip that may not wait until it is full is filled up like a short video.
        needed = config.delay + 1 if stream.features is None else config.step
        if len(stream.waiting) >= needed:
            self._run_clip()
            stream.due = max(0, len(stream.pending) - config.held)
            yield from self._hand_out()

    def _flush(self) -> Iterator[FrameResult]:
        stream = self._stream
        if stream.waiting:
            self._run_clip()
        stream.due = len(stream.pending)
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

    @torch.inference_mode()
    def _run_clip(self) -> None:
        """Segments the waiting frames together with the last ones seen."""
        stream, length = self._stream, self.config.clip_length
        fresh = stream.waiting
        pixels = torch.stack([frame.pixels for frame in fresh])
        with self._autocast():
            features = self.network.encode(pixels)
            if stream.features is not None:
                # The last clip of a video reaches further back rather than being filled up.
                shared = min(len(stream.features), length - len(fresh))
                features = stream.features[len(stream.features) - shared :].followed_by(features)
            else:
                shared = 0
            frames = len(features)
            filled = features
            if frames < length:  # a whole video shorter than a clip: the last frame stands still
                for _ in range(length - frames):
                    filled = filled.followed_by(features[frames - 1 :])
            outputs = self.network.decode(filled, 1, (pixels.shape[2], pixels.shape[3]))
        stream.note_batch(len(fresh), length)
        stream.features, stream.waiting = features, []
        self._take_tubes(_first_frames(outputs, frames), shared, fresh)

    def _take_tubes(self, outputs: ClipOutputs, shared: int, fresh: list[WaitingFrame]) -> None:
        """Finds the tubes of a clip, joins them to the tracks, and paints its frames as far as they are not final."""
        stream = self._stream
        tubes = cluster(outputs, self.config.cluster, self.network.config.tube_score)
        labels = label_map(tubes, outputs.heat).cpu()
        ids, new = stream.stitcher.add(labels, looks_of(tubes, _looked_at(stream.features)), shared)
        for number, tube in zip(ids, tubes, strict=True):
            nothing = np.zeros(len(self.categories), np.float32)
            stream.tracks.setdefault(number, TrackSummary(number, nothing)).add(tube)
        visible, size = len(stream.pending), stream.size or (0, 0)
        probabilities = torch.stack([tube.probability for tube in tubes]) if tubes else outputs.heat[None][:0]
        painted = (
            paint(probabilities[:, frame], labels[frame].numpy(), ids, size).cpu()
            for frame in range(len(labels) - visible - len(fresh), len(labels))
        )
        for pending in stream.pending:
            pending.labels = merge(pending.labels, next(painted), new)
        stream.pending += (PendingFrame(frame.index, frame.time, next(painted)) for frame in fresh)

    def _result(self, frame: PendingFrame) -> FrameResult:
        numbers = frame.labels.flatten().bincount().nonzero().flatten().numpy()
        numbers = numbers[numbers > 0]
        infos = [self._info(self._stream.tracks[int(number)]) for number in numbers]
        return FrameResult(
            index=frame.index,
            time=frame.time,
            masks=frame.labels.numpy() == numbers.astype(frame.labels.numpy().dtype)[:, None, None],
            track_ids=numbers,
            category_ids=np.array([info.category.id for info in infos], dtype=np.int64),
            scores=np.array([info.score for info in infos], dtype=np.float32),
        )

    def _shrunk(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[Tensor, "3 h w"]:
        # A copy, for PyTorch warns of arrays that may not be written to, such as those of PIL.
        pixels = torch.tensor(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        size = network_size(image.shape[0], image.shape[1], self.config)
        if size != tuple(pixels.shape[2:]):
            # On the CPU, because CUDA shrinks no uint8.
            pixels = F.interpolate(pixels, size=size, mode="bilinear", antialias=True, align_corners=False)
        return pixels[0].contiguous().to(self.device)

    def _autocast(self) -> AbstractContextManager[object]:
        """bfloat16 where the processor has matrix units for it; elsewhere float32 is faster, on CPUs many times."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        if self.device.type == "cpu" and torch.cpu._is_amx_tile_supported():
            return torch.autocast("cpu", torch.bfloat16)
        return nullcontext()


def network_size(height: int, width: int, config: SegmentConfig) -> tuple[int, int]:
    """Height and width at which a frame enters the network: shrunk into the box of the settings, in whole cells."""
    short, long = sorted((height, width))
    scale = min(1.0, config.short_side / short, config.long_side / long)
    return max(STRIDE, round(height * scale / STRIDE) * STRIDE), max(STRIDE, round(width * scale / STRIDE) * STRIDE)


def _first_frames(outputs: PixelOutputs, frames: int) -> ClipOutputs:
    """The only clip of the batch, without the frames that filled it up."""
    foreground = outputs.foreground_logits
    return ClipOutputs(
        embedding=outputs.embedding[0, :, :frames],
        log_variance=outputs.log_variance[0, :, :frames],
        heat=outputs.heat[0, :frames],
        class_logits=outputs.class_logits[0, :, :frames],
        foreground_logits=None if foreground is None else foreground[0, :frames],
    )


def _looked_at(features: FrameFeatures | None) -> Tensor:
    """The level of stride 16: by it, an object is told best from others after it was hidden."""
    assert features is not None, "tubes come from features"
    return features.levels[:3][-1]


def _check_image(image: np.ndarray) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"a frame is uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")


def _check_size(number: int, image: np.ndarray, size: tuple[int, int] | None) -> None:
    if size is not None and image.shape[:2] != size:
        raise InputError(
            f"frame {number}: {image.shape[1]}x{image.shape[0]} pixels, the frames before have {size[1]}x{size[0]}"
        )
