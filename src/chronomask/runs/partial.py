"""What a run keeps beside its results until it is complete: one folder, which the next run finds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chronomask.claims import Output, check_outputs, explained, only, remove_empty
from chronomask.errors import InputError
from chronomask.files import make_folder, written_aside
from chronomask.locks import InUse, in_use, locked

PARTIAL, SPOOL, LOG = ".partial", "frames.db", "videos.jsonl"
"""Names: of the folder of a run whose results lie in a folder, of the spool in it, of a list of finished videos."""

_LOCK, _NAMES = "lock", "replaces.json"
_RESULTS, _REPLACED = "results", "replaced"
_KEPT = (f"{SPOOL}-journal", SPOOL, LOG)


@dataclass
class Workplace:
    """The folder in which a run works, and which nobody else writes to meanwhile.

    Whatever the run writes lies in it, so that one that is killed leaves nothing anywhere else.

    Attributes:
        folder: the folder.
        out: the folder of the results.
        worth_keeping: whether it stays behind should the run end by an error.
    """

    folder: Path
    out: Path
    worth_keeping: bool = False

    @property
    def results(self) -> Path:
        """A folder for results that are not complete yet."""
        folder = self.folder / _RESULTS
        folder.mkdir(exist_ok=True)
        return folder

    def claim(self, names: Sequence[str]) -> None:
        """Notes names of results that another run, which goes on with this one, may replace."""
        with written_aside(self.folder / _NAMES) as aside:
            aside.write_text(json.dumps(sorted({*names, *_claimed(self.folder)})))

    def publish(self, names: Sequence[str]) -> None:
        """Swaps complete results for what lies at their places.

        Args:
            names: in `results`. The last of them says that all are there: what is at its place goes first.
        """
        replaced = self.folder / _REPLACED
        replaced.mkdir(exist_ok=True)
        try:
            for name in (names[-1], *names[:-1]):
                if (self.out / name).exists() and (name == names[-1] or (self.out / name).is_dir()):
                    os.replace(self.out / name, replaced / name)
                if name != names[-1]:
                    os.replace(self.results / name, self.out / name)
            os.replace(self.results / names[-1], self.out / names[-1])
        finally:
            _put_back(replaced, self.out)


@contextmanager
def workplace(
    folder: Path, out: Path, shown: Path, resume: bool, go_on: str = "go on by --resume"
) -> Generator[Workplace, None, None]:
    """The folder of a run, gone when the block ends well, and what it keeps for another run when it does not.

    Args:
        folder: of the run.
        out: the folder of the results.
        shown: what messages say that is written to.
        resume: go on with what is there.
        go_on: how the user does that.

    Raises:
        InputError: another run writes there, or the disk is full or the place gone, which goes for the block too.
    """
    with ExitStack() as stack:
        stack.enter_context(explained([shown], lambda: go_on if folder.exists() else "start again"))
        stack.callback(remove_empty, [folder, *make_folder(folder)[1:]])
        stack.enter_context(locked(folder / _LOCK, shown))
        _put_back(folder / _REPLACED, out)
        _clear(folder, [] if not resume else [*_KEPT, _NAMES])
        place = Workplace(folder, out, worth_keeping=_can_go_on(folder))
        try:
            yield place
        except BaseException:
            _clear(folder, [*_KEPT, _NAMES] if place.worth_keeping else [])
            raise
        _clear(folder, [])


def check_claims(
    folder: Path, outputs: Sequence[Output], reads: Sequence[Path], roots: Sequence[Path], overwrite: bool
) -> None:
    """As `chronomask.claims.check_outputs`, but what the run that left a folder had claimed may be replaced."""
    ours = _claimed(folder)
    for mine in (True, False):
        claims = [output for output in outputs if (output.path.name in ours) == mine]
        check_outputs(claims, reads, roots, overwrite or mine)


def check_workplace(folder: Path, out: Path, shown: Path) -> None:
    """Finds out whether a run can work in a folder, and clears one that nothing can go on with: that of a run that was
    killed in its first or last step, whose results, old or new, are whole.

    Args: as for `workplace`.

    Raises:
        InputError: somebody does, or something else than what a run keeps is there.
    """
    if in_use(folder / _LOCK):
        raise InUse(f"{shown}: another run is writing there")
    ours = {_LOCK, _NAMES, _RESULTS, _REPLACED, *_KEPT}
    of_runs = only(lambda path: path.parts[0] in ours or path.parts[0].startswith(("chronomask-", ".replaces.")))
    check_outputs([Output(folder, of_runs)], overwrite=True)
    if folder.exists() and not _can_go_on(folder):
        with suppress(InputError), workplace(folder, out, shown, resume=False):
            pass


def _can_go_on(folder: Path) -> bool:
    return any((folder / name).exists() for name in _KEPT)


def _claimed(folder: Path) -> set[str]:
    """Names of the results that the run that left a folder had been allowed to replace, or had written itself."""
    try:
        names = json.loads((folder / _NAMES).read_text())
    except (OSError, ValueError, RecursionError):
        return set()
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _put_back(replaced: Path, out: Path) -> None:
    """What a run took away, and did not put its successor there; what has one goes."""
    for path in replaced.iterdir() if replaced.is_dir() else ():
        if not (out / path.name).exists():
            os.replace(path, out / path.name)
    shutil.rmtree(replaced, ignore_errors=True)


def _clear(folder: Path, kept: Sequence[str]) -> None:
    """Removes all else. What makes a run one to go on with goes first, and the names of its results last: killed in
    between, it is complete, and its results are still its own."""
    there = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    for name in [*_KEPT, *sorted(there.keys() - {*_KEPT, _NAMES}), _NAMES]:
        path = there.get(name)
        if path is None or name in (*kept, _LOCK):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
