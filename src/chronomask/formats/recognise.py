"""Which format a file or folder has."""

from __future__ import annotations

from pathlib import Path

from chronomask.annotations.content import json_keys
from chronomask.errors import InputError
from chronomask.formats.capabilities import FORMATS, Format
from chronomask.formats.folder import all_files_of
from chronomask.formats.table import TABLE
from chronomask.video.pictures import opened


def recognise(path: Path) -> Format:
    """The format of a file or folder, by what it holds.

    Raises:
        InputError: there is nothing, or nothing that is known, or several kinds of files.
    """
    if path.is_dir():
        return _recognise_folder(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.suffix.lower() == ".json":
        keys = json_keys(path)
        return next(name for name in reversed(FORMATS) if (known := TABLE[name].is_json) and known(keys))
    kinds: dict[str, Format] = {".xml": "cvat", ".txt": "mots-text"}
    if path.suffix.lower() not in kinds:
        raise InputError(f"{path}: format not recognised; say --from {'|'.join(FORMATS)}")
    return kinds[path.suffix.lower()]


def _recognise_folder(path: Path) -> Format:
    for name in FORMATS:
        if (known := TABLE[name].is_folder) and known(path):
            return name
    if (path / "tracks.json").is_file():
        raise InputError(f"{path}: is the folder of a run; name {path / 'tracks.json'}")
    found = {
        suffix: files for suffix in (".png", ".json", ".xml", ".txt") if (files := list(all_files_of(path, suffix)))
    }
    found[".txt"] = [file for file in found.get(".txt", []) if file.name != "labels.txt"]
    kinds = [suffix for suffix, files in found.items() if files]
    if len(kinds) != 1:
        held = " and ".join(kinds) if kinds else "no .png, .json, .xml or .txt"
        raise InputError(
            f"{path}: holds {held} files, and so no format that is recognised; name the file or folder of the"
            f" annotations or results itself, or say which format it is: chronomask convert --from {'|'.join(FORMATS)}"
        )
    match kinds[0]:
        case ".xml":
            return "cvat"
        case ".txt":
            return "mots-text"
        case ".json":
            return "labelme"
    with opened(found[".png"][0]) as image:
        return "mots-png" if image.mode.startswith("I") else "davis"


def format_of_ending(path: Path) -> Format:
    """The format that a path to write asks for.

    Raises:
        InputError: it could be several.
    """
    kinds: dict[str, Format] = {".json": "youtube-vis", ".xml": "cvat"}
    if path.suffix not in kinds:
        raise InputError(f"{path}: which format? say --to {'|'.join(FORMATS)}")
    return kinds[path.suffix]
