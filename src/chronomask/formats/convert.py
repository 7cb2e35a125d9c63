"""From one format to another: read anything, write anything, say what is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chronomask.annotations.records import TracksFile
from chronomask.claims import Output, check_outputs, only_endings
from chronomask.errors import InputError
from chronomask.files import folder_written_aside, written_aside
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities, Format
from chronomask.formats.file_format import FileFormat
from chronomask.formats.fit import fit
from chronomask.formats.label_maps import check_all_label_maps
from chronomask.formats.polygons import polygon_losses
from chronomask.formats.recognise import format_of_ending, recognise
from chronomask.formats.table import TABLE


def capabilities(format: Format) -> Capabilities:
    """What a format can carry."""
    return TABLE[format].capabilities


def read(path: str | Path, format: Format | None = None, assumed: Assumed = Assumed()) -> TracksFile:  # noqa: B008
    """Read tracks.

    Args:
        path: a file or folder.
        format: of it; recognised by what it holds if None.
        assumed: what the caller says that the source may not say.

    Raises:
        InputError: naming file, entry, field and value of what is missing or cannot be meant.
    """
    path = Path(path)
    file = TABLE[format or recognise(path)].read(path, assumed)
    if assumed.fps is None:
        return file
    return replace(file, videos=tuple(replace(v, fps=v.fps or assumed.fps) for v in file.videos))


def write(
    file: TracksFile, path: str | Path, format: Format | None = None, overwrite: bool = False, first_frame: int = 0
) -> tuple[str, ...]:
    """Write tracks, whole or not at all.

    Args:
        file: names its videos.
        path: of a file for youtube-vis, coco and burst, of a file or a folder for cvat and sa-v, else of a folder.
        format: by the path's ending if None: .json is youtube-vis, .xml cvat.
        overwrite: whether a file, or a folder that holds nothing but files of this kind, may be replaced.
        first_frame: number of the first frame in MOTS text.

    Returns:
        One sentence for every kind of thing that was lost; none if the file comes back equal.

    Raises:
        InputError: there is something at `path` that may not be replaced, or the format has no room for the tracks.
    """
    path = Path(path)
    entry, written = _writable(path, format)
    check_outputs([output_of(path, format)], overwrite=overwrite)
    fitted = fit(file, entry.capabilities)
    if not fitted.file.videos:
        raise InputError(f"{path}: nothing to write: no video has an object, and {entry.name} holds objects alone")
    with written_aside(path) if _is_file(path, entry) else folder_written_aside(path) as aside:
        written(fitted.file, aside, *([first_frame] if entry.counts_from else []))
    if entry.capabilities.exact_pixels:
        return fitted.losses
    return (*fitted.losses, *polygon_losses(fitted.file))


def output_of(path: Path, format: Format | None = None) -> Output:
    """What `write` will write, for `chronomask.claims`.

    Raises:
        InputError: the format is only read, or the path has the ending of a file and the format is a folder.
    """
    entry, _ = _writable(path, format)
    if _is_file(path, entry):
        return Output(path)
    if path.suffix in (".txt", ".png", ".json"):
        raise InputError(f"{path}: {entry.name} is a folder with a file or folder for every video; name a folder")
    endings = only_endings(entry.held)

    def refusal(folder: Path) -> str | None:
        if entry.pixels:
            check_all_label_maps(folder, entry.pixels)
        return endings(folder)

    return Output(path, refusal)


def _writable(path: Path, format: Format | None) -> tuple[FileFormat, Callable[..., None]]:
    entry = TABLE[format or format_of_ending(path)]
    if entry.write is None:
        raise InputError(f"{path}: {entry.name} is read, but not written")
    return entry, entry.write


def _is_file(path: Path, entry: FileFormat) -> bool:
    return bool(entry.ending) and (not entry.held or path.suffix == entry.ending)
