"""What a worker does, wherever it runs: one video at a time, with an engine that stays open between them."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from chronomask.bounds import check_rate
from chronomask.claims import DiskFull
from chronomask.errors import InputError, words_of
from chronomask.files import make_folder
from chronomask.fleet.cut import clips_of, remove_pieces, write_piece
from chronomask.fleet.listing import fetch, is_fetched
from chronomask.fleet.manifest import FOLDER
from chronomask.locks import InUse
from chronomask.outputs.choice import Outputs
from chronomask.runs.choice import known_classes
from chronomask.runs.partial import PARTIAL, SPOOL
from chronomask.runs.segment import Summary, segment_to_folder
from chronomask.segmenter.found import Clip
from chronomask.segmenter.pieces import Misfit, Piece, pieces
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import DEFAULT_FPS, Selection, VideoSource, open_source

PATIENCE = 30.0
"""Seconds for which a worker waits where another one, of a batch that was killed just now, has not let go yet."""

_TELL_SECONDS = 0.5
"""Between two words on how far a video is."""

Tell = Callable[[int], None]
"""Called now and then with the number of frames that are done; as a sign of life also where no more have come."""


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
        piece: frames of the pieces, about, in which longer videos are cut; 0 for none.
    """

    out: Path
    open: Callable[[], Segmenter]
    classes: tuple[str, ...] = ()
    outputs: Outputs = Outputs(overlay=False)  # noqa: RUF009  (frozen)
    fps: float = DEFAULT_FPS
    every: int = 1
    overwrite: bool = False
    piece: int = 0

    def check(self) -> None:
        """Raises InputError for what would be wrong with every video, so that it is said of none."""
        check_rate(self.fps)
        Selection(every=self.every)
        self.outputs.check_picture()

    def opened(self) -> Segmenter:
        """A segmenter for all tasks.

        Raises:
            InputError: the model cannot be used, or does not know the classes.
        """
        segmenter = self.open()
        known_classes(segmenter, self.classes)
        return segmenter

    def pieces(self, name: str) -> Path:
        """The folder of the pieces of a video."""
        return self.out / FOLDER / "pieces" / name


@dataclass(frozen=True)
class Task:
    """A piece of work for one worker.

    Attributes:
        name: of the folder of the results.
        source: path or address of the video.
        piece: the part of it; None for all of it.
        join: the pieces that are to be joined; empty before they are found.
    """

    name: str
    source: str
    piece: Piece | None = None
    join: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes:
        seconds: that it took.
        frames, tracks: that were written.
        hash: of the source; empty where it could not be opened.
        error: why it failed, a sentence; empty where it did not.
        warning: what of the source could not be decoded, or of the results is missing, a sentence.
        full: whether it failed because the disk is full, as all others would.
        again: whether it may go well another time: not where the input is to blame.
        pieces: in which the video is to be cut; then nothing else has come of the task.
    """

    seconds: float = 0.0
    frames: int = 0
    tracks: int = 0
    hash: str = ""
    error: str = ""
    warning: str = ""
    full: bool = False
    again: bool = False
    pieces: tuple[Piece, ...] = ()


def do(segmenter: Segmenter, job: Job, task: Task, tell: Tell) -> Outcome:
    """Does a task; whatever goes wrong is in the outcome. Tells at once that it is begun."""
    tell(0)
    began, outcome = time.monotonic(), Outcome()
    try:
        with _source_of(job, task, tell) as source:
            outcome = _done(segmenter, job, task, source, tell)
            outcome = replace(outcome, hash=source.fingerprint(), warning=source.damage or outcome.warning)
    except InputError as error:
        outcome = replace(outcome, error=str(error), full=isinstance(error, DiskFull))
    except Exception as error:  # our fault, or the network's: told, and tried again
        path = job.out / FOLDER / "errors" / f"{task.name}.txt"
        make_folder(path.parent)
        path.write_text(traceback.format_exc(), "utf-8", "backslashreplace")
        about = f"{task.source}: {type(error).__name__}: {words_of(error)} (the whole of it: {path})"
        outcome = replace(outcome, error=about, again=True)
    return replace(outcome, seconds=round(time.monotonic() - began, 3))


def _done(segmenter: Segmenter, job: Job, task: Task, source: VideoSource, tell: Tell) -> Outcome:
    folder = job.pieces(task.name)
    if task.piece is not None:
        write_piece(segmenter, source, task.piece, folder, _telling(tell, segmenter.config.step))
        return Outcome()
    if not task.join and (pieces := _cut(segmenter, job, task, source)):
        return Outcome(pieces=pieces)
    clips = clips_of(segmenter, source, task.join, folder) if task.join else None
    try:
        summary = _segmented(segmenter, job, task, source, tell, clips)
    except Misfit:  # it could not be entered where it should have been
        summary = _segmented(segmenter, job, task, source, tell, None)
    remove_pieces(folder)
    return Outcome(frames=summary.frames, tracks=len(summary.tracks), warning=summary.missing or "")


def _cut(segmenter: Segmenter, job: Job, task: Task, source: VideoSource) -> tuple[Piece, ...]:
    """The pieces of a long video; none of one that is short, done, or begun in one piece."""
    place = job.out / task.name
    begun = (place / PARTIAL / SPOOL).exists() or ((place / "tracks.json").exists() and not job.overwrite)
    # What must be fetched would be fetched for every piece.
    if not job.piece or begun or is_fetched(task.source) or (source.length or 0) < 1.5 * job.piece:
        return ()
    assert source.length is not None, "it is longer than a piece"
    return tuple(pieces(segmenter.config, source.length, job.piece, source.times()))


def _segmented(
    segmenter: Segmenter, job: Job, task: Task, source: VideoSource, tell: Tell, clips: Iterable[Clip] | None
) -> Summary:
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
                clips=clips,
            )
        except InUse:
            if time.monotonic() - began > PATIENCE:
                raise
            time.sleep(0.2)


@contextmanager
def _source_of(job: Job, task: Task, tell: Tell) -> Generator[VideoSource, None, None]:
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
        fetch(task.source, path, lambda: tell(0))
        yield open_source(path, job.fps, selection)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _telling(tell: Tell, frames: int = 1) -> Callable[[Iterable, str, int | None], Iterator]:
    """A progress that tells how many frames are segmented, not how many are drawn; an item stands for some frames."""
    done = 0

    def progress(items: Iterable, task: str, total: int | None) -> Iterator:
        nonlocal done
        told = 0.0
        for count, item in enumerate(items, 1):
            yield item
            if task.startswith("segmenting"):
                done = count * frames
            if time.monotonic() - told >= _TELL_SECONDS:
                tell(done)
                told = time.monotonic()

    return progress
