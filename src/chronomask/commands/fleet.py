"""The command for many videos: batch."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import Positional

from chronomask.commands.naming import listed
from chronomask.commands.options import ModelOptions
from chronomask.commands.progress import bar
from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.outputs.choice import Outputs
from chronomask.terminal import begin, note, tell

if TYPE_CHECKING:
    from chronomask.fleet.manifest import Row
    from chronomask.fleet.schedule import Standing, Watch


@dataclass(frozen=True)
class CrewOptions:
    """Who does the work, and how much of it at a time; the names are those that `fleet.batch.batch` has for them.

    Attributes:
        ray: do the work on a Ray cluster, by its address: auto, or HOST:6379 (extra cluster). All its machines must see
            sources, model and OUT under the same paths.
        workers: processes; by default one for every core, on a cluster as many as there is room for.
        threads: cores of each worker; by default its share of the cores of this machine, on a cluster one.
        attempts: how many times a video is tried whose process died.
        stall: seconds without a frame after which a process is ended, as where a decoder hangs; its video counts as
            failed. 0 to wait for ever.
        piece: videos of many more frames are cut into pieces of about so many frames, for several workers; the tracks
            are those of the whole video. 0 to cut none.
    """

    ray: str | None = None
    workers: int | None = None
    threads: int | None = None
    attempts: int = 3
    stall: float = 600.0
    piece: int = 1500


def batch(
    sources: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="SOURCES...")] = (),
    /,
    out: Path | None = None,
    status: Path | None = None,
    crew: Annotated[CrewOptions, tyro.conf.arg(name="")] = CrewOptions(),
    log_json: bool = False,
    metrics_port: int | None = None,
    network: Annotated[ModelOptions, tyro.conf.arg(name="")] = ModelOptions(),  # noqa: B008
    classes: str = "",
    every: int = 1,
    fps: float = 25.0,
    overwrite: bool = False,
    outputs: Annotated[Outputs, tyro.conf.arg(name="")] = Outputs(overlay=False),  # noqa: B008
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(),  # noqa: B008
) -> int:
    """Segment thousands of videos, each into a folder of its own, with all cores.

    Give the same command again after a kill, a crash or a full disk: what is done stays, and the rest is done. A video
    that cannot be segmented does not stop the others, nor does one that kills the process that works on it; in the end
    all of these are listed, and the exit code is 2.

    Writes OUT/NAME/tracks.json and what else `chronomask segment` writes, and OUT/manifest.parquet: a row for every
    video with its source, hash, state, attempts, seconds, frames, tracks and error (pip install 'chronomask[batch]').

    Args:
        sources: video files; folders, with all that is below them (a folder of images is one video); patterns; lists
            as .csv or .json with a column `source`; addresses, such as http://... or s3://bucket/*.mp4 (extra s3).
        out: folder for the results; made if missing.
        status: print how far the batch in this folder is, running or not, and which videos failed; nothing else is
            done.
        crew: the options below.
        log_json: print a line of json for every video that is begun, done or failed, instead of a progress bar.
        metrics_port: serve the standing as Prometheus reads it, at http://HOST:PORT/metrics.
        network: the options below.
        classes: only tracks of these classes, names joined by commas; all by default.
        every: look at every n-th frame only.
        fps: frames a second of images.
        overwrite: replace results that are there, and what was done with other settings.
        outputs: what is written beside tracks.json and results.json.
        config: the settings below.
    """
    if status is not None:
        return _print_status(status)
    if out is None:
        raise InputError("out: name a folder for the results by --out")
    begin(f"opening {len(sources)} sources")

    from chronomask.fleet.batch import batch as run

    if find_spec("pyarrow") is None:
        note("manifest.parquet is left out: it needs pyarrow: pip install 'chronomask[batch]'")
    began = time.monotonic()
    with _interruption_told(), _watched(log_json, metrics_port, quiet=crew.ray is not None) as watch:
        rows = run(
            sources,
            out,
            network.name,
            **asdict(crew),
            **network.computing,
            classes=listed(classes),
            outputs=outputs,
            every=every,
            fps=fps,
            config=config,
            overwrite=overwrite,
            watch=watch,
        )
    print(f"{_summary(rows)} in {time.monotonic() - began:,.1f} s: {out}", file=sys.stderr if log_json else sys.stdout)
    _print_failures(rows)
    return 2 if any(row.state != "done" for row in rows) else 0


@contextmanager
def _interruption_told() -> Generator[None, None, None]:
    try:
        yield
    except KeyboardInterrupt:
        tell("what is done stays, and the same command goes on")
        raise


def _print_status(root: Path) -> int:
    """How far a batch is; the exit code is that of the batch, were it to end now."""
    from chronomask.fleet.manifest import FOLDER, LOCK, read_rows
    from chronomask.locks import in_use

    rows, active = read_rows(root), in_use(root / FOLDER / LOCK)
    print(f"{root}: {'at work' if active else 'nobody is at work'}; {_summary(rows)}")
    for row in rows:
        if row.state == "running":
            print(f"{'at work on' if active else 'interrupted'}: {row.source}")
    _print_failures(rows)
    return 0 if all(row.state in ("done", "left out") for row in rows) else 2


def _summary(rows: Sequence[Row]) -> str:
    from chronomask.fleet.manifest import counts

    states = ", ".join(f"{count:,} {state}" for state, count in counts(rows).items() if count)
    frames, tracks = sum(row.frames for row in rows), sum(row.tracks for row in rows)
    return f"{len(rows):,} videos ({states}), {frames:,} frames, {tracks:,} tracks"


def _print_failures(rows: Sequence[Row]) -> None:
    """What failed, and before it what is done as far as it could be decoded."""
    for row in sorted(rows, key=lambda row: row.state == "failed"):
        where = "" if row.source in row.error else f"{row.source}: "
        if row.state == "failed":
            tries = "" if row.attempts == 1 else f" ({row.attempts} attempts)"
            tell(f"{where}{row.error}{tries}")
        elif row.state == "done" and row.error:
            frames = f"{row.frames:,} frames were segmented"
            tell(f"{where}{row.error}; {frames}", "warning")


@contextmanager
def _watched(log_json: bool, port: int | None, quiet: bool) -> Generator[Watch, None, None]:
    """Who is told what changes: a progress bar or lines of json, and the server of the metrics.

    Args:
        log_json, port: as options of the command.
        quiet: nothing else is put out: Ray prints pages on every machine that leaves, and has logs of its own.
    """
    from chronomask.fleet.metrics import served

    with ExitStack() as stack:
        metrics = None if port is None else stack.enter_context(served(port))
        show: Watch = (
            partial(_print_json, partial(print, file=sys.stdout, flush=True))
            if log_json
            else stack.enter_context(_bar())
        )
        if quiet:
            stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))

        def watch(standing: Standing, row: Row | None) -> None:
            if metrics is not None:
                metrics.standing = standing
            show(standing, row)

        yield watch


def _print_json(say: Callable[[str], None], standing: Standing, row: Row | None) -> None:
    if row is not None:
        say(json.dumps({"time": round(time.time(), 3), **asdict(row)}))


@contextmanager
def _bar() -> Generator[Callable[[Standing, Row | None], None], None, None]:
    with bar(redirect=False) as progress:
        task = progress.add_task("starting", total=None)

        def show(standing: Standing, row: Row | None) -> None:
            rate = standing.frames_now / max(time.monotonic() - standing.began, 1e-9)
            failed = f", {standing.failed:,} failed" if standing.failed else ""
            text = f"{len(standing.running)} at work, {rate:,.1f} frames/s{failed}"
            progress.update(task, description=text, completed=standing.done + standing.failed, total=standing.total)

        yield show
