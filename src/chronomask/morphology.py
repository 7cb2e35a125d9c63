"""Growing masks.

Legend: H W pixels.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool


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
