"""What a segmented video is handed out as. Apart from the other structures, so that it needs no PyTorch.

Legend: H W pixels, K tracks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The tracks of one frame, final: no later clip may change the masks or ids.

    Attributes:
        index: number of the frame in its source, from 0.
        time: presentation time in seconds.
        masks: one mask a track, disjoint, at the display size and orientation of the source; never empty.
        track_ids: stable over the video, from 1.
        category_ids: category ids as in the files (COCO's, 91-95, 0 = `object`); the running estimate.
        scores: confidence in [0, 1]; the running estimate.
    """

    index: int
    time: float
    masks: Bool[np.ndarray, "K H W"]
    track_ids: Int64[np.ndarray, " K"]
    category_ids: Int64[np.ndarray, " K"]
    scores: Float32[np.ndarray, " K"]
