"""What a format is: one file of this folder ends in one of these, and `table.py` lists them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from chronomask.annotations.content import JsonKeys
from chronomask.annotations.records import TracksFile
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.label_maps import PixelKind


@dataclass(frozen=True)
class FileFormat:
    """A format of annotations or tracks.

    Attributes:
        name: on the command line.
        capabilities: what it carries.
        read: gives the records of a file or folder; raises InputError naming file, entry, field and value.
        write: writes records that `fit` made to fit, to a path where nothing is yet; None where it is only read.
        counts_from: whether the number of the first frame is a choice, which `write` takes as its third argument.
        ending: of what is written as one file; none where that is a folder.
        held: endings of the files in a folder that is written: a folder with nothing else may be replaced.
        pixels: of such a folder's pictures, which tell it from one of photographs.
        is_json: whether a json file with these keys is of this format; None where it is no json, or one in a folder.
        is_folder: whether a folder is of this format; None where the endings of its files tell (`recognise`).
    """

    name: str
    capabilities: Capabilities
    read: Callable[[Path, Assumed], TracksFile]
    write: Callable[..., None] | None = None
    counts_from: bool = False
    ending: str = ""
    held: Collection[str] = ()
    pixels: PixelKind | None = None
    is_json: Callable[[JsonKeys], bool] | None = None
    is_folder: Callable[[Path], bool] | None = None
