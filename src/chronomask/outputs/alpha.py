"""From a mask to an alpha channel whose edge is as soft as that of the picture.

Legend: H W pixels, h w those around an object.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from chronomask.morphology import dilated
from chronomask.painting import EDGE_VARIANCE


def soft_alpha(
    image: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"], feather: float
) -> UInt8[np.ndarray, "H W"]:
    """The values of a guided filter (He et al. 2013) along the edge of a mask; 0 and 255 everywhere else.

    Where the picture has an edge beside that of the mask, alpha follows it; where it has none, it is a ramp.

    Args:
        image: RGB, whose brightness is followed.
        mask: of the object.
        feather: about how many pixels alpha takes from an end of its range to the middle, 0 for none.
    """
    radius = round(feather)
    alpha = mask.view(np.uint8) * np.uint8(255)
    box = Image.fromarray(mask.view(np.uint8)).getbbox()
    if radius == 0 or box is None:
        return alpha
    margin = 4 * radius
    place = np.s_[max(0, box[1] - margin) : box[3] + margin, max(0, box[0] - margin) : box[2] + margin]
    inside = mask[place]
    edge = dilated(inside, 2 * radius) & dilated(~inside, 2 * radius)
    level = _filtered(_brightness(image[place]), inside.astype(np.float32), radius)
    # Two means reach an eighth of the range at the distance of the radius: stretched, they reach its end.
    level = np.clip((level - 0.5) * np.float32(4 / 3) + 0.5, 0, 1)
    near = alpha[place]
    near[edge] = np.rint(255 * level[edge]).astype(np.uint8)
    return alpha


def _brightness(image: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """In [0, 1]: the mean of the channels."""
    total = np.add(image[..., 0], image[..., 1], dtype=np.uint16)  # ten times as fast as a mean over three values
    total += image[..., 2]
    return total.astype(np.float32) / np.float32(3) / np.float32(255)


def _filtered(
    guide: Float32[np.ndarray, "h w"], level: Float32[np.ndarray, "h w"], radius: int
) -> Float32[np.ndarray, "h w"]:
    mean, mean_level = _mean(guide, radius), _mean(level, radius)
    variance = _mean(guide * guide, radius) - mean * mean
    slope = (_mean(guide * level, radius) - mean * mean_level) / (variance + np.float32(EDGE_VARIANCE))
    return _mean(slope, radius) * guide + _mean(mean_level - slope * mean, radius)


def _mean(values: Float32[np.ndarray, "h w"], radius: int) -> Float32[np.ndarray, "h w"]:
    """Over windows that reach so far to all sides; beyond the edges the outermost values go on."""
    height, width = values.shape
    tall = values.take(np.arange(-radius, height + radius), 0, mode="clip")
    rows = tall[:height].copy()
    for shift in range(1, 2 * radius + 1):
        rows += tall[shift : shift + height]
    rows /= np.float32(2 * radius + 1)
    wide = np.empty((height, width + 2 * radius), np.float32)
    wide[:, :radius], wide[:, radius:-radius], wide[:, -radius:] = rows[:, :1], rows, rows[:, -1:]
    total = wide[:, :width].copy()
    for shift in range(1, 2 * radius + 1):
        total += wide[:, shift : shift + width]
    total /= np.float32(2 * radius + 1)
    return total
