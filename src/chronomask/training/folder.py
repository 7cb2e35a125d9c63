"""The folder of a training run: what is its own in it, who works there, and what a new run takes the place of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from chronomask.claims import Output, check_outputs, explained, remove_empty
from chronomask.errors import InputError
from chronomask.files import make_folder, remove_unfinished
from chronomask.locks import locked

DESCRIPTION, WEIGHTS, BEST = "config.json", "model.safetensors", "best.safetensors"
HEAD = "class-head.pt"
"""What is done of a class head for which time ran out."""
_FILES = (DESCRIPTION, WEIGHTS, BEST, HEAD, "log.csv", "skipped.txt", "validation.csv", "preview.png")
_FOLDERS = ("holdout", "pictures", "tensorboard")
_REPLACED = ".replaced"
VALIDATING = ".validating-"
"""Beginning of the name of a folder in which a validation keeps what it needs for as long as it runs."""


@contextmanager
def run_folder(out: Path, reads: Iterable[str | Path | None], overwrite: bool = False) -> Generator[None, None, None]:
    """Keeps other runs out of a folder for a block, and explains what the disk does to it meanwhile.

    Args:
        out: the folder.
        reads: all that is read.
        overwrite: whether files of another run, or of none, may be replaced.

    Raises:
        InputError: as `chronomask.claims.check_outputs`; another run works there; or, in the block, the disk is full.
    """
    check_outputs(outputs(out), reads, overwrite=overwrite or (out / DESCRIPTION).exists())
    with explained([out / DESCRIPTION], lambda: "give the same command again, which goes on"):
        new = make_folder(out)
        try:
            with locked(out / ".lock", out):
                for output in outputs(out):
                    remove_unfinished(output.path)
                for left in out.glob(f"{VALIDATING}*"):
                    shutil.rmtree(left, ignore_errors=True)
                yield
        finally:
            remove_empty(new)


def outputs(out: Path) -> list[Output]:
    """All that a run writes, as `chronomask.claims` takes it."""
    # What lies in its folders is the run's, which config.json says; without it, nothing is.
    files = [Output(path, inside=True) for path in (*(out / name for name in _FILES), *states(out))]
    return files + [Output(out / name, lambda folder: None, inside=True) for name in _FOLDERS]


def states(out: Path) -> list[Path]:
    """The files of all states to go on from, the newest last."""
    return sorted(out.glob("state-*.pt"))


def check_no_run(out: Path) -> None:
    """Raises InputError if there is what a run would replace, though there is no run."""
    if found := [output.path for output in outputs(out) if os.path.lexists(output.path)]:
        raise InputError(f"{found[0]}: exists already, and is of no run; name another folder, or say --overwrite")


def set_aside(out: Path) -> None:
    """Takes what lies there out of the way of a new run, which removes it when its first checkpoint is complete."""
    replaced = out / _REPLACED
    replaced.mkdir(exist_ok=True)
    for path in [output.path for output in outputs(out) if output.path.exists()]:
        if not (replaced / path.name).exists():
            os.replace(path, replaced / path.name)
        elif path.is_dir():  # of a run that did not come to its first checkpoint
            shutil.rmtree(path)
        else:
            path.unlink()


def is_replacing(out: Path) -> bool:
    """Whether something is set aside."""
    return (out / _REPLACED).is_dir()


def put_back(out: Path) -> None:
    """The opposite of `set_aside`, for a run that cannot begin, or was killed before it had begun."""
    there = list((out / _REPLACED).iterdir()) if is_replacing(out) else []
    for path in sorted(there, key=lambda path: path.name == DESCRIPTION):  # last: until then there is no run
        os.replace(path, out / path.name)
    remove_empty([out / _REPLACED])


def remove_replaced(out: Path) -> None:
    """Removes what was set aside."""
    shutil.rmtree(out / _REPLACED, ignore_errors=True)
