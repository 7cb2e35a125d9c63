"""Entries of annotation files in the form that all readers share, and the reader over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from chronomask import rle
from chronomask.annotations.content import no_truth
from chronomask.annotations.masks import EncodedMasks
from chronomask.categories import Category
from chronomask.data.labels import FrameLabels, paint, to_masks
from chronomask.data.mapping import Meaning
from chronomask.data.protocol import InstanceInfo
from chronomask.errors import InputError
from chronomask.video.pictures import read_picture

if TYPE_CHECKING:
    from chronomask.structures import Clip  # brings PyTorch, which who counts or checks a data set does without


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object of an entry.

    Attributes:
        name: of its category in the file.
        meaning: its class, and what becomes of its pixels.
        segmentations: one a frame: run lengths, None, or what else the reader's `labels` understands.
        area: pixels, mean over the frames in which it is annotated; None where the file does not say.
    """

    name: str
    meaning: Meaning
    segmentations: Sequence[Any]
    area: float | None

    @property
    def frames(self) -> int:
        """Number of frames in which it is annotated; masks that are still encoded are not looked at."""
        masks = self.segmentations
        return masks.seen if isinstance(masks, EncodedMasks) else sum(mask is not None for mask in masks)


@dataclass(frozen=True, slots=True)
class Entry:
    """A video, or a still, which is a video of one frame.

    Attributes:
        name: what people call it.
        file_names: of its frames, relative to the folder of images.
        height, width: of its frames in pixels.
        annotations: instances first, in the order of their masks.
        complete: whether pixels outside all masks are background; else they are unknown.
    """

    name: str
    file_names: tuple[str, ...]
    height: int
    width: int
    annotations: tuple[Annotation, ...]
    complete: bool


class EntryReader:
    """A `Reader` over a list of entries; those of single forms derive from it.

    Args:
        annotations: the file or folder that was opened, for messages.
        images: the folder that file names are relative to.

    Attributes:
        title: what people call such data.
        file_categories: the categories of the data set, with its own ids.
        meanings: by the name of a category, what it is to the network.
        notes: what reading it took for granted or left out, one sentence each.
        entries: videos or stills.
        held_back: whether there are no annotations at all (`need_truth`).
    """

    title: str
    held_back: bool = False

    def __init__(self, annotations: Path, images: Path) -> None:
        self.annotations, self.images = annotations, images
        self.class_names: tuple[str, ...] = ()
        self.file_categories: tuple[Category, ...] = ()
        self.meanings: Mapping[str, Meaning] = {}
        self.skipped: list[str] = []
        self.notes: list[str] = []
        self.entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def frames(self) -> Iterator[str]:
        """Names of all images, relative to `images`."""
        return (name for entry in self.entries for name in entry.file_names)

    def need_truth(self) -> None:
        """Raises InputError where the annotations are held back, as in the public files of test sets."""
        if self.held_back:
            raise no_truth(self.annotations)

    def without(self, names: Sequence[str]) -> None:
        """Leaves out the entries of these names.

        Raises:
            InputError: there is no entry of that name.
        """
        if missing := sorted(set(names) - {entry.name for entry in self.entries}):
            raise InputError(f"{self.annotations}: no entry named {missing[0]}")
        gone = set(names)
        self.entries = [entry for entry in self.entries if entry.name not in gone]

    def name(self, index: int) -> str:
        """What people call entry number `index`."""
        return self.entries[index].name

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) of its frames in pixels, as annotated."""
        return self.entries[index].height, self.entries[index].width

    def length(self, index: int) -> int:
        """Number of its frames."""
        return len(self.entries[index].file_names)

    def instances(self, index: int) -> list[InstanceInfo]:
        """Its annotations, as `Reader.instances` has them."""
        return [
            InstanceInfo(
                name=annotation.name,
                class_id=annotation.meaning.class_id,
                area=annotation.area,
                frames=annotation.frames,
                crowd=annotation.meaning.role != "instance",
            )
            for annotation in self.entries[index].annotations
        ]

    def load(self, index: int, frames: Sequence[int] = (0,)) -> Clip:
        """The named frames, in the order given; each is decoded once, and only its masks are.

        Raises:
            InputError: an image or mask of these frames is missing or broken.
        """
        import torch

        from chronomask.structures import Clip

        entry, wanted = self.entries[index], list(frames)
        labels = {frame: self.labels(index, frame) for frame in set(wanted)}
        pixels = {frame: self.pixels(index, frame) for frame in labels}
        numbers, ignore, unknown = (np.stack(maps) for maps in zip(*(labels[frame] for frame in wanted), strict=True))
        class_ids = [info.class_id for info in self.instances(index) if not info.crowd]
        shown = f", frames {wanted}" if len(entry.file_names) > 1 else ""
        return Clip(
            frames=torch.stack([torch.from_numpy(pixels[frame]).permute(2, 0, 1) for frame in wanted]),
            masks=torch.from_numpy(to_masks(numbers, len(class_ids))),
            class_ids=torch.tensor(class_ids, dtype=torch.int64),
            ignore=torch.from_numpy(ignore),
            unknown=torch.from_numpy(unknown),
            source=f"{self.annotations.name}: {entry.name}{shown}",
        )

    def pixels(self, index: int, frame: int) -> UInt8[np.ndarray, "H W 3"]:
        """RGB 0-255 of one frame, as displayed (`chronomask.video.pictures`).

        Raises:
            InputError: missing or corrupt image, or another size than annotated.
        """
        entry = self.entries[index]
        return read_picture(self.images / entry.file_names[frame], (entry.width, entry.height))

    def labels(self, index: int, frame: int) -> FrameLabels:
        """One frame without its pixels.

        Raises:
            InputError: a mask is broken; the message names file and annotation.
        """
        entry = self.entries[index]
        instances: list[np.ndarray | None] = []
        others = {
            "ignore": np.zeros((entry.height, entry.width), dtype=bool),
            "drop": np.full((entry.height, entry.width), not entry.complete),
        }
        for annotation in entry.annotations:
            segmentation = annotation.segmentations[frame]
            mask = None if segmentation is None else rle.decode(segmentation)
            if annotation.meaning.role == "instance":
                instances.append(mask)
            elif mask is not None:
                others[annotation.meaning.role] |= mask
        labels = paint(instances, entry.height, entry.width)
        return FrameLabels(labels, others["ignore"] & (labels == 0), others["drop"])
