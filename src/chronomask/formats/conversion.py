"""A whole conversion: from a file or folder of one format to one of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chronomask.annotations.records import TracksFile
from chronomask.claims import claimed
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Format
from chronomask.formats.convert import output_of, read, write
from chronomask.formats.training_data import check_footage, data_set, write_dataset


@dataclass(frozen=True)
class Conversion:
    """What a conversion wrote, and what it lost.

    Attributes:
        tracks, videos: how many were written.
        notes: what reading assumed or left out, a sentence each.
        losses: what the new format has no room for, a sentence each.
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

    Examples:
        >>> done = chronomask.convert("instances.json", "masks", to="davis")
        >>> done.losses[0]
        'classes: 1 track written without a class: car'

    Args:
        source: file or folder of tracks.
        target: file or folder to write.
        to: format of the target. May be left out for .json (youtube-vis) and .xml (cvat).
        source_format: format of the source; found out by default.
        video: the videos, or folders of frames, that the tracks belong to, in the order of the file. Needed for
            "dataset", and if the file does not say the size of its frames.
        assumed: what the file does not say, such as the frame rate.
        overwrite: whether the target may be replaced. A folder is, only if it holds nothing but files of that format.

    Raises:
        InputError: a file cannot be read, the format has no room for the tracks, or the target may not be written.
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
            losses = write(file, target, to, overwrite, assumed.first_frame)
    return Conversion(
        len(file.tracks), len(file.videos), (*file.notes, *_where_pictures_lie(file, source, target)), losses
    )


def _where_pictures_lie(file: TracksFile, source: Path, target: Path) -> tuple[str, ...]:
    """A sentence where names of pictures hold beside the source, and not beside the json that was made of it."""
    name = next((video.file_names[0] for video in file.videos if video.file_names), None)
    if name is None or target.suffix != ".json" or (target.parent / name).is_file() or not (source / name).is_file():
        return ()
    return (f"{target}: names of pictures are relative to {source}; where they are needed, say --images {source}",)
