"""From one format to another: read anything, write anything, say what is lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from chronomask.errors import InputError
from chronomask.files import folder_written_aside, written_aside
from chronomask.formats import coco, cvat, davis, labelme, mots_png, mots_text, ytvis
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities, Format
from chronomask.formats.fit import fit
from chronomask.formats.label_maps import PixelKind, check_all_label_maps
from chronomask.formats.polygons import polygon_losses
from chronomask.formats.recognise import format_of_ending, recognise
from chronomask.formats.tracks import TracksFile


def capabilities(format: Format) -> Capabilities:
    """What a format can carry."""
    match format:
        case "youtube-vis":
            return ytvis.CAPABILITIES
        case "coco":
            return coco.CAPABILITIES
        case "mots-text":
            return mots_text.CAPABILITIES
        case "mots-png":
            return mots_png.CAPABILITIES
        case "davis":
            return davis.CAPABILITIES
        case "labelme":
            return labelme.CAPABILITIES
        case "cvat":
            return cvat.CAPABILITIES


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
    match format or recognise(path):
        case "youtube-vis":
            file = ytvis.read(path, assumed)
        case "coco":
            file = coco.read(path)
        case "mots-text":
            file = mots_text.read(path, assumed)
        case "mots-png":
            file = mots_png.read(path)
        case "davis":
            file = davis.read(path)
        case "labelme":
            file = labelme.read(path)
        case "cvat":
            file = cvat.read(path, assumed)
    if assumed.fps is None:
        return file
    return replace(file, videos=tuple(replace(v, fps=v.fps or assumed.fps) for v in file.videos))


def write(file: TracksFile, path: str | Path, format: Format | None = None, overwrite: bool = False) -> tuple[str, ...]:
    """Write tracks, whole or not at all.

    Args:
        file: names its videos.
        path: of a file for youtube-vis and coco, of an .xml file or a folder for cvat, else of a folder.
        format: by the path's ending if None: .json is youtube-vis, .xml cvat.
        overwrite: whether a file, or a folder that holds nothing but files of this kind, may be replaced.

    Returns:
        One sentence for every kind of thing that was lost; none if the file comes back equal.

    Raises:
        InputError: there is something at `path` that may not be replaced, or the format has no room for the tracks.
    """
    path = Path(path)
    format = format or format_of_ending(path)
    fitted = fit(file, capabilities(format))
    if not fitted.file.videos:
        raise InputError(f"{path}: nothing to write: no video has an object, and {format} holds objects alone")
    if format in ("youtube-vis", "coco") or (format == "cvat" and path.suffix == ".xml"):
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists already; name another file, or say --overwrite")
        with written_aside(path) as aside:
            _write(fitted.file, aside, format)
    else:
        if path.suffix in (".txt", ".png", ".json"):
            raise InputError(f"{path}: {format} is a folder with a file or folder for every video; name a folder")
        if overwrite and format in _PIXELS:
            check_all_label_maps(path, _PIXELS[format])
        with folder_written_aside(path, _SUFFIXES[format], overwrite) as aside:
            _write(fitted.file, aside, format)
    if capabilities(format).exact_pixels:
        return fitted.losses
    return (*fitted.losses, *polygon_losses(fitted.file))


_SUFFIXES: dict[Format, Collection[str]] = {
    "mots-text": (".txt",),
    "mots-png": (".png", ".txt"),
    "davis": (".png",),
    "labelme": (".json",),
    "cvat": (".xml",),
}
_PIXELS: dict[Format, PixelKind] = {"mots-png": mots_png.PIXELS, "davis": davis.PIXELS}


def _write(file: TracksFile, path: Path, format: Format) -> None:
    match format:
        case "youtube-vis":
            ytvis.write_tracks(path, file.videos, file.categories, file.tracks, file.info)
        case "coco":
            coco.write(file, path)
        case "mots-text":
            mots_text.write(file, path)
        case "mots-png":
            mots_png.write(file, path)
        case "davis":
            davis.write(file, path)
        case "labelme":
            labelme.write(file, path)
        case "cvat":
            cvat.write(file, path)
