"""Frames in, what the network says of overlapping clips out; every frame passes the backbone once.

Legend: T frames of a clip, C channels, H W pixels of the source, h w pixels at which the network sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.losses import ClipOutputs
from chronomask.model.fast import FastNetwork
from chronomask.model.network import STRIDE, FrameFeatures, Network, PixelOutputs
from chronomask.video import Frame


@dataclass(frozen=True, eq=False)
class FreshFrame:
    """A frame that no clip before had in it, shrunk for the network."""

    index: int
    time: float
    pixels: UInt8[Tensor, "3 h w"]


@dataclass(frozen=True, eq=False)
class SeenClip:
    """What the network says of a clip.

    Attributes:
        outputs: of all its frames.
        look: features at stride 16, by which an object is told best from others after it was hidden.
        shared: how many of its frames, the first ones, are the last ones of the clip before.
        fresh: number and time of the others.
        size: height and width of the source.
    """

    outputs: ClipOutputs
    look: Float[Tensor, "T C _ _"]
    shared: int
    fresh: list[tuple[int, float]]
    size: tuple[int, int]


@dataclass(eq=False)
class Reading:
    """How far the frames of a video are read; bounded by the length of a clip.

    Attributes:
        size: height and width of the frames, None before the first.
        waiting: frames that the network has not seen; fewer than T.
        features: of the last T frames seen.
    """

    size: tuple[int, int] | None = None
    waiting: list[FreshFrame] = field(default_factory=list)
    features: FrameFeatures | None = None


class ClipNetwork:
    """A network with settings, that is shown the frames of videos and sees clips."""

    def __init__(self, network: Network | FastNetwork, config: SegmentConfig, device: torch.device) -> None:
        self.network: Network | FastNetwork = network.to(device).eval()
        self.config, self.device = config, device

    def clips(self, reading: Reading, frames: Iterable[Frame]) -> Iterator[SeenClip]:
        """All clips of a video, or of the rest of one.

        Raises:
            InputError: a frame is of another size than those before.
        """
        for frame in frames:
            if (clip := self.clip_of(reading, frame)) is not None:
                yield clip
        if reading.waiting:
            yield self.seen(reading)

    def clip_of(self, reading: Reading, frame: Frame) -> SeenClip | None:
        """Takes the next frame; the clip that it completes, if it does.

        Raises:
            InputError: the frame is of another size than those before.
        """
        _check_size(reading, frame.index, frame.image)
        reading.waiting.append(FreshFrame(frame.index, frame.time, self._shrunk(frame.image)))
        # A first clip that may not wait until it is full is filled up like a short video.
        needed = self.config.delay + 1 if reading.features is None else self.config.step
        return self.seen(reading) if len(reading.waiting) >= needed else None

    @torch.inference_mode()
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
        if not pixels:
            return
        with self._autocast():
            features = FrameFeatures.joined(
                [self.network.encode(batch) for batch in torch.stack(pixels).split(batches)]
            )
        reading.features = features[max(0, len(features) - self.config.clip_length) :]

    @torch.inference_mode()
    def seen(self, reading: Reading) -> SeenClip:
        """Shows the network the waiting frames, of which there is one at least, together with the last ones seen."""
        length, fresh, shared = self.config.clip_length, reading.waiting, 0
        pixels = torch.stack([frame.pixels for frame in fresh])
        with self._autocast():
            features = self.network.encode(pixels)
            if reading.features is not None:
                # The last clip of a video reaches further back rather than being filled up.
                shared = min(len(reading.features), length - len(fresh))
                features = reading.features[len(reading.features) - shared :].followed_by(features)
            frames = len(features)
            # A whole video shorter than a clip: the last frame stands still.
            still = [features[frames - 1 :]] * (length - frames)
            filled = FrameFeatures.joined([features, *still]) if still else features
            outputs = self.network.decode(filled, 1, (pixels.shape[2], pixels.shape[3]))
        reading.features, reading.waiting = features, []
        assert reading.size is not None, "there is a frame, and it has a size"
        return SeenClip(
            outputs=first_frames(outputs, frames),
            look=features.levels[:3][-1],
            shared=shared,
            fresh=[(frame.index, frame.time) for frame in fresh],
            size=reading.size,
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
