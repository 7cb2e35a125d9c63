"""How much tracks have in common, without a bitmap on the way.

Legend: T frames, D results, G true objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from chronomask import rle
from chronomask.annotations.masks import Masks, differing_pixels
from chronomask.rle import Rle


def track_iou(found: Sequence[Masks], truth: Sequence[Masks]) -> Float64[np.ndarray, "D G"]:
    """Track IoU of YouTube-VIS: intersections summed over all frames, by unions summed over all frames; 0 / 0 is 0.

    All tracks are of one video. A frame without a mask counts as an empty mask, and no object as a crowd: COCO's
    evaluator would divide by the prediction there, YouTube-VIS does not.
    """
    if not found or not truth:
        return np.zeros((len(found), len(truth)))
    differing = np.array([[differing_pixels(ours, true) for true in truth] for ours in found])
    both = np.add.outer(areas_of(found).sum(1), areas_of(truth).sum(1))
    common = (both - differing) / 2
    return common / np.maximum(both - common, 1)


def box_iou(found: Sequence[Masks], truth: Sequence[Masks]) -> Float64[np.ndarray, "D G"]:
    """As `track_iou`, of the boxes around the masks."""
    if not found or not truth:
        return np.zeros((len(found), len(truth)))
    ours, true = (np.stack([_corners(masks) for masks in tracks]) for tracks in (found, truth))
    low = np.maximum(ours[:, None, :, :2], true[None, :, :, :2])
    high = np.minimum(ours[:, None, :, 2:], true[None, :, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1).sum(-1)
    sizes = [(boxes[..., 2:] - boxes[..., :2]).prod(-1).sum(-1) for boxes in (ours, true)]
    return common / np.maximum(np.add.outer(*sizes) - common, 1)


def _corners(masks: Masks) -> Float64[np.ndarray, "T 4"]:
    """Left, top, right and bottom of every frame; a box without size where nothing is in sight."""
    corners = np.zeros((len(masks), 4))
    seen = [t for t, mask in enumerate(masks) if mask is not None]
    if seen:
        corners[seen] = rle.coco_mask.toBbox([masks[t] for t in seen])
        corners[:, 2:] += corners[:, :2]
    return corners


def frame_intersections(found: Sequence[Masks], truth: Sequence[Masks]) -> Float64[np.ndarray, "T D G"]:
    """Pixels that each result shares with each true object in each frame; all tracks are of one video.

    The mask library compares all masks of a frame in one call and skips pairs whose boxes lie apart. Its ratio and
    the two areas give the intersection, a whole number, back exactly.
    """
    if not found or not truth:
        return np.zeros((len(found[0]) if found else 0, len(found), len(truth)))
    nothing = rle.from_run_lengths([found[0].height * found[0].width], found[0].height, found[0].width)
    frames = zip(_by_frame(found, nothing), _by_frame(truth, nothing), strict=True)
    flags = [0] * len(truth)  # no crowds: COCO's evaluator would divide by the prediction there
    iou = np.array([rle.coco_mask.iou(d, g, flags) for d, g in frames])
    both = areas_of(found).T[:, :, None] + areas_of(truth).T[:, None, :]
    return np.rint(iou * both / (1 + iou))


def _by_frame(tracks: Sequence[Masks], nothing: Rle) -> Iterator[list[Rle]]:
    for masks in zip(*tracks, strict=True):
        yield [nothing if mask is None else mask for mask in masks]


def areas_of(tracks: Sequence[Masks]) -> Int64[np.ndarray, "D T"]:
    """Areas of some tracks of one video, in pixels."""
    return np.stack([masks.areas for masks in tracks])
