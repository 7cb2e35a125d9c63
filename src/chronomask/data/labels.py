"""The pixels and the label map of a frame: one integer a pixel, in which masks are painted and warped.

Legend: T frames, H W pixels, K instances. In a label map 0 is no instance and k + 1 is instance k.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int16, UInt8
from torch import Tensor

from chronomask.video.pictures import read_picture


class FrameLabels(NamedTuple):
    """What is known of the pixels of one frame, as the fields of `Clip` have it.

    Attributes:
        labels: 0 nobody, k + 1 the k-th instance.
        ignore: pixels that enter no loss term.
        unknown: pixels of which nobody said that they are background.
    """

    labels: Int16[Tensor, "H W"]
    ignore: Bool[Tensor, "H W"]
    unknown: Bool[Tensor, "H W"]


def read_pixels(path: Path, height: int, width: int) -> UInt8[Tensor, "3 H W"]:
    """An image of a known size as RGB 0-255, as displayed (`chronomask.video.pictures`).

    Raises:
        InputError: missing or corrupt image, or another size than annotated.
    """
    return torch.from_numpy(read_picture(path, (width, height))).permute(2, 0, 1)


def paint(masks: Sequence[Bool[np.ndarray, "H W"] | None], height: int, width: int) -> Int16[Tensor, "H W"]:
    """The label map of one frame: 0 nobody, k + 1 the k-th mask; the smaller instance wins overlaps."""
    labels = np.zeros((height, width), np.int16)
    areas = [0 if mask is None else np.count_nonzero(mask) for mask in masks]
    for index in sorted(range(len(masks)), key=lambda i: -areas[i]):
        if (mask := masks[index]) is not None:
            labels[mask] = index + 1
    return torch.from_numpy(labels)


def to_masks(labels: Int16[Tensor, "T H W"], instances: int) -> Bool[Tensor, "K T H W"]:
    """One mask an instance."""
    numbers = torch.arange(1, instances + 1, dtype=torch.int16, device=labels.device)
    return labels == numbers.view(-1, 1, 1, 1)
