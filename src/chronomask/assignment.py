"""Optimal assignment of rows to columns."""

from __future__ import annotations

import lap
import numpy as np
from jaxtyping import Float

from chronomask.errors import InputError


def assign(similarity: Float[np.ndarray, "R C"]) -> list[tuple[int, int]]:
    """The pairs of rows and columns whose similarities have the greatest sum; each is in one pair at most.

    Args:
        similarity: of every row with every column; neither side need be as long as the other, and both may be empty.

    Returns:
        As many pairs as the shorter side has members, in the order of rows. Who wants no poor ones leaves them out
        afterwards.

    Raises:
        InputError: a similarity is infinite or NaN, as those of features are that a network of broken weights gives.
    """
    if not np.isfinite(similarity).all():
        row, column = np.argwhere(~np.isfinite(similarity))[0]
        raise InputError(
            f"similarity of row {row} and column {column}: {similarity[row, column]} is not finite;"
            " where features are compared, the network's checkpoint gives numbers that are not"
        )
    if similarity.size == 0:
        return []
    # Halved, so that no difference overflows; from 0 to 1, for lap takes costs of a million for infinite.
    halves = similarity.astype(np.float64) / 2
    costs = halves.max() - halves
    costs /= costs.max() or 1.0
    _, columns, _ = lap.lapjv(costs, extend_cost=True)
    return [(row, int(column)) for row, column in enumerate(columns) if column >= 0]
