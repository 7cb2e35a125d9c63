"""Thousands of videos: what is to be done, who does it, and what became of it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections import deque
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from chronomask import __version__
from chronomask.claims import Output, check_outputs, explained, only, remove_empty
from chronomask.config import SegmentConfig
from chronomask.device import EngineChoice, Precision, cores
from chronomask.engines.opening import sha256_of
from chronomask.errors import InputError
from chronomask.files import make_folder, remove_unfinished
from chronomask.fleet.cluster import ClusterWorkers
from chronomask.fleet.listing import Entry, listed, named
from chronomask.fleet.manifest import FOLDER, LOCK, LOG, TABLE, Manifest, Row, write_table
from chronomask.fleet.schedule import Schedule, Standing, Watch
from chronomask.fleet.task import Job
from chronomask.fleet.workers import LocalWorkers, Workers
from chronomask.locks import locked
from chronomask.outputs.choice import Outputs
from chronomask.runs.interruption import Interruption
from chronomask.video import DEFAULT_FPS

STALL = 600.0
"""Seconds: no frame takes so long on any machine that anybody would use."""

_POLL = 1.0
"""Seconds after which Ctrl-C is noticed at the latest."""


def batch(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    model: str | Path = "lite",
    *,
    workers: int | None = None,
    ray: str | None = None,
    threads: int | None = None,
    attempts: int = 3,
    stall: float = STALL,
    classes: Collection[str] = (),
    outputs: Outputs = Outputs(overlay=False),  # noqa: B008  (frozen)
    every: int = 1,
    fps: float = DEFAULT_FPS,
    device: str = "auto",
    engine: EngineChoice = "auto",
    precision: Precision = "auto",
    config: SegmentConfig | None = None,
    overwrite: bool = False,
    piece: int = 1500,
    watch: Watch = lambda standing, row: None,
) -> list[Row]:
    """Segments many videos, each into a folder of its own, by several processes whose engines stay open.

    A batch that was killed or interrupted goes on when the same call is made again: what is done stays, and is not
    looked at. A video that fails does not disturb the others. Processes are started by spawn: a script that calls this
    needs the usual `if __name__ == "__main__":`.

    Args:
        sources: see `fleet.listing.listed`.
        out: folder of the results; `out/NAME` has the files that `chronomask segment` writes, `out/manifest.parquet`
            (with pyarrow) a row for every video.
        model: a bundled model, an exported network or a checkpoint file.
        workers: processes; by default one a core, or on a cluster as many as there is room for.
        ray: address of a Ray cluster whose machines do the work ("auto", "host:6379"); this one alone by default. All
            of them must see sources, model and `out` under the same paths.
        threads: cores of each worker; by default its share of this machine's, or on a cluster one.
        attempts: how many times a video is tried whose worker died or met an error that is not the video's.
        stall: seconds without a frame, or any other sign of life, after which a worker is ended and its video has
            failed; 0 for none.
        classes: only tracks of these names; all if empty.
        outputs: what is written beside tracks.json and results.json.
        every: only every n-th frame is looked at.
        fps: frames a second of images.
        device, engine, precision, config: see `load`.
        overwrite: begin anew where `out` holds a batch of other settings, and replace results that are there.
        piece: videos of many more frames are cut into pieces of about so many, which workers segment apart and one of
            them joins; the result is that of the whole video. 0 to cut none; one worker cuts none either.
        watch: called with what changes.

    Returns:
        A row for every video, in the order of the sources.

    Raises:
        InputError: no source, a model that cannot be used, something else at `out`, another batch at work there, a
            batch of other settings, or the disk is full.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    from chronomask.segmenter.load import load

    texts = [_absolute(str(source)) for source in ([sources] if isinstance(sources, str | Path) else sources)]
    out, config = Path(out).absolute(), config or SegmentConfig()
    model = _absolute(str(model)) if Path(model).exists() else str(model)
    opener = partial(load, model, device, engine, precision, config)
    _check_numbers({"workers": workers, "threads": threads, "attempts": attempts}, {"piece": piece, "stall": stall})
    count, chosen = workers or cores(), tuple(sorted({classes} if isinstance(classes, str) else set(classes)))
    job = Job(out, opener, chosen, outputs.absolute(), fps, every, overwrite, piece if ray or count > 1 else 0)
    job.check()
    settings = {"engine": engine, "device": device, "precision": precision, "config": dataclasses.asdict(config)}
    with opened(job, texts, _told_apart(model), settings) as (manifest, rows):
        if ray is None:
            crew: Workers = LocalWorkers(job, count, threads or max(1, cores() // count))
        else:
            crew = ClusterWorkers(job, ray, workers, threads or 1)
        run(manifest, rows, job.out, crew, attempts, stall, watch)
        return [manifest.rows[row.source] for row in rows]


def _check_numbers(from_one: Mapping[str, int | None], from_zero: Mapping[str, int | float]) -> None:
    for least, numbers in ((1, from_one), (0, from_zero)):
        for name, value in numbers.items():
            if value is not None and not least <= value < inf:
                raise InputError(f"{name} {value}: must be {least} or more")


@contextmanager
def opened(
    job: Job, sources: Sequence[str], model: str, settings: dict[str, Any]
) -> Generator[tuple[Manifest, list[Row]], None, None]:
    """The manifest of a batch, nobody else's as long as the block lasts, and the rows of its sources.

    Raises:
        InputError: as `batch`.
    """
    out = job.out
    entries = listed(sources, out)
    _check(job, sources, entries)
    folder = out / FOLDER
    shared = {"classes": job.classes, "outputs": dataclasses.asdict(job.outputs), "fps": job.fps, "every": job.every}
    header = {"version": __version__, "model": model, **settings, **shared}
    with ExitStack() as stack:
        stack.enter_context(explained([out], lambda: "give the same command again, which goes on"))
        stack.callback(remove_empty, [folder, *make_folder(folder)])
        stack.enter_context(locked(folder / LOCK, out))
        for left in ("fetched", "errors", *(["pieces"] if job.overwrite else [])):
            shutil.rmtree(folder / left, ignore_errors=True)
        remove_unfinished(out / TABLE)
        # Whoever mistyped a setting, and so made nothing, may mend it.
        manifest = Manifest(folder, header, job.overwrite or not _any_results(out))
        stack.callback(manifest.close)
        rows = list(_rows(manifest, entries, out))
        _leave_out(manifest, {entry.source for entry in entries})
        yield manifest, rows


def _any_results(out: Path) -> bool:
    return any(path.is_dir() and path.name != FOLDER for path in out.iterdir())


def _leave_out(manifest: Manifest, asked: Collection[str]) -> None:
    """Notes which videos nobody asks for any more: what was not done of them is nobody's fault."""
    for row in list(manifest.rows.values()):
        if row.source not in asked and row.state not in ("done", "left out"):
            manifest.set(replace(row, state="left out"))


def _absolute(source: str) -> str:
    """A path that means the same in every folder; addresses and patterns of addresses are what they are."""
    return source if "://" in source else os.path.abspath(source)


def _told_apart(model: str | Path) -> str:
    """A model's name, or what tells a checkpoint file from others."""
    path = Path(model)
    return sha256_of(path) if path.is_file() else str(model)


def _check(job: Job, sources: Sequence[str], entries: Iterable[Entry]) -> None:
    """Raises InputError unless a batch may work in its folder."""
    out, folders = job.out, {str(Path(entry.source).parent) for entry in entries if "://" not in entry.source}
    reads = [source for source in sources if Path(source).exists()]
    if within := next((source for source in reads if Path(source).resolve() in out.resolve().parents), None):
        raise InputError(f"{out}: lies in {within}, which is read; name another folder")
    ours = (out / FOLDER / LOG).is_file()
    refusal = (lambda _: None) if ours else only(_is_result)
    check_outputs([Output(out, refusal)], [*reads, job.outputs.picture], sorted(folders), job.overwrite or ours)


def _is_result(path: Path) -> bool:
    """Whether a file of this path below the folder of a batch may be one that a batch wrote."""
    places = Outputs(masks="png", cutout="png", background="green", csv=True).paths(Path("x"))
    return FOLDER in path.parts[:1] or path.name == TABLE or any(place.name in path.parts[1:3] for place in places)


def _rows(manifest: Manifest, entries: Sequence[Entry], out: Path) -> Iterable[Row]:
    """The row of every entry: what is known of it where its source and its results are as they were."""
    taken = {row.name.lower(): row.source for row in manifest.rows.values()}
    names = named(entries, taken, lambda source: row.name if (row := manifest.rows.get(source)) else None)
    for entry, name in zip(entries, names, strict=True):
        row = manifest.rows.get(entry.source)
        if (
            row is None
            or row.stamp != entry.stamp
            or (row.state == "done" and not (out / name / "tracks.json").exists())
        ):
            row = Row(name, entry.source, entry.stamp)
        yield row


def run(
    manifest: Manifest, rows: Sequence[Row], out: Path, workers: Workers, attempts: int, stall: float, watch: Watch
) -> None:
    """Lets workers do what is not done yet; the workers are closed, and the table is written, in any case.

    Args: as for `batch`.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    standing = Standing(len(rows), sum(row.state == "done" for row in rows))
    waiting = deque(replace(row, state="waiting", attempts=0, error="") for row in rows if row.state != "done")
    progress = Schedule(manifest, standing, waiting, attempts, watch, stall)
    try:
        with Interruption() as interruption:
            while progress.goes_on(workers):
                for report in workers.reports(_POLL):
                    progress.take(report)
                progress.end_silent(workers)
                if interruption.wanted:
                    raise KeyboardInterrupt
    finally:
        workers.close()
        _write_table(out, [manifest.rows.get(row.source, row) for row in rows])


def _write_table(out: Path, rows: Sequence[Row]) -> None:
    """Writes the table if pyarrow is installed; the manifest itself does without."""
    try:
        write_table(out, rows)
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
