"""A damaged input given to a command in this process, and whether it kept to the contract.

The contract: exit code 0 or 2, no traceback and no warning but those of Pillow, ten seconds of the processor and two
gigabytes of memory at most, and what succeeds is accepted by our own `validate`.
"""

from __future__ import annotations

import contextlib
import io
import resource
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.robustness.mutate import damage

from chronomask.cli import main
from chronomask.errors import InputError

SECONDS = 10
BYTES = 2**31


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        build: writes a sound one into a folder.
        run: uses what lies in the folder as a command does; returns the exit code.
        damaged: patterns of the files that are damaged.
    """

    build: Callable[[Path], object]
    run: Callable[[Path, Random], int]
    damaged: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of one mutant.

    Attributes:
        number: of the mutant; with the seed and the kind it is the same again.
        damage: what was done to the input.
        code: the exit code.
        failure: how it broke the contract; empty where it did not.
        seconds: of the processor that it took.
    """

    number: int
    damage: str
    code: int
    failure: str
    seconds: float


class _TooLong(BaseException):
    """Ten seconds are over."""


def outcomes(kind: Kind, name: str, seed: int, numbers: range) -> Iterator[Outcome]:
    """Of the mutants of these numbers."""
    with TemporaryDirectory() as place:
        sound, work = Path(place) / "sound", Path(place) / "work"
        sound.mkdir()
        kind.build(sound)
        if all(_of_copy(sound, work, lambda random: kind.run(work, random), number) for number in range(4)):
            raise AssertionError(f"{name}: the sound input is refused")
        for number in numbers:
            shutil.copytree(sound, work, symlinks=True)
            random = Random(f"{seed} {name} {number}")
            done = damage(sorted(file for pattern in kind.damaged for file in work.glob(pattern)), random)
            yield _outcome(number, done, lambda random=random: kind.run(work, random))
            shutil.rmtree(work)


def _of_copy(sound: Path, work: Path, run: Callable[[Random], int], number: int) -> int:
    shutil.copytree(sound, work)
    code = run(Random(number))
    shutil.rmtree(work)
    return code


def _outcome(number: int, done: str, run: Callable[[], int]) -> Outcome:
    start, code, failure = time.process_time(), -1, ""
    try:
        with _few_seconds(), _little_memory(), warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", module="PIL")
            code = run()
        if code not in (0, 2):
            failure = f"exit code {code}"
    except _TooLong:
        failure = f"more than {SECONDS} seconds\n{traceback.format_exc()}"
    except Exception:
        failure = traceback.format_exc()
    seconds = time.process_time() - start
    return Outcome(number, done, code, failure or ("too slow" if seconds > SECONDS else ""), seconds)


def command(*arguments: str | Path) -> int:
    """The exit code of a command line, whose output must be text that a terminal takes."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
        return main([str(argument) for argument in arguments])


def called(function: Callable[[], object]) -> int:
    """As the command line calls a function."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            function()
        except InputError as error:
            if not str(error).strip():
                raise AssertionError("an error without a message") from error
            return 2
    return 0


def accepted(code: int, *files: Path) -> int:
    """The code; where it is 0, our own `validate` must accept what was written."""
    for file in files if code == 0 else ():
        if command("validate", file) != 0:
            raise AssertionError(f"success, but validate refuses {file.name}: {file.read_text()[:2000]}")
    return code


@contextmanager
def _few_seconds() -> Generator[None, None, None]:
    def over(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _little_memory() -> Generator[None, None, None]:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
