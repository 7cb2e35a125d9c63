"""Folders of files, one a frame or one a video, in the order that people expect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.errors import InputError
from chronomask.files import natural


def files_of(folder: Path, suffix: str) -> list[Path]:
    """Files with an ending, in natural order; what begins with a dot is the system's."""
    files = (file for file in folder.iterdir() if file.suffix.lower() == suffix and not file.name.startswith("."))
    return sorted(files, key=lambda file: natural(file.stem))


def all_files_of(path: Path, suffix: str) -> Iterator[Path]:
    """As `files_of`, of a folder and then of the folders in it."""
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir())
    return (file for folder in (path, *folders) for file in files_of(folder, suffix))


def file_or_files_of(path: Path, suffix: str) -> list[Path]:
    """The files with an ending of a folder, or the one file that `path` is.

    Raises:
        InputError: there is none in the folder.
    """
    files = files_of(path, suffix) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: holds no {suffix} files")
    return files


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


def write_files(
    file: TracksFile, path: Path, ending: str, write: Callable[[TracksFile, VideoEntry, Path], None]
) -> None:
    """Write each video to a file of the folder `path`, or the only one to the file `path` if that is no folder.

    Raises:
        InputError: several videos for one file.
    """
    if path.is_dir():
        for video in file.videos:
            write(file, video, path / f"{video.name}{ending}")
    elif len(file.videos) == 1:
        write(file, file.videos[0], path)
    else:
        raise InputError(f"{len(file.videos)} videos do not fit into one {path.suffix} file; name a folder")


def frame_stems(video: VideoEntry) -> list[str]:
    """Names, without an ending, for one file a frame: those of the video's own frames where they keep the order."""
    stems = [PurePosixPath(name).stem for name in video.file_names or ()]
    usable = all(0 < len(stem) <= 60 and not stem.startswith(".") for stem in stems)  # systems allow 255 bytes
    if stems and usable and stems == sorted(set(stems), key=natural):
        return stems
    return [f"{frame:05d}" for frame in range(video.length)]
