"""What flows between the rooms of the package.

Legend: T frames, H W pixels, h w = H/4 W/4, K instances, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from chronomask.results import FrameResult

__all__ = ["NO_CLASS", "Clip", "FrameResult", "Tube"]

NO_CLASS = -1
"""Class index of an instance that is an object, but of no single known class; never a class target."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A short piece of annotated video, the unit of training.

    Attributes:
        frames: RGB pixels, 0-255.
        masks: one mask a frame for every instance; an instance that is out of sight keeps its place with empty masks.
            Masks are disjoint: where annotations overlap, the pixel belongs to the smaller instance.
        class_ids: network class indices 0..L-1, or NO_CLASS.
        ignore: pixels that enter no loss term (crowds, padding).
        unknown: pixels outside the labelled masks of which nobody said that they are background. They carry no
            background loss; that they do not belong to the labelled instances still holds.
        source: file and entry that the clip was made from, for messages.
    """

    frames: UInt8[Tensor, "T 3 H W"]
    masks: Bool[Tensor, "K T H W"]
    class_ids: Int64[Tensor, " K"]
    ignore: Bool[Tensor, "T H W"]
    unknown: Bool[Tensor, "T H W"]
    source: str


@dataclass(frozen=True, eq=False)
class Tube:
    """One instance found in one clip: the pixels that the greedy clustering of eq. (7) gave it.

    Attributes:
        probability: in [0, 1] at stride 4; above 0.5 just inside the tube. Half of the lower of membership (eq. 4) and
            foreground, each as a share of its threshold; 0 where other tubes were before, and far from the tube.
        class_probabilities: softmax of the class scores averaged over the tube.
        objectness: confidence in [0, 1] that this is one object, whatever its class.
        statistics: what that is computed from, see `TUBE_STATISTICS`.
    """

    probability: Float[Tensor, "T h w"]
    class_probabilities: Float[Tensor, " L"]
    objectness: float
    statistics: Sequence[float] = ()
