"""What a worker does, wherever it runs: one video at a time, with an engine that stays open between them."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from chronomask.errors import InputError, words_of
from chronomask.files import make_folder
from chronomask.fleet.listing import fetch, is_fetched
from chronomask.fleet.manifest import FOLDER
from chronomask.locks import InUse
from chronomask.outputs.choice import Outputs
from chronomask.runs.segment import Summary, segment_to_folder
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import DEFAULT_FPS, Selection, VideoSource, open_source

PATIENCE = 30.0
"""Seconds for which a worker waits where another one, of a batch that was killed just now, has not let go yet."""

_TELL_SECONDS = 0.5
"""Between two words on how far a video is."""

Tell = Callable[[int], None]
"""Called now and then with the number of frames that are done."""


@dataclass(frozen=True)
class Job:
    """What all tasks of a batch share.

    Attributes:
        out: folder of the results; every video has one of its own in it.
        open: gives a segmenter; called once in every worker, and pickled on the way there.
        classes: as for `segment_to_folder`.
        outputs: what is written of every video.
        fps: of images.
        every: only every n-th frame is looked at.
        overwrite: whether results of another run may be replaced.
    """

    out: Path
    open: Callable[[], Segmenter]
    classes: tuple[str, ...] = ()
    outputs: Outputs = Outputs(overlay=False)  # noqa: RUF009  (frozen)
    fps: float = DEFAULT_FPS
    every: int = 1
    overwrite: bool = False


@dataclass(frozen=True)
class Task:
    """A piece of work for one worker.

    Attributes:
        name: of the folder of the results.
        source: path or address of the video.
    """

    name: str
    source: str


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes:
        seconds: that it took.
        frames, tracks: that were written.
        hash: of the source; empty where it could not be opened.
        error: why it failed, a sentence; empty where it did not.
        again: whether it may go well another time: not where the input is to blame.
    """

    seconds: float = 0.0
    frames: int = 0
    tracks: int = 0
    hash: str = ""
    error: str = ""
    again: bool = False


def do(segmenter: Segmenter, job: Job, task: Task, tell: Tell) -> Outcome:
    """Does a task; whatever goes wrong is in the outcome."""
    began, outcome = time.monotonic(), Outcome()
    try:
        with _source_of(job, task) as source:
            outcome = Outcome(hash=source.fingerprint())
            summary = _segmented(segmenter, job, task, source, tell)
            outcome = replace(outcome, frames=summary.frames, tracks=len(summary.tracks))
    except InputError as error:
        outcome = replace(outcome, error=str(error))
    except Exception as error:  # our fault, or the network's: told, and tried again
        path = job.out / FOLDER / "errors" / f"{task.name}.txt"
        make_folder(path.parent)
        path.write_text(traceback.format_exc(), "utf-8", "backslashreplace")
        about = f"{task.source}: {type(error).__name__}: {words_of(error)} (the whole of it: {path})"
        outcome = replace(outcome, error=about, again=True)
    return replace(outcome, seconds=round(time.monotonic() - began, 3))


def _segmented(segmenter: Segmenter, job: Job, task: Task, source: VideoSource, tell: Tell) -> Summary:
    began = time.monotonic()
    while True:
        try:
            return segment_to_folder(
                segmenter,
                source,
                job.out / task.name,
                classes=job.classes,
                outputs=job.outputs,
                overwrite=job.overwrite,
                resume=not job.overwrite,
                progress=_telling(tell),
            )
        except InUse:
            if time.monotonic() - began > PATIENCE:
                raise
            time.sleep(0.2)


@contextmanager
def _source_of(job: Job, task: Task) -> Generator[VideoSource, None, None]:
    """The opened video, fetched where FFmpeg cannot read it."""
    selection = Selection(every=job.every)
    if not is_fetched(task.source):
        source = open_source(task.source, job.fps, selection)
        if source.live:
            raise InputError(f"{task.source}: is live; chronomask segment --live follows cameras and streams")
        yield source
        return
    folder = job.out / FOLDER / "fetched" / task.name
    shutil.rmtree(folder, ignore_errors=True)  # what a killed worker left
    make_folder(folder)
    try:
        path = folder / PurePosixPath(task.source).name
        fetch(task.source, path)
        yield open_source(path, job.fps, selection)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _telling(tell: Tell) -> Callable[[Iterable, str, int | None], Iterator]:
    """A progress that tells how many frames are segmented, not how many are drawn."""

    def progress(items: Iterable, task: str, total: int | None) -> Iterator:
        told = 0.0
        for count, item in enumerate(items, 1):
            yield item
            if task.startswith("segmenting") and time.monotonic() - told >= _TELL_SECONDS:
                tell(count)
                told = time.monotonic()

    return progress
