"""The one rule for what is written, which every command and run asks before it reads anything.

Nothing that a user has is replaced unasked, nothing is removed that is not replaced, and no output is an input. So all
outputs and inputs are named at once (`claimed`), and what cannot be meant is refused before the work begins:

- something is there already, and nobody said --overwrite;
- a folder is there with files of another kind than would be written, a file where a folder belongs, or the reverse;
- an output is an input, lies in one or holds one; links are looked through;
- an output is itself a link, whose owner may mean either of two files;
- the place cannot be written to, or somebody else is writing there now.

Whoever writes does so aside (`chronomask.files`): what was there stays until its successor is complete.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from chronomask.errors import FULL, InputError
from chronomask.files import make_folder, remove_unfinished
from chronomask.locks import locked

_LONGEST = 235
"""Bytes of a name: systems allow 255, and what is written aside has a longer one."""

_FULL_WORDS = ("no space left", "disk is full", "file too large", "quota exceeded", "failed writing file")
"""How libraries that have errors of their own say it."""


class DiskFull(InputError):
    """Raised where there is no room for an output."""


@dataclass(frozen=True)
class Output:
    """A file or folder that will be written.

    Attributes:
        path: where.
        refusal: of a folder: says why the one that is there, which is not empty, may not be replaced even if that is
            asked for; None where it may. Not given for a file.
        inside: whether it lies in a folder that the caller named, and is not named itself.
    """

    path: Path
    refusal: Callable[[Path], str | None] | None = None
    inside: bool = False

    @property
    def kind(self) -> str:
        return "file" if self.refusal is None else "folder"

    @property
    def instead(self) -> str:
        """What the caller can do where it may not be written."""
        return f"name another {'folder' if self.inside else self.kind}"


def only(ours: Callable[[Path], bool]) -> Callable[[Path], str | None]:
    """A refusal of folders that hold another file than ours.

    Args:
        ours: whether a file of this path, relative to the folder, is one that would be written.
    """

    def refusal(folder: Path) -> str | None:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or (not path.is_dir() and not ours(path.relative_to(folder))):
                return f"holds {path.relative_to(folder)}, which is not replaced"
        return None

    return refusal


def only_endings(endings: Collection[str]) -> Callable[[Path], str | None]:
    """A refusal of folders that hold files with other endings."""
    return only(lambda path: path.suffix.lower() in endings)


@contextmanager
def claimed(
    outputs: Sequence[Output],
    reads: Iterable[str | Path | None] = (),
    roots: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> Generator[None, None, None]:
    """Claims the places of outputs for the block that makes them, and explains what the disk does to them meanwhile.

    Args: as for `check_outputs`.

    Raises:
        InputError: as `check_outputs`; somebody is writing there; or, in the block, the disk is full or the place gone.
    """
    inputs, folders = list(reads), list(roots)
    check_outputs(outputs, inputs, folders, overwrite)
    with ExitStack() as stack:
        stack.enter_context(explained([output.path for output in outputs]))
        for output in outputs:
            place = _place(output.path)
            stack.callback(remove_empty, make_folder(place.parent))
            stack.enter_context(locked(place.with_name(f".{place.name}.lock"), output.path))
            remove_unfinished(place)
        check_outputs(outputs, inputs, folders, overwrite)  # somebody may have been there until now
        yield


def check_outputs(
    outputs: Sequence[Output],
    reads: Iterable[str | Path | None] = (),
    roots: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> None:
    """Finds out whether outputs may be written; writes nothing.

    Args:
        outputs: all of them.
        reads: files and folders that are read; of a folder, all that lies in it. None is left out.
        roots: folders in which files are found by names that stand elsewhere: an output may lie there, but not be a
            folder around one.
        overwrite: whether what is there may be replaced.

    Raises:
        InputError: naming the output, and what is against it.
    """
    inputs = [(path, Path(os.path.realpath(path))) for path in reads if path is not None]
    folders = [(path, Path(os.path.realpath(path))) for path in roots if path is not None]
    taken: set[Path] = set()
    for output in outputs:
        _check_name(output)
        place = _place(output.path)
        if place in taken:
            raise InputError(f"{output.path}: two outputs would lie there; {output.instead}")
        taken.add(place)
        _check_inputs(output, place, inputs, folders)
        _check_there(output, overwrite)
        _check_writable(output.path)


def check_frames(outputs: Iterable[Path], folder: Path, names: Iterable[str]) -> None:
    """Refuses outputs among the frames that a data set names, which are known once its file is read.

    Args:
        outputs: files that will be written.
        folder: that the names are relative to.
        names: of the frames.

    Raises:
        InputError: naming the output.
    """
    places = {str(_place(path)): path for path in outputs if path.exists()}
    resolved = cache(os.path.realpath)  # a video has one folder, and many frames
    for name in names if places else ():
        parent, last = os.path.split(os.path.join(folder, name))
        if (place := os.path.join(resolved(parent), last)) in places:
            raise InputError(f"{places[place]}: is read too; name another file")


@contextmanager
def explained(paths: Sequence[Path], advice: Callable[[], str] = lambda: "start again") -> Generator[None, None, None]:
    """What the system does to outputs is nobody's fault of ours: a full disk, a folder taken away in the middle.

    Args:
        paths: of the outputs.
        advice: what to do when there is room again.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # every writer has an error of its own
        if _is_full(error):
            where = f"{paths[0]}: the disk is full, the results could not be written"
            raise DiskFull(f"{where}; make room and {advice()}") from error
        if isinstance(error, OSError) and (place := _output_of(error, paths)):
            raise InputError(f"{place}: {error.strerror}: the results could not be written; {advice()}") from error
        if isinstance(error, UnicodeEncodeError):
            text = error.object[max(0, error.start - 20) : error.end + 20]
            raise InputError(
                f"{paths[0]}: cannot hold {text!r}, which is no UTF-8; rename what is called so"
            ) from error
        raise


