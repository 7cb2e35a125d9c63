"""From tubes at stride 4 to track ids at the size of the source.

Legend: K tubes, H W pixels of the source, h w stride-4 cells.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor

import numpy as np
import torch
from jaxtyping import Float, Int, Int16
from scipy.ndimage import find_objects
from torch import Tensor
from torch.nn import functional as F


def paint(
    probabilities: Float[Tensor, "K h w"], labels: Int16[np.ndarray, "h w"], ids: list[int], size: tuple[int, int]
) -> Int[Tensor, "H W"]:
    """Track ids of one frame at full size, 0 where no tube is: bilinear upsampling, cut at one half.

    Where two tubes meet, the one found first keeps the pixel, as in eq. (7). Only the box around a tube is upsampled,
    one tube at a time: ten tubes of a 4K frame at once would be a third of a gigabyte.

    Args:
        probabilities: of the tubes in this frame; above 0.5 inside.
        labels: 0 or k + 1 inside tube k, on the CPU.
        ids: track id of every tube.
        size: height and width of the source.

    Returns:
        On the device of the probabilities, in the smallest type that holds the ids.
    """
    device = probabilities.device
    rows, columns = (_interpolation(*pair, device) for pair in zip(labels.shape, size, strict=True))
    canvas = torch.zeros(size, dtype=_type_for(ids), device=device)
    for tube, box in reversed(list(enumerate(find_objects(labels, len(ids))))):
        if box is None:
            continue
        (ys, y_cells), (xs, x_cells) = (_reach(*extent) for extent in zip(box, labels.shape, size, strict=True))
        full = rows[ys, y_cells] @ probabilities[tube, y_cells, x_cells].float() @ columns[xs, x_cells].T
        canvas[ys, xs].masked_fill_(full > 0.5, ids[tube])
    return canvas


def _type_for(ids: list[int]) -> torch.dtype:
    return torch.int16 if max(ids, default=0) <= torch.iinfo(torch.int16).max else torch.int32


def _reach(box: slice, cells: int, pixels: int) -> tuple[slice, slice]:
    """The pixels along an axis that cells of the box have a share in, and all cells that have a share in those."""
    scale = pixels / cells
    first, last = (box.start - 0.5) * scale - 0.5, (box.stop + 0.5) * scale - 0.5
    return (
        slice(max(0, floor(first)), min(pixels, ceil(last) + 1)),
        slice(max(0, box.start - 1), min(cells, box.stop + 1)),
    )


@lru_cache(maxsize=8)
def _interpolation(cells: int, pixels: int, device: torch.device) -> Float[Tensor, "pixels cells"]:
    """Weights of linear interpolation along an axis."""
    identity = torch.eye(cells, device=device)[None]
    return F.interpolate(identity, size=pixels, mode="linear", align_corners=False)[0].T
