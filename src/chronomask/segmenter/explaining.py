"""Why the pixels of a frame went where they went: what the network said of them, and what the clustering made of it.

Legend: T frames of a clip, H W pixels of the source, h w pixels at stride 4, K instances, E embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from chronomask.categories import OBJECT
from chronomask.engines.engine import Attentive, padded
from chronomask.errors import InputError
from chronomask.segmenter.found import FoundClip
from chronomask.segmenter.prompting import scene_of
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.sights import look_at
from chronomask.tracking.scene import Scene

STRIDES = (4, 8, 16, 32)
"""Of the levels that may have attention, in pixels of the picture that the network sees."""


@dataclass(frozen=True)
class Instance:
    """What the clustering found in a clip.

    Attributes:
        frame: number of the frame in which its seed lies, the pixel of the greatest heat.
        x, y: of the middle of the seed, in pixels of the source.
        heat: of the seed, in [0, 1].
        name: the most probable class of the tube that it became; empty where it became none: too small, or hardly an
            object.
        score: of that tube, in [0, 1]; 0 without.
    """

    frame: int
    x: float
    y: float
    heat: float
    name: str
    score: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """Maps of one frame, all at stride 4 of the picture that the network saw.

    Attributes:
        frame: its number.
        size: height and width of the source.
        picture: as the network saw it.
        heat: as centre of an instance, in [0, 1].
        foreground: probability of belonging to any; None where the network has no such output.
        embedding: in colours: the three directions in which the embeddings of the clip differ most. Where two objects
            have one colour, the network does not tell them apart.
        deviation: root of the pixel's own variance, geometric mean over the dimensions; coordinates are in units of
            half the short side. Small is sure.
        attention: weights of the space-time attention (eq. 2) in (0, 1), by the level's stride; empty where the model
            has none or the engine (onnxruntime) does not tell them.
        instances: of the whole clip, in the order in which they were found.
        membership: of every pixel in every instance (eq. 4), in [0, 1].
        owners: of every pixel the number of its instance, from 0; -1 where it is nobody's.
    """

    frame: int
    size: tuple[int, int]
    picture: UInt8[np.ndarray, "3 _ _"]
    heat: Float32[np.ndarray, "h w"]
    foreground: Float32[np.ndarray, "h w"] | None
    embedding: UInt8[np.ndarray, "h w 3"]
    deviation: Float32[np.ndarray, "h w"]
    attention: dict[int, Float32[np.ndarray, "_ _"]]
    instances: tuple[Instance, ...]
    membership: Float32[np.ndarray, "K h w"]
    owners: Int64[np.ndarray, "h w"]

    def at(self, x: int | float, y: int | float) -> PixelExplanation:
        """Of the pixel (x, y) of the source.

        Raises:
            InputError: it lies outside the frame.
        """
        height, width = self.size
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(f"pixel {x:g},{y:g}: lies outside the frame, which is {width}x{height}")
        rows, columns = self.heat.shape
        place = int(y * rows / height), int(x * columns / width)
        attention = {
            stride: float(values[int(y * values.shape[0] / height), int(x * values.shape[1] / width)])
            for stride, values in self.attention.items()
        }
        return PixelExplanation(
            heat=float(self.heat[place]),
            foreground=None if self.foreground is None else float(self.foreground[place]),
            colour=tuple(self.embedding[place].tolist()),
            deviation=float(self.deviation[place]),
            attention=attention,
            membership=tuple(self.membership[(slice(None), *place)].tolist()),
            owner=int(self.owners[place]),
        )


@dataclass(frozen=True)
class PixelExplanation:
    """What `Explanation` holds of one pixel; the same names mean the same.

    Attributes:
        colour: of the embedding.
        owner: number of the instance that has it, from 0; -1 where it is nobody's.
    """

    heat: float
    foreground: float | None
    colour: tuple[int, ...]
    deviation: float
    attention: dict[int, float]
    membership: tuple[float, ...]
    owner: int


class ClipExplainer:
    """The maps of the frames of a clip; the network runs once, when the first is asked for.

    >>> ClipExplainer(segmenter, images, first=120).frame(123).heat  # doctest: +SKIP

    Args:
        segmenter: computes the network.
        images: of the clip, uint8 RGB, H W 3; as many as the segmenter's clips have, at most.
        first: number of the first of them.

    Raises:
        InputError: see `sights.look_at`.
    """

    def __init__(self, segmenter: Segmenter, images: Sequence[np.ndarray] | np.ndarray, first: int = 0) -> None:
        self.segmenter = segmenter
        self.clip: FoundClip = look_at(segmenter, images, first)
        self.scene: Scene = scene_of(segmenter, self.clip)

    def frame(self, number: int) -> Explanation:
        """Of a frame of the clip, by its number in the video.

        Raises:
            InputError: it is not in the clip.
        """
        if not self.clip.begin <= number < self.clip.end:
            raise InputError(f"frame {number}: is not in this clip, which has {self.clip.begin} to {self.clip.end - 1}")
        at, outputs = number - self.clip.begin, self.scene.sight.outputs
        return Explanation(
            frame=number,
            size=self.clip.size,
            picture=self.clip.pictures[at],
            heat=outputs.heat[at],
            foreground=None if outputs.foreground is None else outputs.foreground[at],
            embedding=self._colours[at],
            deviation=np.exp(outputs.log_variance[:, at].mean(0) / 2),
            attention={stride: weights[at * len(weights) // self._length] for stride, weights in self._attention},
            instances=self._instances,
            membership=self.scene.instances[:, at],
            owners=self._owners[at],
        )

    @property
    def _length(self) -> int:
        return self.segmenter.config.clip_length

    @cached_property
    def _colours(self) -> UInt8[np.ndarray, "T h w 3"]:
        """The three main directions of the embeddings, from the 2nd to the 98th percentile of those of the foreground,
        so that what the background does there takes no colours away."""
        outputs = self.scene.sight.outputs
        points = outputs.embedding.reshape(len(outputs.embedding), -1)
        shown = np.flatnonzero(self.scene.foreground >= 0)
        known = points[:, shown] if len(shown) > len(points) else points
        mean = known.mean(1, keepdims=True)
        _, directions = np.linalg.eigh(np.cov(known))
        spread = directions[:, ::-1][:, :3].T @ (points - mean)
        low, high = np.percentile(directions[:, ::-1][:, :3].T @ (known - mean), (2, 98), axis=1)[:, :, None]
        shares = np.clip((spread - low) / np.maximum(high - low, 1e-6), 0, 1)
        missing = np.zeros((3 - len(shares), shares.shape[1]))
        colours = (np.concatenate([shares, missing]) * 255).round().astype(np.uint8)
        return np.moveaxis(colours.reshape(3, *self.scene.shape), 0, -1)

    @cached_property
    def _attention(self) -> list[tuple[int, Float32[np.ndarray, "_ _ _"]]]:
        """Stride and attention of every level that has it, finest first, without the padding."""
        engine = self.segmenter.engine
        if not isinstance(engine, Attentive):
            return []
        pixels = np.stack(self.clip.pictures)
        still = np.repeat(pixels[-1:], self._length - len(pixels), 0)
        frames = padded(np.concatenate([pixels, still]))
        found = []
        for weights in engine.attention(engine.encode(frames)):
            stride = frames.shape[2] // weights.shape[1]
            rows, columns = (-(-side // stride) for side in pixels.shape[2:])
            found.append((stride, weights[:, :rows, :columns]))
        return found

    @cached_property
    def _owners(self) -> Int64[np.ndarray, "T h w"]:
        """The instance of every pixel that a tube holds, -1 elsewhere; see `_tubes`."""
        owners = np.full(self.scene.shape, -1)
        for instance, tube in self._tubes.items():
            near = (slice(None), *self.scene.tubes[tube].box)
            owners[near][self.scene.tubes[tube].inside] = instance
        return owners

    @cached_property
    def _tubes(self) -> dict[int, int]:
        """The tube that each instance became: the one of whose pixels it has most. Some became none."""
        found = {}
        for number, tube in enumerate(self.scene.tubes):
            members = self.scene.instances[(slice(None), slice(None), *tube.box)][:, tube.inside]
            found[int(np.bincount(members.argmax(0), minlength=len(members)).argmax())] = number
        return found

    @cached_property
    def _instances(self) -> tuple[Instance, ...]:
        (height, width), (_, rows, columns) = self.clip.size, self.scene.shape
        heat, categories = self.scene.sight.outputs.heat, (*self.segmenter.engine.description.categories, OBJECT)
        found = []
        for number, (frame, row, column) in enumerate(self.scene.search.seeds):
            tube = self.scene.tubes[self._tubes[number]] if number in self._tubes else None
            place = ((column + 0.5) * width / columns, (row + 0.5) * height / rows)
            name = "" if tube is None else categories[int(tube.class_probabilities.argmax())].name
            score = 0.0 if tube is None else float(tube.objectness)
            found.append(Instance(self.clip.begin + frame, *place, float(heat[frame, row, column]), name, score))
        return tuple(found)
