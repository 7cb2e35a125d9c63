"""Corrections spread through a clip as far as it looks alike: random walks with priors.

A walk starts at every pixel and goes on to neighbours of its frame and to its own place in the frames beside it, the
likelier the more alike they are, until it comes to a click, or ends on its way: then what was known before decides. The
probability that it ends inside of the object is the solution of a linear system (Grady, Random Walks for Image
Segmentation, 2006; with priors: Multilabel Random Walker Image Segmentation Using Prior Models, 2005), the minimum of

    sum over neighbours i, j of w_ij (x_i - x_j)^2  +  sum over pixels i of g_i (x_i - p_i)^2

Legend: T frames of a clip, h w pixels at stride 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

END = np.float32(0.005)
"""g of a pixel: how likely a walk ends there, beside 1 for a step to a neighbour that is quite alike."""

CLICK = np.float32(10)
"""g of a pixel of a click."""

CLOSE = 1e-3
"""The solver stops at residuals of this share of the first one."""

MOST = 300
"""Its steps at most."""


def spread(
    level: Float32[np.ndarray, "T h w"],
    said: Float32[np.ndarray, "T h w"],
    likeness: Sequence[Float32[np.ndarray, "_ _ _"]],
) -> Float32[np.ndarray, "T h w"]:
    """Probabilities after corrections.

    Args:
        level: probabilities p before, 0 to 1.
        said: 1 and 0 where a click says inside and outside; NaN elsewhere.
        likeness: w of neighbours along frames, rows and columns, above 0 to 1; each one shorter along its axis.
    """
    clicked = ~np.isnan(said)
    ends = np.where(clicked, CLICK, END)
    x = np.where(clicked, said, level)
    diagonal = ends.copy()
    for axis, some in enumerate(likeness):
        for neighbours in _sides(axis):
            diagonal[neighbours] += some
    # Conjugate gradients, preconditioned by the diagonal.
    residual = ends * x - _pulled(x, ends, likeness)
    scaled = residual / diagonal
    direction, product = scaled, np.vdot(residual, scaled)
    enough = CLOSE**2 * product
    for _ in range(MOST):
        if product <= enough:
            break
        pulled = _pulled(direction, ends, likeness)
        step = product / np.vdot(direction, pulled)
        x, residual = x + step * direction, residual - step * pulled
        scaled = residual / diagonal
        before, product = product, np.vdot(residual, scaled)
        direction = scaled + product / before * direction
    return x.clip(0, 1)


def _pulled(
    x: Float32[np.ndarray, "T h w"],
    ends: Float32[np.ndarray, "T h w"],
    likeness: Sequence[Float32[np.ndarray, "_ _ _"]],
) -> Float32[np.ndarray, "T h w"]:
    """The matrix of the system, times x."""
    y = ends * x
    for axis, some in enumerate(likeness):
        one, other = _sides(axis)
        flow = some * (x[other] - x[one])
        y[one] -= flow
        y[other] += flow
    return y


def _sides(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """All pixels that have a neighbour behind them along an axis, and these neighbours."""
    front = (slice(None),) * axis
    return (*front, slice(None, -1)), (*front, slice(1, None))