def _is_full(error: BaseException) -> bool:
    text = str(error).lower()
    return getattr(error, "errno", None) in FULL or any(words in text for words in _FULL_WORDS)


def _output_of(error: OSError, paths: Sequence[Path]) -> Path | None:
    """The file that could not be used, if it lies where outputs do."""
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str | os.PathLike)]
    folders = [_place(path).parent for path in paths]
    for name in names:
        place = _place(Path(name))
        if any(folder in place.parents for folder in folders):
            return Path(name)
    return None


def _place(path: Path) -> Path:
    """Absolute, the links above it looked through."""
    path = Path(os.path.abspath(path))
    return Path(os.path.realpath(path.parent)) / path.name


def _check_name(output: Output) -> None:
    path = output.path
    if long := next((part for part in path.parts if len(os.fsencode(part)) > _LONGEST), None):
        raise InputError(f"{long[:40]}...: this name has {len(os.fsencode(long))} bytes; {_LONGEST} are possible")
    if "\0" in str(path):
        raise InputError(f"{str(path)!r}: a name without NUL is needed")
    if path.is_symlink():
        raise InputError(f"{path}: is a link to {os.readlink(path)}; name the {output.kind} itself, or remove the link")


def _check_inputs(
    output: Output, place: Path, reads: Iterable[tuple[str | Path, Path]], roots: Iterable[tuple[str | Path, Path]]
) -> None:
    for path, read in reads:
        if place == read or (place.exists() and read.exists() and place.samefile(read)):
            raise InputError(f"{output.path}: is read too; {output.instead}")
        if read in place.parents and place.exists() and read.is_dir():
            raise InputError(f"{output.path}: lies in {path}, which is read; {output.instead}")
    if output.refusal is not None:
        for path, read in (*reads, *roots):
            if place == read or place in read.parents:
                raise InputError(f"{output.path}: holds {path}, which is read; {output.instead}")


def _check_there(output: Output, overwrite: bool) -> None:
    path = output.path
    if not path.exists():
        return
    if output.refusal is None and path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder")
    if output.refusal is not None and not path.is_dir():
        raise InputError(f"cannot write {path}: it is a file, a folder is to be made there")
    if output.refusal is None and not path.is_file():
        raise InputError(f"cannot write {path}: it is no ordinary file")
    if output.refusal is not None and not any(path.iterdir()):
        return
    if not overwrite:
        raise InputError(f"{path}: exists already; {output.instead}, or say --overwrite")
    if output.refusal is not None and (reason := output.refusal(path)):
        raise InputError(f"{path}: {reason}; name another folder")


def _check_writable(path: Path) -> None:
    """Raises InputError unless the folder of a path is there, or can be made, and takes files."""
    there = next(folder for folder in Path(os.path.abspath(path)).parents if os.path.lexists(folder))
    if not there.is_dir():
        raise InputError(f"cannot make the folder {path.parent}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"cannot write {path}: {there} may not be written to")


def remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it holds something, and stays
            folder.rmdir()
