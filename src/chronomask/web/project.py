"""A video with its tracks and their corrections, in a folder of its session."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from chronomask.annotations.records import TracksFile
from chronomask.editing import AddClass, AddTrack, edit, parse_operation
from chronomask.errors import InputError, refusing
from chronomask.files import written_aside
from chronomask.formats.ytvis import read_tracks, write_tracks
from chronomask.web.journal import Journal, Step


@dataclass(frozen=True)
class State:
    """What is known of a project, on disk as project.json.

    Attributes:
        name: for people.
        source: path of the video or folder of frames; never from a browser.
        own: whether the source is an upload, which lies in the project's folder.
        created: in seconds since 1970.
        given: path of the tracks that it began with, which the user named.
        width, height: of the video, in pixels.
        pixel_aspect: width of a pixel by its height.
        fps: frames a second.
        length: number of frames; 0 while nobody knows.
        selection: start, end and step of the frames that given tracks speak of.
        plays: what the browser plays: "" for nothing yet, "source", or "copy".
        why_copy: why it is a copy, in words.
        copy_size: width and height of the picture in the copy.
        run: folder of the tracks and of their journal; empty while there are none.
        runs: how many were begun.
        complete: whether the tracks are those of the whole video.
        note: what was wrong with the video, in a sentence.
        model: the name of a bundled model, or path of a checkpoint that this project has learnt.
        truth: whether there is a ground truth.
    """

    name: str
    source: str = ""
    own: bool = False
    created: float = 0.0
    given: str | None = None
    width: int = 0
    height: int = 0
    pixel_aspect: float = 1.0
    fps: float = 25.0
    length: int = 0
    selection: tuple[float, float | None, int] | None = None
    plays: str = ""
    why_copy: str = ""
    copy_size: tuple[int, int] | None = None
    run: str = ""
    runs: int = 0
    complete: bool = True
    note: str = ""
    model: str = "lite"
    truth: bool = False


def read_state(folder: Path) -> State:
    """What is known of the project in a folder."""
    with refusing(folder / "project.json"):
        return msgspec.json.decode((folder / "project.json").read_bytes(), type=State)


KEPT = 100
"""Steps that are taken back at once: of 20,000 frames, each that paints holds 160 KB. Before them all is read anew."""


@dataclass
class Corrections:
    """Tracks, and what they were before each of the last steps."""

    journal: Journal
    stages: deque[TracksFile] = field(default_factory=lambda: deque(maxlen=KEPT + 1))

    @classmethod
    def opened(cls, folder: Path) -> Corrections:
        found = cls(Journal.opened(folder / "journal.jsonl"))
        found.stages.append(read_tracks(folder / "tracks.json"))
        for step in found.journal.steps[: found.journal.done]:
            found.stages.append(_after(found.stages[-1], step, folder))
        return found

    @property
    def now(self) -> TracksFile:
        return self.stages[-1]


_FILE = "file:"
"""Begins the spelling of an operation that only the page has: it adds the tracks of a file of the run."""


def _after(file: TracksFile, step: Step, folder: Path) -> TracksFile:
    for text in step:
        name = text.removeprefix(_FILE)
        file = edit(file, [parse_operation(text)]) if name == text else _with_tracks(file, read_tracks(folder / name))
    return file


def _with_tracks(file: TracksFile, more: TracksFile) -> TracksFile:
    """With the tracks of another file of the same video, under new ids and the classes of the same names.

    Raises:
        InputError: it is of another video.
    """
    (entry,), names = file.videos, more.names
    for track in more.tracks:
        name = names[track.category_id]
        if not any(category.name == name for category in file.categories):
            file = edit(file, [AddClass(name)])
        file = edit(file, [AddTrack(name)])
        empty = file.tracks[-1]
        if len(track.segmentations) != entry.length:
            raise InputError(f"{len(track.segmentations)} frames were followed, the tracks have {entry.length}")
        filled = replace(empty, score=track.score, class_score=track.class_score, segmentations=track.segmentations)
        file = replace(file, tracks=(*file.tracks[:-1], filled))
    return file


class Project:
    """One project; its methods may be called from several threads.

    Attributes:
        id: the name of its folder.
        folder: for all that it has.
        state: see `State`.
    """

    def __init__(self, folder: Path) -> None:
        self.id, self.folder = folder.name, folder
        self.state = read_state(folder)
        self._lock = threading.RLock()
        self._corrections: Corrections | None = None

    @classmethod
    def begun(cls, folder: Path, state: State) -> Project:
        """A new one, in a folder that is there."""
        _write(folder / "project.json", msgspec.json.encode(replace(state, created=time.time())))
        return cls(folder)

    def change(self, **changes: Any) -> None:
        """Puts other values into its state, on disk too."""
        with self._lock:
            state = replace(self.state, **changes)
            _write(self.folder / "project.json", msgspec.json.encode(state))
            if state.run != self.state.run:
                self._corrections = None
            self.state = state

    @property
    def media(self) -> Path | None:
        """The file that the browser plays."""
        return {"source": Path(self.state.source), "copy": self.folder / "copy.mp4"}.get(self.state.plays)

    @property
    def times(self) -> Path:
        """The table of times of what the browser plays; see `media.write_times`."""
        return self.folder / f"times-{self.state.plays}.bin"

    @property
    def pictures(self) -> Path:
        """The folder of the small pictures of tracks."""
        return self.folder / "pictures"

    def new_run(self) -> str:
        """Name of a folder for another run; one that was begun and killed goes on instead."""
        with self._lock:
            name = f"run-{self.state.runs}"
            if not (self.folder / name / ".partial").exists() or name == self.state.run:
                self.change(runs=self.state.runs + 1)
            name = f"run-{self.state.runs}"
            (self.folder / name).mkdir(exist_ok=True)
            return name

    @property
    def corrections(self) -> Corrections:
        """The tracks and their journal.

        Raises:
            InputError: there are no tracks yet.
        """
        with self._lock:
            if self._corrections is None:
                if not self.state.run:
                    raise InputError(f"{self.state.name}: has no tracks yet")
                self._corrections = Corrections.opened(self._run)
            return self._corrections

    @property
    def _run(self) -> Path:
        return self.folder / self.state.run

    def add_tracks(self, path: Path) -> list[int]:
        """Adds the tracks of a file, which it takes, as a step; gives their ids.

        Raises:
            InputError: it is no such file, or holds none.
        """
        with self._lock:
            if not read_tracks(path).tracks:
                raise InputError("nothing was found there; point at another place, or draw a box")
            name = f"points-{self.corrections.journal.revision}.json"
            os.replace(path, self._run / name)
            before = {track.id for track in self.corrections.now.tracks}
            self._do([f"{_FILE}{name}"])
            return [track.id for track in self.corrections.now.tracks if track.id not in before]

    def forget(self) -> None:
        """Gives the memory back; everything is on disk."""
        with self._lock:
            self._corrections = None

    def do(self, step: Sequence[str]) -> None:
        """Does operations, together, and writes them down.

        Raises:
            InputError: naming the one that cannot be done, and why.
        """
        if not step or any(text.startswith(_FILE) for text in step):
            raise InputError(f"step: {list(step)!r:.60} is no operation")
        self._do(step)

    def _do(self, step: Sequence[str]) -> None:
        with self._lock:
            found = self.corrections
            after = _after(found.now, tuple(step), self._run)
            found.journal.add(step)
            found.stages.append(after)

    def undo(self) -> None:
        """Takes the last step back, if there is one."""
        with self._lock:
            found = self.corrections
            if found.journal.done:
                found.journal.undo()
                if len(found.stages) > 1:
                    found.stages.pop()
                else:  # and not the last: somebody may be looking at it
                    self.forget()

    def redo(self) -> None:
        """Does again what was taken back last, if anything was."""
        with self._lock:
            found = self.corrections
            if found.journal.done < len(found.journal.steps):
                after = _after(found.now, found.journal.steps[found.journal.done], self._run)
                found.journal.redo()
                found.stages.append(after)

    def export(self, folder: Path, wanted: Callable[[int], bool] = lambda number: True) -> Path:
        """Writes the tracks as they are now into a folder; gives the path of the file.

        Args:
            wanted: whether the track of an id is.
        """
        file = self.corrections.now
        tracks = [track for track in file.tracks if wanted(track.id)]
        folder.mkdir(parents=True, exist_ok=True)
        write_tracks(folder / "tracks.json", file.videos, file.categories, tracks, file.info)
        return folder / "tracks.json"

    def view(self) -> dict[str, Any]:
        """How the page was left: what is hidden, opacity, and so on."""
        try:
            return msgspec.json.decode((self.folder / "view.json").read_bytes(), type=dict)
        except (OSError, msgspec.DecodeError):
            return {}

    def set_view(self, view: dict[str, Any]) -> None:
        _write(self.folder / "view.json", msgspec.json.encode(view))


def _write(path: Path, content: bytes) -> None:
    """So that a process, or a machine, that ends at any moment leaves the old content or the new one."""
    with written_aside(path) as aside, aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
