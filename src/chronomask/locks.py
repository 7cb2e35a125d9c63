"""Files that say that somebody is at work, and that a killed process lets go of."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from chronomask.errors import InputError


class InUse(InputError):
    """Raised where another run is at work."""


if os.name == "nt":
    import msvcrt

    def _try(handle: int) -> None:
        os.lseek(handle, 1 << 30, os.SEEK_SET)  # far behind the number, which others read
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


_held: set[int] = set()
"""The locked files of this process."""


def _let_go() -> None:
    """In a forked child, which may outlive its parent: a lock lasts until all who have the file open are gone."""
    for handle in _held:
        os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(path: Path, shown: Path) -> Generator[None, None, None]:
    """Keeps others, in this process too, out of a block. The file is there for as long as the block, or its process.

    Its lock, not the file, says that somebody works: one that a killed process left behind is taken over.

    Args:
        path: of the file; it holds the number of the process.
        shown: what messages say that is written to.

    Raises:
        InUse: somebody is at work.
        InputError: the file cannot be made.
    """
    handle = _taken(path, shown)
    _held.add(handle)
    try:
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        with suppress(OSError):  # others may have removed the folder; Windows removes no open file
            path.unlink()
        _held.discard(handle)
        os.close(handle)


def in_use(path: Path) -> bool:
    """Whether somebody is at work in a block with this file."""
    if not path.exists():
        return False
    handle = os.open(path, os.O_RDWR)
    try:
        _try(handle)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _taken(path: Path, shown: Path) -> int:
    """The open, locked file."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise InputError(f"cannot write {shown}: {error.strerror}") from error
        try:
            _try(handle)
        except OSError as error:
            os.lseek(handle, 0, os.SEEK_SET)
            pid = os.read(handle, 20).decode("ascii", "replace").strip()
            os.close(handle)
            raise InUse(f"{shown}: another run is writing there (process {pid or 'unknown'})") from error
        # Whoever had it may have removed it before it could be locked: then it keeps nobody out.
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            return handle
        os.close(handle)
