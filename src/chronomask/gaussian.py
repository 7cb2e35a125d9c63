"""The Gaussian of an instance in embedding space, eqs. (3) and (4); one definition for training and inference.

Legend: E embedding dimensions, P pixels.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def membership(
    embedding: Float[Tensor, "E *P"], mean: Float[Tensor, " E"], variance: Float[Tensor, " E"]
) -> Float[Tensor, "*P"]:
    """Probability in [0, 1] that a pixel belongs to the instance: eq. (4) without its normalising constant.

    p = exp(-1/2 sum_d (e_d - mu_d)^2 / v_d). As a density, eq. (4) could exceed 1, yet it is compared with 0.5 and
    regressed by a heat map in [0, 1]; this form peaks at 1.
    """
    ones = (1,) * (embedding.ndim - 1)
    distance = (embedding - mean.view(-1, *ones)).square() / variance.view(-1, *ones)
    return (-0.5 * distance.sum(0)).exp()
