"""Folders of files: in the order that people expect, and written whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from chronomask.errors import InputError
from chronomask.formats.tracks import VideoEntry


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorting key: runs of digits compare as numbers, all else as text."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]


def files_of(folder: Path, suffix: str) -> list[Path]:
    """Files with an ending, in natural order; what begins with a dot is the system's."""
    files = (file for file in folder.iterdir() if file.suffix.lower() == suffix and not file.name.startswith("."))
    return sorted(files, key=lambda file: natural(file.stem))


def video_folders(path: Path, suffix: str) -> list[Path]:
    """The folder itself where it holds files with that ending, else its sub-folders that do, in natural order.

    Raises:
        InputError: neither does, or `path` is no folder.
    """
    if not path.is_dir():
        raise InputError(f"{path}: {'must be a folder' if path.exists() else 'no such folder'}")
    if files_of(path, suffix):
        return [path]
    folders = [folder for folder in path.iterdir() if folder.is_dir() and files_of(folder, suffix)]
    if not folders:
        raise InputError(f"{path}: neither the folder nor a sub-folder holds {suffix} files")
    return sorted(folders, key=lambda folder: natural(folder.name))


def frame_stems(video: VideoEntry) -> list[str]:
    """Names, without an ending, for one file a frame: those of the video's own frames where they keep the order."""
    stems = [PurePosixPath(name).stem for name in video.file_names or ()]
    if stems and stems == sorted(set(stems), key=natural) and not any(stem.startswith(".") for stem in stems):
        return stems
    return [f"{frame:05d}" for frame in range(video.length)]


@contextmanager
def folder_written_aside(path: Path, suffixes: Collection[str], overwrite: bool) -> Generator[Path, None, None]:
    """Give a new folder beside `path`; rename it to `path` when the block ends well, remove it when it raises.

    Args:
        path: where the folder shall lie in the end.
        suffixes: endings of the files of this kind of folder. Only a folder that holds nothing else is replaced.
        overwrite: whether a folder that is not empty may be replaced.

    Raises:
        InputError: `path` is a file, a folder that may not be replaced, or cannot be made.
    """
    path = path.absolute()
    _check_replaceable(path, suffixes, overwrite)
    aside, old = (path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:8]}{end}") for end in ("", ".old"))
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"cannot make a folder in {path.parent}: {error.strerror}") from error
    try:
        yield aside
        if path.exists():
            os.replace(path, old)
        os.replace(aside, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        shutil.rmtree(aside, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check_replaceable(path: Path, suffixes: Collection[str], overwrite: bool) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"cannot write {path}: it is a file, a folder is to be made there")
    inside = sorted(entry for entry in path.rglob("*") if not entry.is_dir())
    if inside and not overwrite:
        raise InputError(f"{path}: the folder is not empty; name another one, or say --overwrite")
    for file in inside:
        if file.suffix.lower() not in suffixes:
            raise InputError(f"{path}: holds {file.relative_to(path)}, which is not replaced; name another folder")
