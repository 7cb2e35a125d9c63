"""The streaming path of the runner, as `inference.segment` has it: frames in, final frames with tracks out.

Legend: T frames of a clip, H W pixels of the source, h w stride-4 cells, L classes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int, UInt8

from chronomask.categories import OBJECT, Category
from chronomask.errors import InputError
from chronomask.painting import paint
from chronomask.results import FrameResult
from chronomask.runner.cluster import Tube, cluster, label_map
from chronomask.runner.description import read_description
from chronomask.runner.memory import sights
from chronomask.runner.network import ExportedNetwork
from chronomask.runner.shrink import shrunk
from chronomask.runner.stitch import Stitcher, merge


@dataclass(frozen=True)
class Track:
    """A track as it is reported.

    Attributes:
        id: from 1.
        category: a class, or `object`.
        score: confidence in [0, 1].
    """

    id: int
    category: Category
    score: float


class Runner:
    """An exported network with the tracker around it. One video at a time.

    Args:
        folder: that `chronomask export` wrote.
        providers: onnxruntime's names of what shall compute, best first.

    Raises:
        InputError: the folder holds no exported network, or onnxruntime cannot run it.
    """

    def __init__(self, folder: str | Path, providers: Sequence[str] = ("CPUExecutionProvider",)) -> None:
        self.description = read_description(Path(folder))
        self._network = ExportedNetwork(Path(folder), self.description, providers)
        self._video = _Video(Stitcher(self.description.settings.stitch))

    def segment(self, images: Iterable[np.ndarray], fps: float = 25.0) -> Iterator[FrameResult]:
        """Yields every frame of a video in order, as soon as no later clip may change it.

        Args:
            images: uint8 RGB of shape (H, W, 3), upright, all of one size.
            fps: frames a second, from which the times of the results are counted.

        Raises:
            InputError: an image is of another kind, or of another size than those before.
        """
        config = self.description.settings
        video = self._video = _Video(Stitcher(config.stitch))
        for index, image in enumerate(images):
            video.waiting.append(shrunk(video.checked(index, image), config))
            needed = config.delay + 1 if video.features is None else config.step
            if len(video.waiting) >= needed:
                self._run_clip(video)
                yield from self._hand_out(video, config.held, fps)
        if video.waiting:
            self._run_clip(video)
        yield from self._hand_out(video, 0, fps)

    @property
    def tracks(self) -> list[Track]:
        """All tracks of the video in progress, or of the last one, best first: their final names and scores."""
        return sorted(map(self._verdict, self._video.evidence), key=lambda track: -track.score)

    def _run_clip(self, video: _Video) -> None:
        """Segments the waiting frames together with the last ones seen."""
        config, fresh = self.description.settings, len(video.waiting)
        pixels = np.stack(video.waiting)
        features, shared = self._network.encode(pixels), 0
        if video.features is not None:
            known = len(video.features[0])
            shared = min(known, config.clip_length - fresh)
            pairs = zip(video.features, features, strict=True)
            features = [np.concatenate([old[known - shared :], new]) for old, new in pairs]
        frames = len(features[0])
        # A video shorter than a clip: its last frame stands still.
        filled = [np.concatenate([x, np.repeat(x[-1:], config.clip_length - frames, axis=0)]) for x in features]
        outputs = self._network.decode(filled, (pixels.shape[2], pixels.shape[3])).first(frames)
        video.pictures = [*video.pictures[len(video.pictures) - shared :], *video.waiting]
        video.features, video.waiting = features, []
        video.take(cluster(outputs, config.cluster, self.description.tube_score), outputs.heat.shape, shared, fresh)

    def _hand_out(self, video: _Video, held: int, fps: float) -> Iterator[FrameResult]:
        """The pending frames but the last `held`."""
        while len(video.pending) > held:
            labels = video.pending.popleft()
            ids = np.unique(labels)
            ids = ids[ids > 0]
            tracks = [self._verdict(int(number)) for number in ids]
            yield FrameResult(
                index=video.finished,
                time=video.finished / fps,
                masks=labels == ids[:, None, None],
                track_ids=ids.astype(np.int64),
                category_ids=np.array([track.category.id for track in tracks], np.int64),
                scores=np.array([track.score for track in tracks], np.float32),
            )
            video.finished += 1

    def _verdict(self, number: int) -> Track:
        """Name and score of a track by the evidence so far; see `inference.tracks.TrackSummary.verdict`."""
        evidence, below = self._video.evidence[number], self.description.settings.object_below
        size = max(evidence.pixels, 1.0)
        best = int(evidence.classes.argmax())
        category = self.description.categories[best] if evidence.classes[best] / size >= below else OBJECT
        return Track(number, category, evidence.objectness / size)


@dataclass
class _Evidence:
    """Sums over the clips of a track, each weighted by the stride-4 pixels of its tube."""

    classes: Float32[np.ndarray, " L"]
    objectness: float = 0.0
    pixels: float = 0.0

    def add(self, tube: Tube) -> None:
        size = float((tube.probability > 0.5).sum())
        self.classes = self.classes + tube.class_probabilities * np.float32(size)
        self.objectness += tube.objectness * size
        self.pixels += size


@dataclass
class _Video:
    """The state of a video in progress, bounded by the clip length but for the evidence of every track.

    Attributes:
        stitcher: gives tubes their track ids.
        size: height and width of the frames, None before the first.
        waiting: frames not yet seen by the network, shrunk for it.
        features: of the last frames seen, at most T.
        pictures: those frames, shrunk.
        pending: track ids of the frames seen but not handed out.
        finished: frames handed out.
        evidence: by track id.
    """

    stitcher: Stitcher
    size: tuple[int, int] | None = None
    waiting: list[UInt8[np.ndarray, "3 _ _"]] = field(default_factory=list)
    features: list[Float32[np.ndarray, "_ C _ _"]] | None = None
    pictures: list[UInt8[np.ndarray, "3 _ _"]] = field(default_factory=list)
    pending: deque[Int[np.ndarray, "H W"]] = field(default_factory=deque)
    finished: int = 0
    evidence: dict[int, _Evidence] = field(default_factory=dict)

    def checked(self, index: int, image: np.ndarray) -> np.ndarray:
        """The image, if it can follow those before."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise InputError(f"a frame is uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")
        height, width = self.size = self.size or (image.shape[0], image.shape[1])
        if image.shape[:2] != self.size:
            raise InputError(
                f"frame {index}: {image.shape[1]}x{image.shape[0]} pixels, the frames before have {width}x{height}"
            )
        return image

    def take(self, tubes: list[Tube], shape: tuple[int, ...], shared: int, fresh: int) -> None:
        """Joins the tubes of a clip to the tracks, and paints its frames as far as they are not handed out.

        Args:
            shape: T h w of the clip.
            shared: how many of its frames the clip before has too.
            fresh: how many of its frames are new.
        """
        labels = label_map(tubes, shape)
        assert self.features is not None, "tubes come from features"
        seen = sights(tubes, labels, self.features[2], self.stitcher.seen - shared)
        ids, new = self.stitcher.add(labels, seen, shared)
        for number, tube in zip(ids, tubes, strict=True):
            nothing = np.zeros_like(tube.class_probabilities)
            self.evidence.setdefault(number, _Evidence(nothing)).add(tube)
        visible = len(self.pending)
        assert self.size is not None, "tubes come from frames"
        painted = [
            paint([tube.probability[frame] for tube in tubes], labels[frame], ids, self.pictures[frame], self.size)
            for frame in range(shape[0] - visible - fresh, shape[0])
        ]
        merged = (merge(*pair, new) for pair in zip(self.pending, painted[:visible], strict=True))
        self.pending = deque([*merged, *painted[visible:]])
