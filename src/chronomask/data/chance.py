"""Draws from a seeded generator: all chance of the training data comes from these.

Legend: K instances, T frames, H W pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """One number drawn uniformly from [low, high)."""
    return low + (high - low) * torch.rand((), generator=generator).item()


def below(count: int, generator: torch.Generator) -> int:
    """One whole number drawn uniformly from 0 to count - 1."""
    return int(torch.randint(count, (), generator=generator))


def choose(weights: torch.Tensor, generator: torch.Generator) -> int:
    """The number of one of the weights, drawn by their size."""
    return int(torch.multinomial(weights, 1, generator=generator))


def some_pixel(masks: Bool[np.ndarray, "K T H W"], generator: torch.Generator) -> tuple[float, float] | None:
    """(x, y) of a random pixel of a random instance, in any frame; None where no instance has one."""
    seen = [instance for instance, mask in enumerate(masks) if mask.any()]
    if not seen:
        return None
    pixels = np.flatnonzero(masks[seen[below(len(seen), generator)]].any(0))
    y, x = divmod(int(pixels[below(len(pixels), generator)]), masks.shape[3])
    return float(x), float(y)


def spaced_frames(total: int, length: int, stride: int, generator: torch.Generator) -> list[int]:
    """Numbers of `length` evenly spaced frames of a video of `total`, in either direction.

    The stride is smaller where the video is too short for it; one that is too short for any stands still at its end.
    """
    gaps = length - 1
    stride = min(stride, max(1, (total - 1) // max(1, gaps)))
    start = below(max(1, total - stride * gaps), generator)
    frames = [min(start + step * stride, total - 1) for step in range(length)]
    return frames[::-1] if below(2, generator) else frames
