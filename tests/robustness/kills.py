"""A storm of kills: runs that are killed at random moments, again and again, end with what one in peace gives.

    python -m tests.robustness.kills --count 200 --seed 0

Runs go on until so many of them were killed. Each is a process of its own, forked, so that no time is lost by imports.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it

import torch
from pyarrow import parquet

from chronomask.errors import InputError
from chronomask.fleet.batch import batch
from chronomask.outputs.choice import Outputs
from chronomask.runs import segment as room
from chronomask.runs.predict import predict
from chronomask.runs.segment import segment_to_folder
from chronomask.segmenter import load
from chronomask.training.folder import run_folder
from chronomask.training.loop import train
from chronomask.video import open_source
from data.files import small_set
from films import film, moving_square
from fleet.stand_in import open_colour
from training.runs import MACHINE, SHORT, open_sources, thin_network

OUTPUTS = Outputs(masks="png", cutout="png", csv=True)


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Attributes:
        run: begins it in a folder, or goes on; returns when it is complete.
    """

    prepare: Callable[[Path], object]
    run: Callable[[Path, Path], object]


def _segment(inputs: Path, out: Path) -> None:
    room.segment_into = partial(room.segment_into, seconds=0.0)  # a snapshot behind every clip
    segment_to_folder(open_colour(), open_source(inputs / "a.mkv"), out, outputs=OUTPUTS, resume=True)


def _predict(inputs: Path, out: Path) -> None:
    out.mkdir(exist_ok=True)
    try:
        predict(open_colour(), inputs / "videos.json", inputs / "JPEGImages", out / "tracks.json")
    except InputError as error:  # it was complete, and killed while it removed its folder
        if "exists already" not in str(error):
            raise


def _films(folder: Path) -> None:
    for number in range(4):
        film(folder / f"{number}.mkv", moving_square(20 + number), "ffv1")


def _batch(inputs: Path, out: Path) -> None:
    load.load = open_colour
    batch(inputs, out, workers=2, outputs=OUTPUTS)


def _train(inputs: Path, out: Path) -> None:
    torch.set_num_threads(1)
    config, machine = replace(SHORT, steps=12), replace(MACHINE, checkpoint_every=2)
    with run_folder(out, []):
        train(thin_network(dropout=True), open_sources(inputs), config, out, machine)


KINDS = {
    "segment": Kind(lambda folder: film(folder / "a.mkv", moving_square(60), "ffv1"), _segment),
    "predict": Kind(small_set, _predict),
    "batch": Kind(_films, _batch),
    "train": Kind(small_set, _train),
}


class Fate(NamedTuple):
    """What happened to a run: whether something was killed in it, and whether it came to its end."""

    hit: bool
    over: bool


def forked(kind: Kind, inputs: Path, out: Path, seconds: float | None = None, share: float = 0.0) -> Fate:
    """Runs in a process of its own, in which something is killed after so many seconds.

    Args:
        share: which of the process and those that it started, from 0 to 1. One of the latter is no end of a run.
    """
    child, hit = os.fork(), False
    if child == 0:
        try:
            kind.run(inputs, out)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    if seconds is not None:
        time.sleep(seconds)
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            with suppress(ProcessLookupError, FileNotFoundError):  # it ends just now
                victims = [child, *_started_by(child)]
                os.kill(victims[int(share * len(victims))], signal.SIGKILL)
                hit = True
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"a run failed: exit code {code}")
    return Fate(hit, code == 0)


def _started_by(process: int) -> list[int]:
    """What works for a process; Python's own helpers, which have no part in the work, are left out."""
    children = [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def contents(folder: Path) -> dict[str, object]:
    """All files with what they hold, and all folders. Times, and what depends on them, are left out."""
    return {str(path.relative_to(folder)): _content(path) for path in sorted(folder.rglob("*"))}


def _content(path: Path) -> object:
    if path.is_dir():
        return "a folder"
    if path.suffix == ".pt":
        return _plain(torch.load(path, weights_only=True))  # their pickled form has names of the process
    if path.name == "log.csv":
        rows = csv.DictReader(io.StringIO(path.read_text()))
        return [{key: value for key, value in row.items() if key not in ("seconds", "memory")} for row in rows]
    if path.name == "manifest.log":
        return None
    if path.suffix == ".parquet":
        rows = parquet.read_table(path).to_pylist()
        return [{key: value for key, value in row.items() if key not in ("seconds", "attempts")} for row in rows]
    return path.read_bytes()


def _plain(value: object) -> object:
    """Tensors as bytes, however deep they lie."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


def check(out: Path, expected: dict[str, object], when: str) -> None:
    """Raises AssertionError where a folder holds anything else than is expected."""
    found = contents(out)
    other = sorted(file for file in {*found, *expected} if found.get(file) != expected.get(file))
    assert not other, f"{when}: not what the run in peace gave: {other}"


def storm(name: str, count: int, seed: int) -> str:
    """Kills so many runs of a kind; a line on them.

    Raises:
        AssertionError: a run ended otherwise than the one in peace, or left something.
    """
    kind, random, killed, ended = KINDS[name], Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as place:
        inputs, whole, out, temporary = (Path(place) / part for part in ("inputs", "whole", "out", "temporary"))
        inputs.mkdir()
        temporary.mkdir()
        kind.prepare(inputs)
        tempfile.tempdir = str(temporary)
        try:
            begun = time.monotonic()
            forked(kind, inputs, whole)
            seconds, expected = time.monotonic() - begun, contents(whole)
            while killed < count:
                fate = forked(kind, inputs, out, random.uniform(0, seconds), random.random())
                killed += fate.hit
                if not fate.over:
                    continue
                ended += 1
                check(out, expected, f"{name}, after {killed} kills")
                shutil.rmtree(out)
            forked(kind, inputs, out)
            check(out, expected, f"{name}, after {killed} kills")
            left = [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor")]
            assert not left, f"{name}: left {left}"
        finally:
            tempfile.tempdir = None
    return f"{name}: {killed} kills, seed {seed}, {ended + 1} runs came to their end, all as the one in peace"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="kills of each kind")
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in KINDS if given.kind == "all" else [given.kind]:
        print(storm(name, given.count, given.seed), flush=True)


if __name__ == "__main__":
    main()
