"""How likely a tube is to be one object: logistic regression on a few statistics of what the network says inside it.

Mean heat x mean membership ranks tubes, but promises too much for small and ragged ones. The coefficients belong to the
weights that they were fitted for (`training/calibration.py`), and are part of the model's configuration.

Legend: T frames, h w pixels at stride 4, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import numpy as np
from jaxtyping import Bool, Float32


def tube_statistics(
    heat: Float32[np.ndarray, "T h w"],
    membership: Float32[np.ndarray, "T h w"],
    foreground: Float32[np.ndarray, "T h w"] | None,
    inside: Bool[np.ndarray, "T h w"],
    class_probabilities: Float32[np.ndarray, " L"],
) -> list[float]:
    """The statistics of `chronomask.config.TUBE_STATISTICS` for one tube.

    Args:
        heat: as centre of an instance, in [0, 1].
        membership: of the tube (eq. 4), in [0, 1].
        foreground: probability; None where the network has no such output, which counts as 1.
        inside: the pixels of the tube.
        class_probabilities: of the tube.
    """
    size = max(1, int(np.count_nonzero(inside)))
    rows, columns = inside[:, 1:] != inside[:, :-1], inside[..., 1:] != inside[..., :-1]
    edges = int(np.count_nonzero(rows) + np.count_nonzero(columns))
    means = (
        1.0 if values is None else float(values[inside].sum(dtype=np.float64)) / size
        for values in (heat, membership, foreground)
    )
    return [1.0, log(size / len(inside)), *means, edges / size, float(class_probabilities.max())]


def tube_score(statistics: Sequence[float], coefficients: Sequence[float]) -> float:
    """Probability that the tube covers one object with an IoU of 0.5: the logistic function of the weighted sum."""
    return 1 / (1 + exp(-sum(c * s for c, s in zip(coefficients, statistics, strict=True))))
