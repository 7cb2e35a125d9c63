"""What a run keeps beside its results until it is complete, and what it says when the disk is full."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av

from chronomask.errors import InputError
from chronomask.runs.interruption import Interrupted
from chronomask.runs.spool import KeptSpool, in_use

PARTIAL = ".partial"
"""Folder beside the results, in which a run keeps what it has until it is complete."""

_FRAMES = "frames.db"
"""The spool in it."""


@contextmanager
def kept_spool(out: Path, description: dict[str, Any], resume: bool) -> Generator[KeptSpool, None, None]:
    """A spool that stays behind, in `.partial`, when the block raises after something worth keeping was saved.

    Raises:
        InputError: the folder cannot be made, another run writes to it, or it holds the spool of another run.
    """
    partial, is_new = out / PARTIAL, not out.exists()
    if resume:
        _check_unused(out)
    else:
        remove_partial(out)
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {partial}: {error.strerror}") from error
    worth_keeping = True
    try:
        with KeptSpool(partial / _FRAMES, description) as spool:
            try:
                yield spool
            except Interrupted:
                raise
            except BaseException:
                worth_keeping = spool.snapshot is not None
                raise
            worth_keeping = False
    finally:
        if not worth_keeping:
            shutil.rmtree(partial)
            if is_new:
                with suppress(OSError):  # it holds something by now
                    out.rmdir()


def remove_partial(out: Path) -> None:
    """Removes what an earlier run kept, so that nobody goes on with it.

    Raises:
        InputError: that run is still at work.
    """
    _check_unused(out)
    shutil.rmtree(out / PARTIAL, ignore_errors=True)


def _check_unused(out: Path) -> None:
    path = out / PARTIAL / _FRAMES
    if path.exists() and in_use(path):
        raise InputError(f"{out}: another run is writing its results there")


@contextmanager
def full_disk_explained(out: Path, advice: str | None = None) -> Generator[None, None, None]:
    """A full disk is nobody's fault of ours: says so, and what to do; by default as it is with `kept_spool`."""
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        if error.errno != errno.ENOSPC:
            raise
        usual = "go on by --resume" if (out / PARTIAL).exists() else "start again"
        rest = f"make room and {advice or usual}"
        raise InputError(f"{out}: the disk is full, the results could not be written; {rest}") from error
