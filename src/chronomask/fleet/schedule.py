"""Who does what next, and how far a batch is."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chronomask.fleet.manifest import Manifest, Row
from chronomask.fleet.task import Outcome, Task
from chronomask.fleet.workers import Report, Workers
from chronomask.segmenter.pieces import Piece


@dataclass
class Standing:
    """How far a batch is, for whoever shows it.

    Attributes:
        total: videos.
        done, failed: of them, those that were so before included.
        frames: segmented in this run, of finished videos.
        running: frames so far by name.
        began: when this run did, on the monotonic clock.
    """

    total: int
    done: int = 0
    failed: int = 0
    frames: int = 0
    running: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def frames_now(self) -> int:
        """Frames that are segmented so far, those of videos in progress included."""
        return self.frames + sum(self.running.values())


Watch = Callable[[Standing, Row | None], None]
"""Called with every row that has changed, and without one where only frames came on."""


@dataclass(eq=False)
class _Video:
    """A video in progress.

    Attributes:
        row: of the manifest.
        tasks: that are waiting or at work.
        pieces: in which it was cut; empty for one that was not.
        warning: what of it could not be decoded, or of the results is missing, as far as it is known.
        frames: segmented so far, by task.
    """

    row: Row
    tasks: set[Task]
    pieces: tuple[Piece, ...] = ()
    warning: str = ""
    frames: dict[Task, int] = field(default_factory=dict)


@dataclass(eq=False)
class Schedule:
    """What is to be done. Pieces go before other videos, so that few videos are in progress at a time.

    Attributes:
        waiting: rows in the order in which they are begun; those to be tried again come last.
        stall: seconds without a sign of life after which a worker is ended, and its video has failed; 0 for never.
        ready: tasks of videos in progress that nobody has yet.
        running: videos in progress, by name.
        heard: of every task that is begun, when its worker was last heard of, on the monotonic clock.
    """

    manifest: Manifest
    standing: Standing
    waiting: deque[Row]
    attempts: int
    watch: Watch
    stall: float = 0.0
    ready: deque[Task] = field(default_factory=deque)
    running: dict[str, _Video] = field(default_factory=dict)
    heard: dict[Task, float] = field(default_factory=dict)

    def goes_on(self, workers: Workers) -> bool:
        """Gives work to everybody who is free; whether anything is left to wait for."""
        while (self.ready or self.waiting) and workers.free() > 0:
            workers.give(self.ready.popleft() if self.ready else self._begun(self.waiting.popleft()))
        return bool(self.running or self.waiting)

    def end_silent(self, workers: Workers) -> None:
        """Ends workers that hang, as in a decoder that never returns. Their videos would make others hang as well."""
        late = time.monotonic() - self.stall
        for task in [task for task, heard in self.heard.items() if self.stall and heard < late]:
            workers.end(task)
            error = f"no frame came for {self.stall:g} s, and the process that worked on it was ended (--stall)"
            self.take(Report(task, outcome=Outcome(error=error)))

    def take(self, report: Report) -> None:
        """Notes what a worker says.

        Raises:
            OSError: it has found the disk full: others would work in vain.
        """
        task, outcome = report.task, report.outcome
        if outcome is None:
            self.heard[task] = time.monotonic()
        else:
            self.heard.pop(task, None)
        video = self.running.get(task.name)
        if video is None or task not in video.tasks:
            return  # of a video that has failed by another of its pieces
        if outcome is None:
            video.frames[task] = report.frames
            self.standing.running[task.name] = sum(video.frames.values())
            self.watch(self.standing, None)
            return
        seconds = round(video.row.seconds + outcome.seconds, 3)
        video.row = replace(video.row, seconds=seconds, hash=outcome.hash or video.row.hash)
        if outcome.full:
            raise OSError(errno.ENOSPC, outcome.error)
        video.warning = video.warning or outcome.warning
        if outcome.error:
            self._failed(video, task, outcome)
        elif outcome.pieces or task.piece is not None:
            self._came_on(video, task, outcome)
        else:
            self.standing.done += 1
            self.standing.frames += outcome.frames
            found = {"frames": outcome.frames, "tracks": outcome.tracks, "error": video.warning}
            self._ended(replace(video.row, state="done", **found))

    def _begun(self, row: Row) -> Task:
        row, task = replace(row, state="running", attempts=row.attempts + 1), Task(row.name, row.source)
        self.running[row.name] = _Video(row, {task})
        self.standing.running[row.name] = 0
        self._note(row)
        return task

    def _came_on(self, video: _Video, task: Task, outcome: Outcome) -> None:
        """Makes ready what comes next, after a video was cut or one of its pieces is done."""
        video.tasks.remove(task)
        if outcome.pieces:
            video.pieces = outcome.pieces
            video.tasks |= {replace(task, piece=piece) for piece in outcome.pieces}
            self.ready.extend(replace(task, piece=piece) for piece in outcome.pieces)
        elif not video.tasks:
            video.tasks = {join := replace(task, piece=None, join=video.pieces)}
            video.frames.clear()  # they are counted again
            self.ready.append(join)

    def _failed(self, video: _Video, task: Task, outcome: Outcome) -> None:
        row = replace(video.row, error=outcome.error)
        if not outcome.again or row.attempts >= self.attempts:
            self.standing.failed += 1
            self.ready = deque(other for other in self.ready if other.name != row.name)
            self._ended(replace(row, state="failed"))
        elif task.piece is not None or task.join:
            video.row = replace(row, attempts=row.attempts + 1)
            self.ready.append(task)
            self._note(video.row)
        else:
            row = replace(row, state="waiting")
            self.waiting.append(row)
            self._ended(row)

    def _ended(self, row: Row) -> None:
        del self.running[row.name], self.standing.running[row.name]
        self._note(row)

    def _note(self, row: Row) -> None:
        self.manifest.set(row)
        self.watch(self.standing, row)
