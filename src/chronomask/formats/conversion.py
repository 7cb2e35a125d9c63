"""A whole conversion: from a file or folder of one format to one of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chronomask.claims import claimed
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Format
from chronomask.formats.convert import output_of, read, write
from chronomask.formats.training_data import check_footage, data_set, write_dataset


@dataclass(frozen=True)
class Conversion:
    """What came of it.

    Attributes:
        tracks, videos: how many were written.
        notes: what reading took for granted or left out, one sentence each.
        losses: what the new format has no room for, one sentence each.
    """

    tracks: int
    videos: int
    notes: tuple[str, ...]
    losses: tuple[str, ...]


def convert(
    source: str | Path,
    target: str | Path,
    to: Format | Literal["dataset"] | None = None,
    *,
    source_format: Format | None = None,
    video: Sequence[str | Path] = (),
    assumed: Assumed = Assumed(),  # noqa: B008  (frozen)
    overwrite: bool = False,
) -> Conversion:
    """Turns tracks from one format into another, and says what that loses.

    >>> chronomask.convert("result/tracks.json", "masks", to="davis").losses  # doctest: +SKIP

    Args:
        source: file or folder of tracks.
        target: file or folder to write.
        to: format of the target; may be left out for .json (youtube-vis) and .xml (cvat).
        source_format: found out by default.
        video: the video or folder of frames of every video of the file, in its order: for "dataset", and where the file
            does not say the size of its frames.
        assumed: what the file does not say.
        overwrite: whether the target may be replaced; a folder only where it holds nothing but files of that format.

    Raises:
        InputError: a file cannot be read, there is no room for the tracks, or the target may not be written.
    """
    source, target, footage = Path(source), Path(target), tuple(Path(path) for path in video)
    output = data_set(target) if to == "dataset" else output_of(target, to)
    with claimed([output], [source, assumed.against, *footage], overwrite=overwrite):
        file, losses = read(source, source_format, assumed), ()
        if to == "dataset":
            write_dataset(file, footage, target, overwrite)
        else:
            if footage:
                check_footage(file, footage)
            losses = write(file, target, to, overwrite)
    return Conversion(len(file.tracks), len(file.videos), file.notes, losses)
