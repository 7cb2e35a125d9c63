"""A disk without room."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PAGES = 16


@contextmanager
def small_disk(folder: Path) -> Generator[bool, None, None]:
    """Makes an empty folder a file system of its own with little room, where that is allowed: root may, elsewhere.

    Yields:
        Whether it is one.
    """
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    mounted = os.name == "posix" and os.geteuid() == 0
    mounted = mounted and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def no_room(folder: Path, own: bool) -> Generator[None, None, None]:
    """Lets nothing be written for as long as the block runs, and much after it; folders and empty files can be made.

    Args:
        folder: on the disk.
        own: whether the disk is the folder's own. Otherwise no file may grow beyond some bytes, which fails as much.
    """
    if own:
        ballast = folder / ".ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        try:
            yield
        finally:
            ballast.unlink()
            subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_PAGES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
