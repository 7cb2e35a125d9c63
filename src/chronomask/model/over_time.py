"""What the network does along time, as matrices: one product, where slices and sums would be a dozen operations.

Legend: T frames of a clip, t frames of a level, C channels, h w pixels of a level.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from chronomask.model.decoder import neighbours


def over_time(weights: Float[Tensor, "t T"], x: Float[Tensor, "T C h w"]) -> Float[Tensor, "t C h w"]:
    """Weighted sums of frames."""
    return (weights @ x.flatten(1)).reshape(-1, *x.shape[1:])


def joining(frames: int) -> Float[Tensor, "T 3*T"]:
    """Weights that add what a frame gets: from the frame before, from itself, and from the next."""
    weights = torch.zeros(frames, 3 * frames)
    for frame in range(frames):
        for tap, giver in enumerate((frame - 1, frame, frame + 1)):
            if 0 <= giver < frames:
                weights[frame, 3 * giver + tap] = 1
    return weights


def averaging(frames: int) -> Float[Tensor, "t T"]:
    """`squeeze.average_pool_time`: every frame that comes out is the mean of two or three."""
    rows = []
    for middle in range(0, frames, 2):
        row = torch.zeros(frames)
        row[max(0, middle - 1) : middle + 2] = 1
        rows.append(row / row.sum())
    return torch.stack(rows)


def lengthening(coarse: int, fine: int) -> Float[Tensor, "T t"]:
    """`decoder.expand` in time: every frame lies between two."""
    before, behind, share = neighbours(coarse, fine, torch.zeros(()))
    weights, rows = torch.zeros(fine, coarse), torch.arange(fine)
    weights[rows, before] += 1 - share
    weights[rows, behind] += share
    return weights
