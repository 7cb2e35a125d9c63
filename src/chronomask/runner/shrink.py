"""Shrinking frames for the network, to the last bit as PyTorch does it.

A grey level more or less here and there, as other libraries would give, moves the edges of weak tubes.

Legend: H W pixels of the source, h w pixels for the network.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from scipy.sparse import csr_array

from chronomask.config import SegmentConfig
from chronomask.runner.description import STRIDE


def shrunk(image: UInt8[np.ndarray, "H W 3"], config: SegmentConfig) -> UInt8[np.ndarray, "3 h w"]:
    """The image fitted into the box of the settings, in whole cells; see `inference.segment.network_size`.

    Along one axis after the other, every pixel is an average under a triangle that covers what it stands for.
    """
    height, width = image.shape[:2]
    scale = min(1.0, config.short_side / min(height, width), config.long_side / max(height, width))
    for side in (width, height):
        size = max(STRIDE, round(side * scale / STRIDE) * STRIDE)
        image = _resized(image.swapaxes(0, 1), size)
    return image.transpose(2, 0, 1)


def _resized(pixels: UInt8[np.ndarray, "before _ _"], size: int) -> UInt8[np.ndarray, "after _ _"]:
    """Along the first axis; unchanged where it has that size already."""
    before, *others = pixels.shape
    if before == size:
        return pixels
    weights, bits = _whole_weights(before, size)
    sums = weights @ pixels.reshape(before, -1).astype(np.int32)
    return ((sums + (1 << bits >> 1)) >> bits).clip(0, 255).astype(np.uint8).reshape(size, *others)


@lru_cache(maxsize=4)
def _whole_weights(before: int, after: int) -> tuple[csr_array, int]:
    """Weights of `after` averages of `before` pixels in units of 2^-bits, and bits: as many as 16-bit numbers allow."""
    scale = before / after
    reach = max(scale, 1.0)
    centre = (np.arange(after)[:, None] + 0.5) * scale
    place = np.arange(before) + 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(place - centre) / reach)
    weights /= weights.sum(1, keepdims=True)
    bits = int(np.floor(np.log2((2**15 - 0.5) / weights.max())))
    return csr_array(np.floor(weights * 2**bits + 0.5).astype(np.int32)), bits
