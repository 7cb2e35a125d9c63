"""Which videos a batch is about: from folders, patterns, lists and addresses to one entry a video.

Nothing here opens a video, so that ten thousand are listed in a moment.
"""

from __future__ import annotations

import csv
import glob
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import msgspec

from chronomask.errors import InputError, refusing
from chronomask.files import natural, spoken
from chronomask.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_FRAME_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in VIDEO_SUFFIXES)
"""Endings by which a folder counts as a video whose frames lie in it."""

_READ_BY_FFMPEG = ("http", "https", "file", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt")
"""Addresses that are opened where they are; all others are fetched first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A video.

    Attributes:
        source: what `open_source` or fsspec takes: a path or an address.
        stamp: differs where the content may: size and time of change, of a folder those of all that lies in it; empty
            where nobody says.
        name: wished for the folder of the results; empty for the file's own.
    """

    source: str
    stamp: str = ""
    name: str = ""


def listed(sources: Sequence[str], results: Path | None = None) -> list[Entry]:
    """All videos of some sources, each once, in natural order within each source.

    Args:
        results: a folder where patterns find nothing: `**/*.mp4` would match the overlays of the last call as well.
        sources: video files; folders, with all below them (a folder that holds images is a video of these frames);
            patterns; lists as .csv (a column `source`, or the first one; `name` if there) or .json (texts, or objects
            with `source` and `name`); addresses, also patterns of fsspec such as s3://bucket/*.mp4.

    Raises:
        InputError: there is nothing, a list cannot be read, or a package for the address is not installed.
    """
    found: dict[str, Entry] = {}
    for source in sources:
        for entry in _of_source(source, results):
            found.setdefault(entry.source, entry)
    if not found:
        raise InputError(f"{', '.join(sources) or 'no source'}: no video is there")
    return list(found.values())


def is_fetched(source: str) -> bool:
    """Whether a source lies where only fsspec can read it."""
    return bool(scheme := _scheme(source)) and scheme not in _READ_BY_FFMPEG


def fetch(source: str, path: Path, alive: Callable[[], None]) -> None:
    """Copies what lies at an address to a file.

    Args:
        alive: called as its parts come.

    Raises:
        InputError: it cannot be had.
    """
    system = _file_system(source)
    from fsspec.callbacks import Callback

    with refusing(source, "cannot be fetched"):
        system.get_file(_path_of(source), str(path), callback=Callback(hooks={"alive": lambda *_, **__: alive()}))


def _file_system(source: str) -> Any:
    """fsspec's file system for an address.

    Raises:
        InputError: there is none, or the package that it needs is missing.
    """
    scheme = _scheme(source)
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise InputError(f"{source}: {scheme}:// needs the package fsspec: pip install 'chronomask[batch]'") from error
    with refusing(source, f"{scheme}:// cannot be used"):
        try:
            return fsspec.filesystem(scheme)
        except ImportError as error:  # its words name the package
            raise InputError(f"{source}: {error}") from error


def _of_source(source: str, results: Path | None) -> Iterator[Entry]:
    path = Path(source)
    if path.is_dir():
        yield from _of_folder(path)
    elif path.suffix.lower() in (".csv", ".json") and path.is_file():
        yield from _of_list(path)
    elif path.is_file():
        yield _of_path(path)
    elif _scheme(source):
        yield from _of_address(source)
    elif glob.has_magic(source):
        for match in sorted(glob.glob(source, recursive=True), key=natural):
            for entry in _of_folder(Path(match)) if Path(match).is_dir() else [_of_path(Path(match))]:
                if results is None or not Path(entry.source).is_relative_to(results):
                    yield entry
    else:
        raise InputError(f"{source}: no such file or folder")


def _of_folder(folder: Path) -> Iterator[Entry]:
    """The videos of a folder and of all folders below it, hidden ones left out."""
    for place, folders, files in os.walk(folder, onerror=_cannot_be_read):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=natural)
        shown = sorted((name for name in files if not name.startswith(".")), key=natural)
        if any(name.lower().endswith(_FRAME_SUFFIXES) for name in shown):
            yield _of_path(Path(place))
        for name in shown:
            if name.lower().endswith(VIDEO_SUFFIXES):
                yield _of_path(Path(place, name))


def _cannot_be_read(error: OSError) -> None:
    raise InputError(f"{error.filename}: {error.strerror}") from error


def _of_path(path: Path, name: str = "") -> Entry:
    try:
        there = path.stat()
        stamp = _stamp_of(path) if stat.S_ISDIR(there.st_mode) else f"{there.st_size} {there.st_mtime_ns}"
    except OSError:
        return Entry(str(path), "", name)  # whoever opens it says what is wrong
    return Entry(str(path), stamp, name)


