"""What a caller says about a source that the source does not say itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Assumed:
    """Facts that some formats leave out. What a file does say is never overruled.

    Attributes:
        against: the annotation file that a plain submission list is for: its videos and categories.
        size: (width, height) in pixels, for CVAT files without a size and submission lists without a mask.
        length: number of frames, for MOTS text (which ends with the last mask) and CVAT files without a size.
        fps: frames a second, where the file does not say.
        first_frame: number of the first frame in MOTS text: 0 in KITTI MOTS, 1 in MOTSChallenge.
    """

    against: Path | None = None
    size: tuple[int, int] | None = None
    length: int | None = None
    fps: float | None = None
    first_frame: int = 0
