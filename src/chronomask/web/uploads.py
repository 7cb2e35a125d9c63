"""What a browser sends: received within bounds, and nothing left of what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

VIDEOS = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".gif", ".flv", ".ogv", ".wmv")
"""Endings under which uploads are kept. What is in them decides; under any other name nothing is opened."""

FILES = (".json", ".xml", ".txt")
"""The same of files of tracks."""

_LONGEST = 200
"""Characters of a name."""


def checked_name(request: Request, endings: tuple[str, ...]) -> str:
    """The name that an upload has on the user's side: a label here, and never a path.

    Raises:
        HTTPException: it could be a path, or has none of the endings.
    """
    name = request.query_params.get("name", "")
    odd = any(letter in name for letter in "/\\") or not name.isprintable()
    if odd or not 0 < len(name.encode(errors="replace")) <= _LONGEST or name in (".", ".."):
        raise HTTPException(400, f"name {name[:60]!r}: must be the name of a file, without folders")
    if PurePosixPath(name).suffix.lower() not in endings:
        raise HTTPException(415, f"{name[:60]}: files that end in {' '.join(endings)} are taken")
    return name


async def received(request: Request, path: Path, most: int, free: int) -> None:
    """Writes the body of a request to a new file; removes it again when anything is wrong.

    Args:
        most: bytes.
        free: bytes that stay free on the disk.

    Raises:
        HTTPException: there are more bytes, or none, or no room for them.
    """
    stated = int(request.headers.get("content-length", "0"))
    if stated > most:
        raise HTTPException(413, f"{stated:,} bytes: at most {most:,} are taken; segment larger files by command")
    _check_room(path, stated, free)
    count = 0
    try:
        with path.open("xb") as file:
            async for piece in request.stream():
                count += len(piece)
                if count > most:
                    raise HTTPException(413, f"more than {most:,} bytes: at most these are taken")
                await run_in_threadpool(file.write, piece)
        if count == 0:
            raise HTTPException(400, "the upload is empty")
    except (HTTPException, ClientDisconnect, OSError) as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise HTTPException(507, f"the upload could not be kept: {error.strerror}") from error
        raise


def _check_room(path: Path, wanted: int, free: int) -> None:
    if shutil.disk_usage(path.parent).free - wanted < free:
        raise HTTPException(507, "the disk has no room for this upload")
