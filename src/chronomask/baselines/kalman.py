"""Kalman filters of many boxes at a time, as DeepSORT has them (Wojke, Bewley and Paulus 2017, section 2.1).

A box is its centre, aspect ratio (width / height) and height; each of the four has a velocity of its own. Nothing ties
the four together: motion, noise and measurement are diagonal in them, so that the 8 x 8 covariance of the paper has
just three numbers a coordinate that are not zero. Kept that way, 200 filters are a dozen small products.

Legend: M tracks, N boxes; the 4 coordinates are x, y, aspect ratio and height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

POSITION, VELOCITY = 1 / 20, 1 / 160
"""Deviations of place and velocity, as shares of the height of a box."""


@dataclass(frozen=True, eq=False)
class Filters:
    """The state of M filters.

    Attributes:
        place: of the box.
        velocity: a frame.
        place_variance: of the coordinates.
        shared_variance: of coordinates with their velocities.
        velocity_variance: of the velocities.
    """

    place: Float64[np.ndarray, "M 4"]
    velocity: Float64[np.ndarray, "M 4"]
    place_variance: Float64[np.ndarray, "M 4"]
    shared_variance: Float64[np.ndarray, "M 4"]
    velocity_variance: Float64[np.ndarray, "M 4"]

    @classmethod
    def begun(cls, boxes: Float64[np.ndarray, "M 4"]) -> Filters:
        """Filters that have seen one box each, and know nothing of velocities."""
        nothing = np.zeros_like(boxes)
        place = _deviations(boxes[:, 3], 2 * POSITION, 1e-2) ** 2
        return cls(boxes, nothing, place, nothing, _deviations(boxes[:, 3], 10 * VELOCITY, 1e-5) ** 2)

    def predicted(self) -> Filters:
        """The filters one frame later."""
        height = self.place[:, 3]
        place_noise = _deviations(height, POSITION, 1e-2) ** 2
        velocity_noise = _deviations(height, VELOCITY, 1e-5) ** 2
        return Filters(
            self.place + self.velocity,
            self.velocity,
            self.place_variance + 2 * self.shared_variance + self.velocity_variance + place_noise,
            self.shared_variance + self.velocity_variance,
            self.velocity_variance + velocity_noise,
        )

    def corrected(self, which: Int[np.ndarray, " N"], boxes: Float64[np.ndarray, "N 4"]) -> Filters:
        """All filters, some of which have seen a box each.

        Args:
            which: those filters, each once.
            boxes: what they have seen.
        """
        spread = self._spread()[which]
        gain, velocity_gain = self.place_variance[which] / spread, self.shared_variance[which] / spread
        off = boxes - self.place[which]
        changes = (
            gain * off,
            velocity_gain * off,
            -gain * self.place_variance[which],
            -gain * self.shared_variance[which],
            -velocity_gain * self.shared_variance[which],
        )
        values = [values.copy() for values in self._values()]
        for value, change in zip(values, changes, strict=True):
            value[which] += change
        return Filters(*values)

    def distances(self, boxes: Float64[np.ndarray, "N 4"]) -> Float64[np.ndarray, "M N"]:
        """Squared Mahalanobis distance of every box from where it is expected, eq. (1)."""
        # As products of matrices, about the mean, so that large coordinates cost no digits.
        middle = self.place.mean(0) if len(self.place) else np.zeros(4)
        place, boxes, weight = self.place - middle, boxes - middle, 1 / self._spread()
        squares = (place * place * weight).sum(1)[:, None] + weight @ (boxes * boxes).T
        return squares - 2 * (place * weight) @ boxes.T

    @property
    def boxes(self) -> Float64[np.ndarray, "M 4"]:
        """The boxes that the filters expect: left, upper, right and lower edge."""
        x, y, aspect, height = self.place.T
        half_width, half_height = aspect * height / 2, height / 2
        return np.stack([x - half_width, y - half_height, x + half_width, y + half_height], 1)

    def only(self, which: np.ndarray) -> Filters:
        """Some of the filters."""
        return Filters(*(values[which] for values in self._values()))

    def joined(self, more: Filters) -> Filters:
        """These filters, and others behind them."""
        return Filters(*(np.concatenate(pair) for pair in zip(self._values(), more._values(), strict=True)))

    def _values(self) -> Sequence[Float64[np.ndarray, "M 4"]]:
        return self.place, self.velocity, self.place_variance, self.shared_variance, self.velocity_variance

    def _spread(self) -> Float64[np.ndarray, "M 4"]:
        """Variance of a measured box: that of the coordinates plus that of measuring them."""
        return self.place_variance + _deviations(self.place[:, 3], POSITION, 1e-1) ** 2


def measured(boxes: Float[np.ndarray, "N 4"]) -> Float64[np.ndarray, "N 4"]:
    """Boxes, given by their edges, as filters see them: centre, aspect ratio, height; no side is below one pixel."""
    left, upper, right, lower = boxes.astype(np.float64).T
    width, height = np.maximum(right - left, 1), np.maximum(lower - upper, 1)
    return np.stack([(left + right) / 2, (upper + lower) / 2, width / height, height], 1)


def _deviations(height: Float64[np.ndarray, " M"], share: float, aspect: float) -> Float64[np.ndarray, "M 4"]:
    """Standard deviations: of x, y and height a share of the height; of the aspect ratio always the same."""
    deviations = np.repeat(share * height[:, None], 4, 1)
    deviations[:, 2] = aspect
    return deviations