def _stamp_of(folder: Path) -> str:
    """The stamp of all files in a folder: a frame that is replaced does not change that of the folder."""
    with os.scandir(folder) as files:
        lines = sorted(f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files)
    return f"{len(lines)} files {zlib.crc32(os.fsencode('/'.join(lines))):08x}"


def _of_address(address: str, name: str = "") -> Iterator[Entry]:
    if not is_fetched(address):
        yield Entry(address, "", name)
        return
    system = _file_system(address)
    with refusing(address, "cannot be listed"):
        pattern = _path_of(address).rstrip("/")
        if glob.has_magic(pattern):
            found = system.glob(pattern, detail=True)
        elif system.isdir(pattern):
            found = system.find(pattern, detail=True)
        else:
            found = {pattern: system.info(pattern)}
    shared = len(os.path.commonpath(found)) if found else 0
    for path, info in sorted(found.items(), key=lambda item: natural(item[0])):
        hidden = "/." in path[shared:]
        if len(found) == 1 or (path.lower().endswith(VIDEO_SUFFIXES) and not hidden):
            stamp = next((str(info[key]) for key in ("ETag", "etag", "mtime", "created") if info.get(key)), "")
            yield Entry(f"{_scheme(address)}://{path}", f"{info.get('size', '')} {stamp}", name)


def _path_of(address: str) -> str:
    return address.partition("://")[2]


def _of_list(path: Path) -> Iterator[Entry]:
    """Paths in a list count from the folder of the list."""
    for place, source, name in _rows_of(path):
        if not source:
            raise InputError(f"{path}: {place}: names no source")
        if _scheme(source):
            yield from _of_address(source, name)
        else:
            yield _of_path(Path(os.path.normpath(path.parent / source)), name)


def _rows_of(path: Path) -> Iterator[tuple[str, str, str]]:
    """Where it stands, source and name of every entry of a list."""
    if path.suffix.lower() == ".json":
        with refusing(path, "is no list"):
            given = msgspec.json.decode(path.read_bytes(), type=list[str | dict[str, Any]])
        for number, row in enumerate(given):
            fields = {"source": row} if isinstance(row, str) else row
            source, name = fields.get("source", ""), fields.get("name", "")
            if not isinstance(source, str) or not isinstance(name, str):
                raise InputError(f"{path}: entry {number}: source and name must be texts")
            yield f"entry {number}", source, name
        return
    with refusing(path, "is no list"):
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    header = header if "source" in header else []
    column = header.index("source") if header else 0
    for number, row in enumerate(rows[1 if header else 0 :], 2 if header else 1):
        if any(cell.strip() for cell in row):
            cells = dict(zip(header, row, strict=False))
            yield f"line {number}", row[column].strip() if column < len(row) else "", cells.get("name", "").strip()


def _scheme(source: str) -> str:
    """The scheme of an address, such as "s3"; empty for a path."""
    scheme, found, _ = source.partition("://")
    return scheme.lower() if found and scheme.replace("+", "").replace("-", "").isalnum() else ""


def named(entries: Iterable[Entry], taken: dict[str, str], known: Callable[[str], str | None]) -> Iterator[str]:
    """The folder of the results of every entry: its file's name; where another has that, the folder before it as well.

    Args:
        taken: source by name, in small letters; grows.
        known: the name that an earlier run gave to a source.

    Raises:
        InputError: a name that was wished for is no name of a folder.
    """
    numbers: dict[str, int] = {}
    for entry in entries:
        name = known(entry.source) or _free(entry, taken, numbers)
        taken[name.lower()] = entry.source
        yield name


def _free(entry: Entry, taken: dict[str, str], numbers: dict[str, int]) -> str:
    """A name that nobody has; `numbers` are those with which to go on where many would be called the same."""
    if entry.name and (entry.name.startswith(".") or "\0" in entry.name or os.path.basename(entry.name) != entry.name):
        raise InputError(f"{entry.source}: name {entry.name!r}: must be the name of a folder")
    path = PurePosixPath(urlsplit(entry.source).path if _scheme(entry.source) else Path(entry.source).as_posix())
    last = path.name if Path(entry.source).is_dir() else path.stem
    parts = [spoken(part).strip("/.") for part in (*path.parts[:-1], last) if part.strip("/.")] or ["video"]
    for count in range(1, len(parts) + 1):
        name = entry.name or "-".join(parts[-count:])
        if taken.get(name.lower(), entry.source) == entry.source:
            return name
    number = numbers.get(name.lower(), 2)
    while f"{name}-{number}".lower() in taken:
        number += 1
    numbers[name.lower()] = number + 1
    return f"{name}-{number}"
