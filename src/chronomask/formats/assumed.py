"""What a caller says about a source that the source does not say itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chronomask.bounds import check_rate
from chronomask.errors import InputError


@dataclass(frozen=True)
class Assumed:
    """Facts that some formats leave out. What a file does say is never overruled.

    Attributes:
        against: the annotation file that a plain submission list is for: its videos and categories.
        size: (width, height) in pixels, for files without a size and submission lists without a mask.
        length: number of frames, for MOTS text (which ends with the last mask) and CVAT files without a size.
        fps: frames a second, where the file does not say.
        first_frame: number of the first frame in MOTS text, read or written: 0 in KITTI MOTS, 1 in MOTSChallenge.
        footage: what the videos of the file were made of, in its order: video files or folders of frames, for files
            without a size.
        crowds_as_objects: takes crowds for single objects, in COCO files of Datumaro and CVAT: these flag every mask
            that is no polygon.
        stills: the pictures of a LabelMe folder are separate, whatever their size, and no frames of a video.
    """

    against: Path | None = None
    size: tuple[int, int] | None = None
    length: int | None = None
    fps: float | None = None
    first_frame: int = 0
    footage: tuple[str | Path, ...] = ()
    crowds_as_objects: bool = False
    stills: bool = False

    def __post_init__(self) -> None:
        if self.length is not None and self.length < 1:
            raise InputError(f"length {self.length}: must be 1 frame or more")
        if self.fps is not None:
            check_rate(self.fps)
        if self.first_frame < 0:
            raise InputError(f"first_frame {self.first_frame}: must be 0 or more")

    def size_of(self, number: int) -> tuple[int, int] | None:
        """(width, height) of the frames of video `number`, from 1; None where nobody said it.

        Raises:
            InputError: its footage cannot be opened.
        """
        if self.size is not None or number > len(self.footage):
            return self.size
        from chronomask.video import open_source

        source = open_source(self.footage[number - 1])
        return source.width, source.height
