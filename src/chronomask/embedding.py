"""The embedding space: coordinates of pixels, and the distance of eq. (4); one definition for training and inference.

Legend: E embedding dimensions, T frames, h w cells at stride 4, P pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

STRIDE = 4
"""Of the embedding, in pixels."""


def coordinates(
    dimensions: Sequence[str], length: int, rows: int, columns: int, size: tuple[int, int]
) -> Float32[np.ndarray, "E T h w"]:
    """What the embedding of a pixel holds of its place; to be added to the offsets that the network gives.

    x in +-max(1, W/H) and y in +-max(1, H/W) over the unpadded frame, t in +-1 over the clip, 0 in free dimensions.

    Args:
        dimensions: "y", "x", "t", "free" or "unit", see `ModelConfig.embedding`.
        length: T.
        rows: h.
        columns: w.
        size: height and width of the frames before padding, in pixels.
    """
    height, width = size
    grids = {
        "y": _centres(rows, height)[:, None] * np.float32(max(1.0, height / width)),
        "x": _centres(columns, width) * np.float32(max(1.0, width / height)),
        "t": np.linspace(-1, 1, length, dtype=np.float32)[:, None, None] * np.float32(length > 1),
        "free": np.float32(0),
        "unit": np.float32(0),
    }
    return np.stack([np.broadcast_to(grids[name], (length, rows, columns)) for name in dimensions])


def _centres(cells: int, side: int) -> Float32[np.ndarray, " cells"]:
    """Coordinates of the centres of cells along an axis of so many pixels, which goes from -1 to 1."""
    return (np.arange(cells, dtype=np.float32) + 0.5) * STRIDE * 2 / np.float32(side) - 1


def directed(embedding: Float[Any, "E *P"], unit: Float[Any, " E"]) -> Float[Any, "E *P"]:
    """The embedding, some of whose dimensions are brought to length 1 together; the others stay as they are.

    Args:
        embedding: an array of NumPy or a tensor of PyTorch, as the other.
        unit: 1 for dimensions that are together a direction ("unit"), 0 for others.
    """
    some = unit.reshape(-1, *(1,) * (embedding.ndim - 1))
    length = ((embedding * some) ** 2).sum(0) + 1e-12
    return embedding * (1 - some) + embedding * some / length**0.5


def squared_distance(
    embedding: Float[Any, "E *P"], mean: Float[Any, " E"], variance: Float[Any, " E"]
) -> Float[Any, "*P"]:
    """Squared Mahalanobis distance of pixels from an instance: sum over d of (e_d - mu_d)^2 / v_d.

    The membership of eq. (4), without its normalising constant, is exp(-distance / 2). As a density, eq. (4) could
    exceed 1, yet it is compared with 0.5 and regressed by a heat map in [0, 1]; this form peaks at 1.

    Args:
        embedding: arrays of NumPy or tensors of PyTorch, as the others.
    """
    shape = (-1, *(1,) * (embedding.ndim - 1))
    return ((embedding - mean.reshape(shape)) ** 2 / variance.reshape(shape)).sum(0)
