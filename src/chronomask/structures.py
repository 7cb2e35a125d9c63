"""What flows between the rooms of the package.

Legend: T frames, H W pixels, h w = H/4 W/4, K instances, L classes.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Int64, UInt8
from torch import Tensor


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
