"""Frames in, what is found in overlapping clips out; every frame passes the backbone once.

Legend: H W pixels of the source, h w pixels at which the network sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import av
import numpy as np
from jaxtyping import Float32, UInt8

from chronomask.config import SegmentConfig
from chronomask.embedding import STRIDE
from chronomask.engines.engine import Engine, FrameFeatures, padded
from chronomask.errors import InputError
from chronomask.segmenter.found import FoundClip, FreshFrame, Painted, PaintedFrame, Stretch, painted
from chronomask.segmenter.workers import Urgency, Workers
from chronomask.tracking.outputs import ClipOutputs, Sight, place
from chronomask.tracking.tracker import find, one_after_the_other
from chronomask.video import Frame, ahead, given_up

LARGE = 4 << 20
"""Pixels of frames of which most time goes into reading and painting: so many threads need not decode a clip each, for
which every one would take 70 MB."""

PAINTED = 1 << 20
"""Pixels of frames that are painted together. More of them take no less time, and the memory of as many workers."""


_LOOKED_AT = 4000
"""Pixels whose colours tell one shot from another: of fewer, their number is chance."""


class EndsBefore(InputError):
    """Raised where a source has fewer frames than were seen of it, or than it claims."""


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """A frame that the backbone has seen, or is about to see.

    Attributes:
        batch: features of all frames that pass the backbone together with this one.
        number: of this frame among them.
        pixels: of the frame.
    """

    batch: Future[list[FrameFeatures]]
    number: int
    pixels: UInt8[np.ndarray, "3 h w"]

    @cached_property
    def colours(self) -> Float32[np.ndarray, " 512"]:
        """Share of its pixels, or of some thousands of them, that has each of 8 x 8 x 8 colours."""
        every = max(1, round((self.pixels[0].size / _LOOKED_AT) ** 0.5))
        red, green, blue = self.pixels[:, ::every, ::every] >> 5
        colours = (red.astype(np.intp) * 8 + green) * 8 + blue
        return np.bincount(colours.ravel(), minlength=512).astype(np.float32) / np.float32(colours.size)

    def features(self) -> FrameFeatures:
        """Of this frame; waits for them."""
        return self.batch.result()[self.number]


@dataclass(eq=False)
class Reading:
    """How far the frames of a video are read; bounded by the length of a clip.

    Attributes:
        size: height and width of the frames, None before the first.
        waiting: frames that are in no clip yet; fewer than T.
        begun: those of them that have been handed to the backbone already.
        seen: the last frames of the last clip, at most T.
        finding: done when the last clips have been found, of a video with large frames.
        abandoned: whether nobody wants what is not done yet.
        keep_images: whether frames are wanted back as they came.
        keep_sight: whether what the network says of every clip is wanted.
    """

    size: tuple[int, int] | None = None
    waiting: list[FreshFrame] = field(default_factory=list)
    begun: list[SeenFrame] = field(default_factory=list)
    seen: list[SeenFrame] = field(default_factory=list)
    finding: list[Future[None]] = field(default_factory=list)
    abandoned: bool = False
    keep_images: bool = False
    keep_sight: bool = False

    def check(self, number: int, image: np.ndarray) -> None:
        """Raises InputError if the image, frame of this number, is of another size than those before."""
        height, width = image.shape[:2]
        self.size = self.size or (height, width)
        if self.size != (height, width):
            before = f"{self.size[1]}x{self.size[0]}"
            raise InputError(f"frame {number}: {width}x{height} pixels, the frames before have {before}")


class ClipFinder:
    """Shows an engine the frames of videos and finds tubes in clips, on several clips at a time."""

    def __init__(self, engine: Engine, config: SegmentConfig) -> None:
        self.engine, self.config = engine, config
        self.workers = Workers(engine)

    def fresh(self, reading: Reading, frame: Frame) -> FreshFrame:
        """A frame as it waits: without its picture, unless that is wanted back.

        Raises:
            InputError: it is of another size than those before.
        """
        reading.check(frame.index, frame.image)
        image = frame.image if reading.keep_images else None
        return FreshFrame(frame.index, frame.time, shrunk(frame.image, self.config), image)

    def all_fresh(self, reading: Reading, frames: Iterable[Frame]) -> Iterator[FreshFrame]:
        """As `fresh`, all frames of a video or of the rest of one."""
        with given_up(frames):
            for frame in frames:
                fresh = self.fresh(reading, frame)
                del frame  # whose picture would stay while the next one is made
                yield fresh

    def clips(self, reading: Reading, frames: Iterable[FreshFrame]) -> Iterator[Future[FoundClip]]:
        """All clips of a video, or of the rest of one."""
        with given_up(frames):
            for frame in frames:
                if (clip := self.clip_of(reading, frame)) is not None:
                    yield clip
        if reading.waiting:
            yield self.found(reading)

    def live_clips(self, reading: Reading, frames: Iterable[Frame]) -> Iterator[FoundClip]:
        """What is found in all clips of a live source, or of the rest of one: reading ahead would delay it."""
        for clip in self.clips(reading, self.all_fresh(reading, frames)):
            yield clip.result()

    def clips_ahead(self, reading: Reading, frames: Iterable[Frame]) -> Iterator[FoundClip]:
        """As `live_clips`, of a source that waits: no worker shall lack a frame."""
        # Shrunk by the thread that reads: frames of 4K that wait would fill the memory.
        clips = self.clips(reading, ahead(self.all_fresh(reading, frames), 2))
        for clip in ahead(clips, 1 + self.engine.threads // self.config.step):
            yield clip.result()

    def clip_of(self, reading: Reading, frame: FreshFrame) -> Future[FoundClip] | None:
        """Takes the next frame; the clip that it completes, if it does."""
        reading.waiting.append(frame)
        if not self.engine.together:
            reading.begun += self._seen(reading, [reading.waiting[-1].pixels])
        # A first clip that may not wait until it is full is filled up like a short video.
        needed = self.config.step if reading.seen else self.config.delay + 1
        return self.found(reading) if len(reading.waiting) >= needed else None

    def read_again(
        self, reading: Reading, images: Iterable[np.ndarray], first: int, batches: list[int]
    ) -> list[FreshFrame]:
        """Computes the features again that the next clip shares with those before.

        Args:
            images: of the frames from number `first` on.
            batches: in which they went through the network.

        Returns:
            The frames, each with its number; their times are not known, and 0.

        Raises:
            EndsBefore: the images are too few.
            InputError: they are of different sizes.
        """
        known = []
        for number, image in zip(range(first, first + sum(batches)), images, strict=False):
            check_image(image)
            known.append(self.fresh(reading, Frame(number, 0.0, image)))
        if len(known) < sum(batches):
            raise EndsBefore(f"the source ends before frame {first + sum(batches)}, where the interrupted run was")
        for end, count in zip(np.cumsum(batches), batches, strict=True):
            reading.seen += self._seen(reading, [frame.pixels for frame in known[end - count : end]])
        reading.seen = reading.seen[-self.config.clip_length :]
        return known

    def found(self, reading: Reading) -> Future[FoundClip]:
        """The clip of the waiting frames, of which there is one at least, and the last ones seen."""
        length, fresh = self.config.clip_length, reading.waiting
        # The last clip of a video reaches further back rather than being filled up.
        shared = min(len(reading.seen), length - len(fresh))
        begun = reading.begun or self._seen(reading, [frame.pixels for frame in fresh])
        reading.seen = reading.seen[len(reading.seen) - shared :] + begun
        reading.waiting, reading.begun = [], []
        assert reading.size is not None, "there is a frame, and it has a size"
        clip = (reading, reading.seen, shared, fresh, reading.size)
        # After the last frame: by then those before it have been begun, and soon are done as well.
        after: list[Future[Any]] = [reading.seen[-1].batch]
        most = -(-self.engine.threads // 2)
        if reading.size[0] * reading.size[1] < LARGE:
            return self.workers.submit(Urgency.CLIP, self._find, *clip, after=after)
        if len(reading.finding) == most:
            after.append(reading.finding.pop(0))
        found, done = self.workers.submit(Urgency.CLIP, self._find, *clip, after=after), Future[None]()
        found.add_done_callback(lambda _: done.set_result(None))
        reading.finding.append(done)
        return found

    def painted(self, stretch: Stretch) -> list[PaintedFrame]:
        """Paints frames, some at a time."""
        if (known := stretch.views[-1].clip.recorded(stretch)) is not None:
            done: Future[list[Painted]] = Future()
            done.set_result(known)
            return [PaintedFrame(done, number) for number in range(len(known))]
        stretch = stretch.whole()  # here, for who finds a clip again waits for the workers
        height, width = stretch.views[0].clip.size
        together, frames = max(1, PAINTED // (height * width)), []
        for start in range(0, len(stretch.frames), together):
            some = stretch.part(start, start + together)
            batch = self.workers.submit(Urgency.PAINTING, painted, some)
            frames += [PaintedFrame(batch, number) for number in range(len(some.frames))]
        return frames

    def _seen(self, reading: Reading, frames: list[UInt8[np.ndarray, "3 h w"]]) -> list[SeenFrame]:
        """Hands frames to the backbone."""
        seen = []
        for batch in [frames] if self.engine.together else [[frame] for frame in frames]:
            features = self.workers.submit(Urgency.FRAME, self._encoded, reading, batch)
            seen += [SeenFrame(features, number, pixels) for number, pixels in enumerate(batch)]
        return seen

    def _encoded(self, reading: Reading, frames: list[UInt8[np.ndarray, "3 h w"]]) -> list[FrameFeatures]:
        _stop_if_abandoned(reading)
        return self.engine.encode(padded(np.stack(frames)))

    def _find(
        self,
        reading: Reading,
        frames: Sequence[SeenFrame],
        shared: int,
        fresh: list[FreshFrame],
        size: tuple[int, int],
    ) -> FoundClip:
        _stop_if_abandoned(reading)
        config, features = self.config, [frame.features() for frame in frames]
        looks = np.stack([frame.look for frame in features])
        shots = shots_of(frames, config.shot_change)
        outputs = [self._outputs(features[shot], size) for shot in shots]
        parts = zip(outputs, shots, strict=True)
        found = one_after_the_other(
            [find(part, looks[shot], config, self.engine.description.tube_score) for part, shot in parts]
        )
        clip = FoundClip(found, shared, fresh, [frame.pixels for frame in frames], size)
        if not reading.keep_sight:
            return clip
        fine = [level for frame in features if (level := self.engine.fine(frame)) is not None]
        whole = ClipOutputs.joined(outputs)
        return replace(clip, sight=Sight(whole, looks, np.stack(fine).astype(np.float16) if fine else None))

    def _outputs(self, features: list[FrameFeatures], size: tuple[int, int]) -> ClipOutputs:
        """Of frames of one shot. Where there are fewer than a clip has, the last one stands still."""
        known = self.engine.description
        still = features[-1:] * (self.config.clip_length - len(features))
        pixels = self.engine.decode(features + still)[: len(features)]
        frame_classes = [frame.class_logits for frame in features if frame.class_logits is not None]
        outputs = place(pixels, frame_classes, known.embedding, known.foreground, network_size(*size, self.config))
        if len(outputs.class_logits) - len(known.categories) not in (0, 1):  # one more: what is none of them
            given, listed = len(outputs.class_logits), len(known.categories)
            raise InputError(f"the network scores {given} classes, model.json lists {listed}; export it again")
        return outputs


def shots_of(frames: Sequence[SeenFrame], change: float) -> list[slice]:
    """The shots that some frames, one after the other, belong to.

    A new one begins where a larger share of the pixels than `change` would have to change their colour, wherever they
    lie: what moves, or a camera that turns, changes it for few (docs/experiments/shots.md).
    """
    begins = [0]
    for number, (before, frame) in enumerate(pairwise(frames), 1):
        if 1 - float(np.minimum(before.colours, frame.colours).sum()) > change:
            begins.append(number)
    return [slice(begin, end) for begin, end in pairwise([*begins, len(frames)])]


def shrunk(image: UInt8[np.ndarray, "H W 3"], config: SegmentConfig) -> UInt8[np.ndarray, "3 h w"]:
    """The image as the network sees it: every pixel an average under a triangle that covers what it stands for."""
    height, width = network_size(image.shape[0], image.shape[1], config)
    if (height, width) == image.shape[:2]:
        return np.ascontiguousarray(image.transpose(2, 0, 1))
    frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), "rgb24")  # which copies nothing
    # By FFmpeg, which takes a third of the time that Pillow takes; in one thread, for frames are shrunk side by side.
    small = frame.reformat(width, height, "gbrp", interpolation="BILINEAR", threads=1)
    green, blue, red = (np.frombuffer(memoryview(plane), np.uint8).reshape(height, -1) for plane in small.planes)
    return np.stack([red[:, :width], green[:, :width], blue[:, :width]])


def network_size(height: int, width: int, config: SegmentConfig) -> tuple[int, int]:
    """Height and width at which a frame enters the network: shrunk into the box of the settings, in whole cells."""
    short, long = sorted((height, width))
    scale = min(1.0, config.short_side / short, config.long_side / long)
    return max(STRIDE, round(height * scale / STRIDE) * STRIDE), max(STRIDE, round(width * scale / STRIDE) * STRIDE)


def _stop_if_abandoned(reading: Reading) -> None:
    if reading.abandoned:
        raise CancelledError


def check_image(image: np.ndarray) -> None:
    """Raises InputError unless it is an RGB image of 0-255."""
    if not isinstance(image, np.ndarray):
        raise InputError(f"a frame is an array, uint8 of shape (H, W, 3), not {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"a frame is uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")
