"""Frames in, what is found in overlapping clips out; every frame passes the backbone once.

Legend: T frames of a clip, K tubes, H W pixels of the source, h w pixels at which the network sees them, or their
stride-4 cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int16, UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.inference.cluster import cluster, label_map
from chronomask.inference.memory import Look, looks_of
from chronomask.inference.workers import Urgency, Workers
from chronomask.losses import ClipOutputs
from chronomask.model.fast import FastNetwork
from chronomask.model.network import STRIDE, FrameFeatures, Network, PixelOutputs
from chronomask.structures import Tube
from chronomask.video import Frame, given_up


@dataclass(frozen=True, eq=False)
class FreshFrame:
    """A frame that no clip before had in it, shrunk for the network; on the CPU."""

    index: int
    time: float
    pixels: UInt8[Tensor, "3 h w"]


@dataclass(frozen=True, eq=False)
class FoundClip:
    """What was found in a clip.

    Attributes:
        tubes: of its objects.
        labels: 0 or k + 1 inside tube k, on the CPU.
        looks: of the tubes.
        shared: how many of its frames, the first ones, are the last ones of the clip before.
        fresh: number and time of the others.
        pictures: the frames, shrunk for the network; on the CPU.
        size: height and width of the source.
    """

    tubes: list[Tube]
    labels: Int16[Tensor, "T h w"]
    looks: list[Look]
    shared: int
    fresh: list[tuple[int, float]]
    pictures: list[UInt8[Tensor, "3 _ _"]]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """A frame that the backbone has seen, or is about to see.

    Attributes:
        batch: features of all frames that pass the backbone together with this one.
        place: of this frame among them.
        pixels: of the frame, on the CPU.
    """

    batch: Future[FrameFeatures]
    place: int
    pixels: UInt8[Tensor, "3 h w"]

    def features(self) -> FrameFeatures:
        """Of this frame; waits for them."""
        return self.batch.result()[self.place : self.place + 1]


@dataclass(eq=False)
class Reading:
    """How far the frames of a video are read; bounded by the length of a clip.

    Attributes:
        size: height and width of the frames, None before the first.
        waiting: frames that are in no clip yet; fewer than T.
        begun: those of them that have been handed to the backbone already.
        seen: the last frames of the last clip, at most T.
        abandoned: whether nobody wants what is not done yet.
    """

    size: tuple[int, int] | None = None
    waiting: list[FreshFrame] = field(default_factory=list)
    begun: list[SeenFrame] = field(default_factory=list)
    seen: list[SeenFrame] = field(default_factory=list)
    abandoned: bool = False


class ClipNetwork:
    """A network with settings, that is shown the frames of videos and finds tubes in clips.

    It works in threads, on several clips at a time where their frames are there.
    """

    def __init__(self, network: Network | FastNetwork, config: SegmentConfig, device: torch.device) -> None:
        self.network: Network | FastNetwork = network.to(device).eval()
        self.config, self.device = config, device
        self.workers = Workers(device)

    def clips(self, reading: Reading, frames: Iterable[Frame]) -> Iterator[Future[FoundClip]]:
        """All clips of a video, or of the rest of one.

        Raises:
            InputError: a frame is of another size than those before.
        """
        with given_up(frames):
            for frame in frames:
                if (clip := self.clip_of(reading, frame)) is not None:
                    yield clip
        if reading.waiting:
            yield self.found(reading)

    def clip_of(self, reading: Reading, frame: Frame) -> Future[FoundClip] | None:
        """Takes the next frame; the clip that it completes, if it does.

        Raises:
            InputError: the frame is of another size than those before.
        """
        _check_size(reading, frame.index, frame.image)
        reading.waiting.append(FreshFrame(frame.index, frame.time, self._shrunk(frame.image)))
        if self._one_by_one:
            reading.begun += self._seen(reading, [reading.waiting[-1].pixels])
        # A first clip that may not wait until it is full is filled up like a short video.
        needed = self.config.step if reading.seen else self.config.delay + 1
        return self.found(reading) if len(reading.waiting) >= needed else None

    def read_again(self, reading: Reading, images: Iterable[np.ndarray], first: int, batches: list[int]) -> None:
        """Computes the features again that the next clip shares with those before.

        Args:
            images: of the frames from number `first` on.
            batches: in which they went through the network.

        Raises:
            InputError: the images are too few, or of different sizes.
        """
        pixels = []
        for number, image in zip(range(first, first + sum(batches)), images, strict=False):
            check_image(image)
            _check_size(reading, number, image)
            pixels.append(self._shrunk(image))
        if len(pixels) < sum(batches):
            raise InputError(f"the source ends before frame {first + sum(batches)}, where the interrupted run was")
        for end, count in zip(np.cumsum(batches), batches, strict=True):
            reading.seen += self._seen(reading, pixels[end - count : end])
        reading.seen = reading.seen[-self.config.clip_length :]

    def found(self, reading: Reading) -> Future[FoundClip]:
        """The clip of the waiting frames, of which there is one at least, and the last ones seen."""
        length, fresh = self.config.clip_length, reading.waiting
        # The last clip of a video reaches further back rather than being filled up.
        shared = min(len(reading.seen), length - len(fresh))
        begun = reading.begun or self._seen(reading, [frame.pixels for frame in fresh])
        reading.seen = reading.seen[len(reading.seen) - shared :] + begun
        reading.waiting, reading.begun = [], []
        assert reading.size is not None, "there is a frame, and it has a size"
        numbers = [(frame.index, frame.time) for frame in fresh]
        clip = (reading, reading.seen, shared, numbers, reading.size)
        # After the last frame: by then those before it have been begun, and soon are done as well.
        return self.workers.submit(Urgency.CLIP, self._find, *clip, after=reading.seen[-1].batch)

    @property
    def _one_by_one(self) -> bool:
        """Whether frames pass the backbone one by one, as they come, or with all others that a clip adds.

        One by one is faster on CPUs, together elsewhere.
        """
        return self.device.type == "cpu"

    def _seen(self, reading: Reading, frames: list[UInt8[Tensor, "3 h w"]]) -> list[SeenFrame]:
        """Hands frames to the backbone."""
        seen = []
        for batch in [[frame] for frame in frames] if self._one_by_one else [frames]:
            features = self.workers.submit(Urgency.FRAME, self._encoded, reading, batch)
            seen += [SeenFrame(features, place, pixels) for place, pixels in enumerate(batch)]
        return seen

    def _encoded(self, reading: Reading, frames: list[UInt8[Tensor, "3 h w"]]) -> FrameFeatures:
        _stop_if_abandoned(reading)
        with self._autocast():
            return self.network.encode(torch.stack(frames).to(self.device))

    def _find(
        self,
        reading: Reading,
        frames: Sequence[SeenFrame],
        shared: int,
        fresh: list[tuple[int, float]],
        size: tuple[int, int],
    ) -> FoundClip:
        _stop_if_abandoned(reading)
        config = self.config
        parts = [frame.features() for frame in frames]
        # A whole video shorter than a clip: the last frame stands still.
        features = FrameFeatures.joined(parts + parts[-1:] * (config.clip_length - len(parts)))
        with self._autocast():
            outputs = first_frames(self.network.decode(features, 1, network_size(*size, config)), len(frames))
        tubes = cluster(outputs, config.cluster, self.network.config.tube_score)
        # At stride 16 an object is told best from others after it was hidden.
        looks = looks_of(tubes, features.levels[:3][-1][: len(frames)])
        labels, pictures = label_map(tubes, outputs.heat).cpu(), [frame.pixels for frame in frames]
        return FoundClip(tubes, labels, looks, shared, fresh, pictures, size)

    def _shrunk(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[Tensor, "3 h w"]:
        # Copied by NumPy, before and after, for copies by PyTorch would disturb the workers on their cores; and PyTorch
        # warns of arrays that may not be written to, such as those of PIL.
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        size = network_size(image.shape[0], image.shape[1], self.config)
        if size != tuple(pixels.shape[2:]):
            # On the CPU, because CUDA shrinks no uint8.
            pixels = F.interpolate(pixels, size=size, mode="bilinear", antialias=True, align_corners=False)
        return torch.from_numpy(np.ascontiguousarray(pixels[0].numpy()))

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


def first_frames(outputs: PixelOutputs, frames: int) -> ClipOutputs:
    """The only clip of a batch, without the frames that filled it up."""
    foreground = outputs.foreground_logits
    return ClipOutputs(
        embedding=outputs.embedding[0, :, :frames],
        log_variance=outputs.log_variance[0, :, :frames],
        heat=outputs.heat[0, :frames],
        class_logits=outputs.class_logits[0, :, :frames],
        foreground_logits=None if foreground is None else foreground[0, :frames],
    )


def _stop_if_abandoned(reading: Reading) -> None:
    if reading.abandoned:
        raise CancelledError


def check_image(image: np.ndarray) -> None:
    """Raises InputError unless it is an RGB image of 0-255."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"a frame is uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")


def _check_size(reading: Reading, number: int, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    reading.size = reading.size or (height, width)
    if reading.size != (height, width):
        before = f"{reading.size[1]}x{reading.size[0]}"
        raise InputError(f"frame {number}: {width}x{height} pixels, the frames before have {before}")
