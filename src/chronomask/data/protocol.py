"""What every reader of annotations offers, whatever the files look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from chronomask.structures import Clip


@dataclass(frozen=True)
class InstanceInfo:
    """One annotated instance of an entry, as far as the annotation file tells without looking at pixels.

    Attributes:
        name: of its category in the file.
        class_id: the network's index, or NO_CLASS.
        area: pixels, mean over the frames in which it is annotated; None where the file does not say.
        frames: number of frames in which it is annotated.
        crowd: whether it is no instance of the clip: its pixels are ignored (crowds, categories mapped to `ignore`) or
            unknown (categories mapped to `drop`).
    """

    name: str
    class_id: int
    area: float | None
    frames: int
    crowd: bool


@runtime_checkable
class Reader(Protocol):
    """A data set of entries: videos, or stills, which are videos of one frame.

    Attributes:
        annotations: the file or folder that was opened, for messages.
        images: the folder that frames are read from.
        class_names: names of the categories in the files.
        notes: what reading it took for granted or left out.
        skipped: what was left out when it was opened with `skip_broken`, one message an entry or annotation.
    """

    annotations: Path
    images: Path
    class_names: tuple[str, ...]
    skipped: list[str]
    notes: list[str]

    def __len__(self) -> int:
        """Number of entries."""
        ...

    def name(self, index: int) -> str:
        """What people call entry number `index`."""
        ...

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) of its frames in pixels, as annotated."""
        ...

    def length(self, index: int) -> int:
        """Number of its frames; 1 for a still."""
        ...

    def instances(self, index: int) -> list[InstanceInfo]:
        """Its annotations: first those that are instances, in the order of the masks of `load`, then crowds."""
        ...

    def load(self, index: int, frames: Sequence[int] = (0,)) -> Clip:
        """The named frames, in the order given; only what they need is decoded.

        Raises:
            InputError: an image or mask of these frames is missing or broken; the message names file and entry.
        """
        ...


class WeightedSource(NamedTuple):
    """A reader and the share of the clips that come from it (relative to the other shares)."""

    reader: Reader
    weight: float
