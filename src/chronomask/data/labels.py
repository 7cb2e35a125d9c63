"""The label map of a frame: one integer a pixel, in which masks are painted and warped.

Legend: T frames, H W pixels, K instances. In a label map 0 is no instance and k + 1 is instance k.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int16


class FrameLabels(NamedTuple):
    """What is known of the pixels of one frame, as the fields of `Clip` have it.

    Attributes:
        labels: 0 nobody, k + 1 the k-th instance.
        ignore: pixels that enter no loss term.
        unknown: pixels of which nobody said that they are background.
    """

    labels: Int16[np.ndarray, "H W"]
    ignore: Bool[np.ndarray, "H W"]
    unknown: Bool[np.ndarray, "H W"]


def paint(masks: Sequence[Bool[np.ndarray, "H W"] | None], height: int, width: int) -> Int16[np.ndarray, "H W"]:
    """The label map of one frame: 0 nobody, k + 1 the k-th mask; the smaller instance wins overlaps."""
    labels = np.zeros((height, width), np.int16)
    areas = [0 if mask is None else np.count_nonzero(mask) for mask in masks]
    for index in sorted(range(len(masks)), key=lambda i: -areas[i]):
        if (mask := masks[index]) is not None:
            labels[mask] = index + 1
    return labels


def to_masks(labels: Int16[np.ndarray, "T H W"], instances: int) -> Bool[np.ndarray, "K T H W"]:
    """One mask an instance."""
    return labels == np.arange(1, instances + 1, dtype=np.int16).reshape(-1, 1, 1, 1)
