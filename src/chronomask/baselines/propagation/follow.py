"""Objects carried through a whole video: from their first masks on (OSMN MaskProp, FEELVOS), or with detections (OSMN).

Legend: K objects, N detections, H W pixels of the video, h w cells at stride 4 of what the network sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from chronomask import rle
from chronomask.baselines.detections import Detection, FoundTrack, gainful_pairs
from chronomask.baselines.propagation.network import Levels, PropagationNetwork
from chronomask.config import SegmentConfig
from chronomask.config.checks import at_least, within
from chronomask.embedding import STRIDE
from chronomask.engines.engine import padded
from chronomask.painting import paint
from chronomask.segmenter.clips import shrunk

Image = UInt8[np.ndarray, "H W 3"]


@torch.inference_mode()
def propagated(
    network: PropagationNetwork,
    images: Iterable[Image],
    first: Mapping[int, Sequence[Detection]],
) -> list[FoundTrack]:
    """Carries masks to the end of a video. Who is no longer seen may come back.

    Args:
        network: in eval mode.
        images: all frames.
        first: objects by the frame in which they are first shown; their scores and classes are those of the tracks.
    """
    seen = _Video(network)
    objects: list[Detection] = []
    found: list[dict[int, Detection]] = []
    states: list[tuple[Any, slice]] = []
    masks = torch.zeros((0, 0, 0), dtype=torch.bool)
    for frame, image in enumerate(images):
        picture, levels = seen.look(image)
        if len(objects):
            likely = torch.cat([network.step(state, levels, masks[which]) for state, which in states])
            masks = _disjoint(likely)
            for number, mask in seen.painted(likely, picture).items():
                known = objects[number - 1]
                found[number - 1][frame] = Detection.of(mask, known.score, known.category_id)
        if new := list(first.get(frame, ())):
            theirs = seen.cells(new)
            masks = torch.cat([masks.reshape(-1, *theirs.shape[1:]), theirs])
            states.append((network.begun(picture, levels, theirs), slice(len(objects), len(objects) + len(new))))
            found += [{frame: detection} for detection in new]
            objects += new
    return [FoundTrack(track) for track in found if track]


@dataclass(frozen=True)
class OsmnConfig:
    """How what OSMN expects of a frame and what was detected there join.

    Attributes:
        minimum_iou: a detection joins a track from this IoU of the masks on.
        memory: frames for which a track waits for the next detection.
    """

    minimum_iou: float = 0.3
    memory: int = 5

    def __post_init__(self) -> None:
        within(self, 0, 1, "minimum_iou")
        at_least(self, 1, "memory")


@dataclass(eq=False)
class _Followed:
    """A track: what OSMN knows of it, where it was in the frame before, and its detections."""

    state: Any
    mask: Bool[Tensor, "h w"]
    detections: dict[int, Detection] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return next(reversed(self.detections))


@torch.inference_mode()
def matched(
    network: PropagationNetwork,
    images: Iterable[Image],
    frames: Iterable[Sequence[Detection]],
    matching: OsmnConfig = OsmnConfig(),
) -> list[FoundTrack]:
    """OSMN as Yang, Fan and Xu (2019, section 5.1) compare with it: by the mask that it expects, a track is given its
    detection; who is given to none begins a track.

    Args:
        network: in eval mode.
        images: all frames.
        frames: the detections of each.
        matching: how they join.
    """
    seen = _Video(network)
    live: list[_Followed] = []
    ended: list[_Followed] = []
    for number, (image, detections) in enumerate(zip(images, frames, strict=True)):
        picture, levels = seen.look(image)
        late = [track for track in live if number - track.last > matching.memory]
        live = [track for track in live if track not in late]
        ended += late
        masks = seen.cells(detections)
        for track in live:
            track.mask = network.step(track.state, levels, track.mask[None])[0] > 0.5
        iou = _iou([track.mask for track in live], masks)
        joined = {column: live[row] for row, column in gainful_pairs(iou - matching.minimum_iou)}
        for place, detection in enumerate(detections):
            if place not in joined:
                joined[place] = _Followed(network.begun(picture, levels, masks[place][None]), masks[place])
                live.append(joined[place])
            joined[place].detections[number] = detection
            joined[place].mask = masks[place]
    return [FoundTrack(track.detections) for track in ended + live]


class _Video:
    """Frames and masks as the network sees them: as large as ours does."""

    def __init__(self, network: PropagationNetwork) -> None:
        self.network = network
        self.size = self.shape = (0, 0)
        self.picture = np.zeros((3, 0, 0), np.uint8)

    def look(self, image: Image) -> tuple[UInt8[Tensor, "3 _ _"], Levels]:
        """The frame, shrunk and padded, and its pyramid."""
        self.size = image.shape[:2]
        self.picture = shrunk(image, SegmentConfig())
        pixels = torch.from_numpy(padded(self.picture[None]))
        self.shape = (pixels.shape[2] // STRIDE, pixels.shape[3] // STRIDE)
        return pixels[0], self.network.encoded(pixels)

    def cells(self, detections: Sequence[Detection]) -> Bool[Tensor, "N h w"]:
        """Their masks at stride 4 of the padded picture; none is empty."""
        height, width = (side // STRIDE for side in self.picture.shape[1:])
        masks = torch.zeros((len(detections), *self.shape), dtype=torch.bool)
        for place, detection in zip(masks, detections, strict=True):
            share = cv2.resize(
                rle.decode(detection.mask).astype(np.float32), (width, height), None, 0, 0, cv2.INTER_AREA
            )
            inside = (share >= 0.5) | ((share == share.max()) & (share > 0))
            place[:height, :width] = torch.from_numpy(inside)
        return masks

    def painted(self, likely: Float[Tensor, "K h w"], picture: UInt8[Tensor, "3 _ _"]) -> dict[int, rle.Rle]:
        """Masks at the size of the video by number from 1, along the edges of the picture, as the network's own are."""
        height, width = (side // STRIDE for side in self.picture.shape[1:])
        levels = list(likely[:, None, :height, :width].numpy().astype(np.float32))
        [canvas] = paint(levels, [(0, 0)] * len(levels), range(1, len(levels) + 1), [self.picture], self.size)
        return rle.encode_ids(canvas)


def _disjoint(likely: Float[Tensor, "K h w"]) -> Bool[Tensor, "K h w"]:
    """Masks of objects that were shown in different frames, and do not know of each other."""
    return (likely > 0.5) & (likely == likely.amax(0))


def _iou(masks: Sequence[Bool[Tensor, "h w"]], others: Bool[Tensor, "N h w"]) -> Float[np.ndarray, "K N"]:
    if not len(masks) or not len(others):
        return np.zeros((len(masks), len(others)))
    mine, theirs = torch.stack(list(masks)).flatten(1).float(), others.flatten(1).float()
    common = mine @ theirs.T
    union = mine.sum(1)[:, None] + theirs.sum(1) - common
    return (common / union.clamp(min=1)).numpy().astype(np.float64)
