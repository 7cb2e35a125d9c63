"""Growing masks, and how far from them pixels lie.

Legend: H W pixels.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32


def dilated(mask: Bool[np.ndarray, "H W"], by: int) -> Bool[np.ndarray, "H W"]:
    """The mask and all pixels that lie within a distance of it, which is measured by octagons."""
    for step in range(by):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        # Steps to the eight neighbours and steps to the four take turns.
        source = grown.copy() if step % 2 else mask
        grown[:, 1:] |= source[:, :-1]
        grown[:, :-1] |= source[:, 1:]
        mask = grown
    return mask


def distance(mask: Bool[np.ndarray, "H W"]) -> Float32[np.ndarray, "H W"]:
    """Distance of every pixel to the nearest pixel of the mask, between their middles; infinite for an empty mask."""
    height, width = mask.shape
    rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    above = np.maximum.accumulate(np.where(mask, rows, -np.inf))
    below = np.minimum.accumulate(np.where(mask, rows, np.inf)[::-1])[::-1]
    # The nearest in each column first; then, row by row, the nearest of what the columns have.
    within = np.minimum(rows - above, below - rows) ** 2
    across = (columns[:, None] - columns) ** 2
    return np.sqrt([(across + row).min(1) for row in within]).astype(np.float32)
