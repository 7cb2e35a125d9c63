"""The one streaming path: frames in, final frames with tracks out, in memory that does not grow with the video.

Legend: T frames of a clip, O frames shared with the clip before, H W pixels of the source, h w = stride-4 cells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.config import SegmentConfig
from chronomask.data.categories import OBJECT, Category
from chronomask.errors import InputError
from chronomask.inference.cluster import cluster, label_map
from chronomask.inference.stitch import Stitcher, merge
from chronomask.losses import ClipOutputs
from chronomask.model.network import STRIDE, FrameFeatures, Network, PixelOutputs
from chronomask.structures import FrameResult, Tube
from chronomask.video import Frame, VideoSource, open_source


@dataclass
class TrackSummary:
    """What is known of a track so far; every clip adds its evidence, weighted by its pixels.

    Attributes:
        id: of the track, from 1.
        class_evidence: sum over clips of class probabilities x stride-4 pixels.
        object_evidence: sum over clips of the tube's objectness x stride-4 pixels.
        pixels: sum over clips of stride-4 pixels.
    """

    id: int
    class_evidence: Tensor
    object_evidence: float = 0.0
    pixels: float = 0.0

    def add(self, tube: Tube) -> None:
        """Takes in the tube of one clip."""
        size = float((tube.probability > 0.5).sum())
        self.class_evidence = self.class_evidence + tube.class_probabilities.cpu() * size
        self.object_evidence += tube.objectness * size
        self.pixels += size

    def verdict(
        self, categories: Sequence[Category], object_below: float, allowed: Collection[str] | None = None
    ) -> tuple[Category, float]:
        """The track's category, and its confidence in [0, 1]: class probability x mean heat x mean membership.

        Where no class reaches the probability `object_below`, the track is an `object`, and that bound stands for the
        class probability: not knowing the name must not hide that something is there.

        Args:
            allowed: names of the classes to choose from; all by default.
        """
        probabilities = self.class_evidence / max(self.pixels, 1.0)
        if allowed is not None:
            probabilities = probabilities * torch.tensor([category.name in allowed for category in categories])
        best = probabilities.max(0)
        probability, objectness = float(best.values), self.object_evidence / max(self.pixels, 1.0)
        category = categories[int(best.indices)] if probability >= object_below else OBJECT
        return category, max(probability, object_below) * objectness


@dataclass(frozen=True)
class TrackInfo:
    """A track as it is reported.

    Attributes:
        id: from 1.
        category: a class, or `object`.
        score: confidence in [0, 1].
    """

    id: int
    category: Category
    score: float


@dataclass(eq=False)
class _Stream:
    """Everything that one video in progress needs; bounded by the clip length, but for one summary a track."""

    stitcher: Stitcher
    size: tuple[int, int] | None = None
    waiting: list[Frame] = field(default_factory=list)  # not yet seen by the network
    features: FrameFeatures | None = None  # of the last T frames
    pending: list[Frame] = field(default_factory=list)  # seen, but a later clip may still add to them
    labels: Int64[Tensor, "O H W"] | None = None  # track ids of the pending frames
    tracks: dict[int, TrackSummary] = field(default_factory=dict)


class Segmenter:
    """A network with settings, ready to segment videos of any length.

    Either hand it a whole source (`segment`), or live frames one by one (`push`, then `flush`). One video at a time.
    """

    def __init__(self, network: Network, config: SegmentConfig, device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.config, self.device = config, device
        self.categories = network.config.categories
        self._summaries: dict[int, TrackSummary] = {}
        self._stream = self._new_stream()

    def segment(self, source: str | Path | VideoSource) -> Iterator[FrameResult]:
        """Yields every frame of a video file, folder or glob, in order, as soon as no later clip may change it.

        Raises:
            InputError: the source cannot be used.
        """
        source = source if isinstance(source, VideoSource) else open_source(source)
        self._stream = self._new_stream()
        for frame in source:
            yield from self._push(frame)
        yield from self.flush()

    def push(self, image: np.ndarray, time: float | None = None) -> list[FrameResult]:
        """Takes one live frame (uint8 RGB, shape H W 3) and returns the frames that became final.

        Args:
            time: presentation time in seconds; by default the frame's number at 25 frames a second.

        Raises:
            InputError: the frame is no RGB image of 0-255, or of another size than the frames before.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise InputError(f"a frame is uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")
        number = len(self._stream.waiting) + len(self._stream.pending) + self._finished
        # A copy: cameras hand out one buffer again and again, and the frame waits for its clip.
        return self._push(Frame(number, number / 25 if time is None else time, image.copy()))

    def flush(self) -> list[FrameResult]:
        """Ends the video: returns the frames that are still outstanding. The next `push` starts another video."""
        stream, results = self._stream, []
        if stream.waiting:
            results += self._run_clip()
        results += self._release(len(stream.pending))
        self._stream = self._new_stream()
        return results

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

    def _new_stream(self) -> _Stream:
        stream = _Stream(Stitcher(self.config.stitch))
        self._finished = 0
        return stream

    def _push(self, frame: Frame) -> list[FrameResult]:
        stream, config = self._stream, self.config
        size = (frame.image.shape[0], frame.image.shape[1])
        if stream.size is None:
            self._summaries = stream.tracks
            stream.size = size
        if size != stream.size:
            before = f"{stream.size[1]}x{stream.size[0]}"
            raise InputError(f"frame {frame.index}: {size[1]}x{size[0]} pixels, the frames before have {before}")
        stream.waiting.append(frame)
        needed = config.clip_length if stream.features is None else config.clip_length - config.overlap
        return self._run_clip() if len(stream.waiting) >= needed else []

    @torch.inference_mode()
    def _run_clip(self) -> list[FrameResult]:
        """Segments the waiting frames together with the last ones seen, and releases what is final."""
        stream, length = self._stream, self.config.clip_length
        fresh = stream.waiting
        pixels = torch.stack([self._shrunk(frame.image) for frame in fresh])
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
        stream.features, stream.waiting = features, []
        self._take_tubes(_first_frames(outputs, frames), shared, fresh)
        # Frames that the next regular clip will not share cannot change any more.
        return self._release(max(0, len(stream.pending) - self.config.overlap))

    def _take_tubes(self, outputs: ClipOutputs, shared: int, fresh: list[Frame]) -> None:
        stream = self._stream
        tubes = cluster(outputs, self.config.cluster)
        labels = label_map(tubes, outputs.heat).cpu()
        ids, new = stream.stitcher.add(labels, len(tubes), shared)
        for number, tube in zip(ids, tubes, strict=True):
            summary = stream.tracks.setdefault(number, TrackSummary(number, torch.zeros(len(self.categories))))
            summary.add(tube)
        rows, columns = stream.size or (0, 0)
        # Of the shared frames only those are still pending whose pixels may change.
        visible = len(stream.pending)
        full = torch.zeros(visible + len(fresh), rows, columns, dtype=torch.int64)
        if tubes:
            probabilities = torch.stack([tube.probability for tube in tubes])[:, -len(full) :]
            for frame in range(len(full)):
                full[frame] = _upsampled(probabilities[:, frame], ids, rows, columns).cpu()
        if visible and stream.labels is not None:
            full[:visible] = merge(stream.labels, full[:visible], new)
        stream.labels, stream.pending = full, stream.pending + fresh

    def _release(self, count: int) -> list[FrameResult]:
        """The first `count` pending frames as results."""
        stream = self._stream
        if count == 0 or stream.labels is None:
            return []
        results = [
            self._result(frame, labels)
            for frame, labels in zip(stream.pending[:count], stream.labels[:count], strict=True)
        ]
        stream.pending, stream.labels = stream.pending[count:], stream.labels[count:].clone()
        self._finished += count
        return results

    def _result(self, frame: Frame, labels: Int64[Tensor, "H W"]) -> FrameResult:
        numbers = [int(number) for number in labels.unique() if number > 0]
        infos = [self._info(self._stream.tracks[number]) for number in numbers]
        pixels = labels.numpy()
        return FrameResult(
            index=frame.index,
            time=frame.time,
            masks=pixels == np.array(numbers, dtype=np.int64)[:, None, None],
            track_ids=np.array(numbers, dtype=np.int64),
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


def _upsampled(probabilities: Tensor, ids: list[int], rows: int, columns: int) -> Int64[Tensor, "H W"]:
    """Track ids of one frame at full size; where two tubes meet, the one found first keeps the pixel, as in eq. (7)."""
    full = F.interpolate(probabilities[None], size=(rows, columns), mode="bilinear", align_corners=False)[0] > 0.5
    numbers = torch.tensor([*ids, 0], device=full.device)
    first = torch.where(full.any(0), full.float().argmax(0), len(ids))
    return numbers[first]
