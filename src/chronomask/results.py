"""What a segmented video is handed out as.

Legend: H W pixels, K tracks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from chronomask.categories import Category


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The tracks of one frame, final: no later clip may change the masks or ids.

    Attributes:
        index: number of the frame in its source, from 0.
        time: presentation time in seconds.
        id_map: track id of every pixel, 0 where nobody is, at the display size and orientation of the source.
        track_ids: those of the map, ascending; stable over the video, from 1.
        category_ids: category ids as in the files (COCO's, 91-95, 0 = `object`); the running estimate.
        scores: how likely each mask is right, in [0, 1]; the running estimate.
        class_scores: how likely each name is right, in [0, 1]; the running estimate.
    """

    index: int
    time: float
    id_map: Int[np.ndarray, "H W"]
    track_ids: Int64[np.ndarray, " K"]
    category_ids: Int64[np.ndarray, " K"]
    scores: Float32[np.ndarray, " K"]
    class_scores: Float32[np.ndarray, " K"]

    @cached_property
    def masks(self) -> Bool[np.ndarray, "K H W"]:
        """One mask a track, disjoint, never empty. Made when first asked for: K times as large as the picture."""
        return self.id_map == self.track_ids.astype(self.id_map.dtype)[:, None, None]


@dataclass(frozen=True)
class TrackInfo:
    """A track as it is reported.

    Attributes:
        id: from 1.
        category: a class, or `object`.
        score: in [0, 1]; with the bundled weights, how likely the mask covers one object with an IoU of 0.5.
        class_score: in [0, 1]; how likely the name is right, whatever the mask: the probability of the class, and of an
            `object` that the most probable class is wrong.
    """

    id: int
    category: Category
    score: float
    class_score: float
