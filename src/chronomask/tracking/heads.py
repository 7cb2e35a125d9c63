"""Small networks on what is known of single pixels, in NumPy.

Legend: N pixels, F features, T frames of a clip, h w pixels at stride 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32


class Head(NamedTuple):
    """Layers of weights with ReLUs between them, and the logistic function behind.

    Attributes:
        kernels, biases: of every layer; the first takes the features as they are.
    """

    kernels: tuple[Float32[np.ndarray, "_ _"], ...]
    biases: tuple[Float32[np.ndarray, " _"], ...]

    def __call__(self, features: Float32[np.ndarray, "F T h w"]) -> Float32[np.ndarray, "T h w"]:
        """Probabilities."""
        x = features.reshape(len(features), -1)
        for number, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            x = kernel @ (np.maximum(x, 0) if number else x) + bias[:, None]
        return (1 / (1 + np.exp(-np.clip(x[0], -30, 30)))).reshape(features.shape[1:])


class Heads(NamedTuple):
    """How likely a pixel belongs to an object.

    Attributes:
        clicked: from what `relations.of_click` says of the pixel.
        known: from what `relations.of_mask` says of it.
    """

    clicked: Head
    known: Head

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Heads:
        """From arrays named as in "clicked.0.kernel"."""
        heads = []
        for name in cls._fields:
            layers = range(sum(key.startswith(f"{name}.") and key.endswith(".kernel") for key in arrays))
            kernels, biases = (
                tuple(np.asarray(arrays[f"{name}.{layer}.{part}"], np.float32) for layer in layers)
                for part in ("kernel", "bias")
            )
            heads.append(Head(kernels, biases))
        return cls(*heads)

    def arrays(self) -> dict[str, np.ndarray]:
        """Inverse of `of`."""
        return {
            f"{name}.{layer}.{part}": values
            for name, head in zip(self._fields, self, strict=True)
            for part, layers in (("kernel", head.kernels), ("bias", head.biases))
            for layer, values in enumerate(layers)
        }
