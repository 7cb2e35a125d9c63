"""What the networks of the compared systems may spend."""

from __future__ import annotations

from dataclasses import dataclass

from chronomask.config.checks import at_least

FRAMES = 16
"""A step sees so many frames, or the most that make whole clips."""


@dataclass(frozen=True)
class Budget:
    """What each network may spend.

    Attributes:
        steps: of FRAMES frames each.
        height, width: of the frames, in pixels.
        seed: of weights and data.
    """

    steps: int = 600
    height: int = 192
    width: int = 352
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, 1, "steps", "height", "width")
