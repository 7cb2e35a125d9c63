"""The long work of projects: which child does what, and what becomes of its results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from chronomask.errors import InputError
from chronomask.prompts import prompt_of
from chronomask.web.jobs import Job, Jobs, Lane
from chronomask.web.limits import Limits
from chronomask.web.project import Project, State
from chronomask.web.sessions import OPENED, Session, Sessions
from chronomask.web.tasks import outputs_of
from chronomask.web.views import Summaries

SCORE = 0.1
"""Tracks below it are not kept. The page hides those below 0.5 until it is asked for them."""

TRUTH = "truth"
"""Folder of an uploaded ground truth, which keeps its name, for what is wrong in it is told by that."""


class Work:
    """Starts jobs.

    Args:
        sessions, jobs, limits: of the server.
    """

    def __init__(self, sessions: Sessions, jobs: Jobs, limits: Limits) -> None:
        self._sessions, self._jobs, self._limits = sessions, jobs, limits
        self._summaries: dict[str, Summaries] = {}
        self._tried: dict[str, set[str]] = {}

    def summaries(self, project: Project) -> Summaries:
        """Of the tracks of the projects that were looked at last."""
        found = self._summaries.pop(project.id, None) or Summaries()
        self._summaries[project.id] = found  # the last one is the newest
        for old in list(self._summaries)[:-OPENED]:
            del self._summaries[old]
            self._tried.pop(old, None)
        return found

    def look(
        self, session: Session, folder: Path, shown: str, source: Path | None, tracks: Path | None, uploaded: bool
    ) -> Job:
        """Looks at a video, and makes a project of it; of what is refused nothing is left.

        Args:
            folder: of the project to be.
            shown: what it is called.
            source: the video; None where it is to be found near the tracks.
            tracks: of the video.
            uploaded: whether a browser sent it.
        """
        limits = self._limits
        request: dict[str, Any] = {
            "task": "look",
            "source": "" if source is None else os.fspath(source),
            "folder": os.fspath(folder),
            "shown": shown,
            "tracks": None if tracks is None else os.fspath(tracks),
        }
        if uploaded:
            request["bounds"] = {"pixels": limits.pixels, "frames": limits.frames}
            request |= {"memory": limits.memory_bytes, "cpu": limits.cpu_seconds}

        def then(found: Mapping[str, Any]) -> dict[str, Any]:
            state = State(
                found["name"],
                found["source"],
                uploaded,
                given=request["tracks"],
                width=found["width"],
                height=found["height"],
                pixel_aspect=found["pixel_aspect"],
                fps=found["fps"],
                length=found["length"],
                selection=None if found["selection"] is None else tuple(found["selection"]),
                plays="" if found["copy"] == "needed" else "source",
                why_copy=found["reason"],
                run="" if tracks is None else "run-0",
                runs=0 if tracks is None else 1,
            )
            Project.begun(folder, state)
            opened = self._sessions.project(session, folder.name)
            assert opened is not None, "it was just made"
            if found["copy"]:
                self.copy(session, opened)
            if tracks is None:
                self.segment(session, opened)
            else:
                self.pictures(session, opened)
            return {"project": folder.name}

        def after() -> None:
            if not (folder / "project.json").exists():
                shutil.rmtree(folder, ignore_errors=True)

        return self._jobs.add(Job(session.id, folder.name, "look", "quick", request, then, after))

    def copy(self, session: Session, project: Project) -> Job:
        """Makes what the browser can play of what it cannot."""
        state = project.state
        request = {
            "source": state.source,
            "folder": project.folder,
            "rate": state.fps,
            "selection": state.selection,
            "length": state.length if state.run else 0,
        }

        def then(found: Mapping[str, Any]) -> None:
            project.change(
                plays="copy",
                copy_size=(found["width"], found["height"]),
                length=project.state.length or found["length"],
            )
            self.pictures(session, project)

        return self._begun("copy", "copy", session, project, request, then)

    def refuse_twice(self, kind: str, project: Project) -> None:
        """Raises InputError where such work is being done on a project."""
        if self._at_work(kind, project):
            raise InputError(f"{kind}: is at work on this video already; wait, or cancel it")

    def segment(self, session: Session, project: Project) -> Job:
        """Finds the tracks. Earlier ones, and their corrections, are there until it is done, and stay if it is not."""
        name = project.new_run()
        request = {
            "source": project.state.source,
            "name": project.state.name,
            "folder": project.folder / name,
            "model": project.state.model,
            "score": SCORE,
            "times": project.folder / "times-source.bin" if project.state.plays == "source" else None,
            "again": bool(project.state.run),
        }

        def then(found: Mapping[str, Any]) -> None:
            before = project.state.run
            project.change(run=name, complete=found["complete"], length=found["length"], note=found["damage"] or "")
            if before and before != name:
                shutil.rmtree(project.folder / before, ignore_errors=True)
            self.pictures(session, project)

        return self._begun("segment", "long", session, project, request, then)

    def follow(self, session: Session, project: Project, prompts: Sequence[Mapping[str, Any]]) -> Job:
        """Follows what a user points at; what is found is another step of correction.

        Raises:
            InputError: a prompt is none, or there are no tracks yet.
        """
        if not prompts or not project.state.run:
            raise InputError("point: there is none, or no tracks to add to yet")
        for prompt in prompts:
            prompt_of(prompt)
        self.refuse_twice("follow", project)
        run, state = project.state.run, project.state
        folder = project.folder / "follow"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        request = {
            "source": state.source,
            "rate": state.fps,
            "selection": state.selection,
            "name": state.name,
            "folder": folder,
            "model": state.model,
            "prompts": list(prompts),
        }

        def then(found: Mapping[str, Any]) -> dict[str, Any]:
            if project.state.run != run:
                raise InputError("the tracks were found anew meanwhile")
            added = project.add_tracks(Path(found["tracks"]))
            self.pictures(session, project)
            return {"tracks": added}

        def after() -> None:
            shutil.rmtree(folder, ignore_errors=True)

        return self._begun("follow", "long", session, project, request, then, after)

    def pictures(self, session: Session, project: Project) -> None:
        """Makes the small pictures of tracks that have none yet. One job at a time: the next one makes all the rest."""
        if project.media is None or not project.state.run or self._at_work("thumbs", project):
            return
        self.summaries(project).of(project.corrections.now)
        times = memoryview(project.times.read_bytes()).cast("d")
        tried = self._tried.setdefault(project.id, set())
        wanted = [
            (picture.name, times[picture.frame], picture.box)
            for picture in self.summaries(project).pictures()
            if picture.name not in tried and not (project.pictures / f"{picture.name}.jpg").exists()
        ]
        if not wanted:
            return
        tried.update(name for name, *_ in wanted)
        request = {"media_file": project.media, "wanted": wanted, "folder": project.pictures}

        def then(found: Any) -> None:
            job.state = "done"
            self.pictures(session, project)

        job = self._begun("thumbs", "quick", session, project, request, then)

    def _begun(
        self,
        task: str,
        lane: Lane,
        session: Session,
        project: Project,
        request: Mapping[str, Any],
        then: Callable[[Any], Any] | None = None,
        after: Callable[[], None] | None = None,
    ) -> Job:
        """A job of a project, see `Job`; its process is bounded where a browser sent what it decodes."""
        texts = {key: os.fspath(value) if isinstance(value, Path) else value for key, value in request.items()}
        bounds = {"memory": self._limits.memory_bytes} if project.state.own else {}
        return self._jobs.add(Job(session.id, project.id, task, lane, {"task": task, **texts, **bounds}, then, after))

    def _at_work(self, kind: str, project: Project) -> bool:
        return any(j.kind == kind and j.project == project.id and not j.ended for j in self._jobs.all.values())

    def draw(self, session: Session, project: Project, choice: Mapping[str, Any], ids: Collection[int]) -> Job:
        """Writes some of the tracks as they are now, and what is wanted of them drawn.

        Raises:
            InputError: the choice is none of `Outputs`, or there are no tracks.
        """
        outputs_of(choice)
        folder = project.folder / "export"
        self.refuse_twice("draw", project)
        shutil.rmtree(folder, ignore_errors=True)
        return self._of_tracks("draw", session, project, ids, folder, choice=dict(choice))

    def score(self, session: Session, project: Project, ids: Collection[int]) -> Job:
        """Scores some of the tracks against the ground truth.

        Raises:
            InputError: there is none.
        """
        truth = next(project.folder.glob(f"{TRUTH}/*"), None)
        if truth is None:
            raise InputError("ground truth: give a file of it first")
        return self._of_tracks("score", session, project, ids, project.folder / "score", truth=truth)

    def teach(self, session: Session, project: Project, ids: Collection[int]) -> Job:
        """Fine-tunes the model on some of the tracks; it is what segments this project from then on."""
        folder = project.folder / "teach"
        shutil.rmtree(folder, ignore_errors=True)

        def then(found: Mapping[str, Any]) -> None:
            os.replace(found["weights"], project.folder / "taught.safetensors")
            shutil.rmtree(folder, ignore_errors=True)
            for begun in project.folder.glob("run-*/.partial"):  # by the model of before: nothing goes on with it
                shutil.rmtree(begun, ignore_errors=True)
            project.change(model=os.fspath(project.folder / "taught.safetensors"))

        return self._of_tracks("teach", session, project, ids, folder, then, weights="lite")

    def _of_tracks(
        self,
        task: str,
        session: Session,
        project: Project,
        ids: Collection[int],
        folder: Path,
        then: Callable[[Any], Any] | None = None,
        **more: Any,
    ) -> Job:
        """A long job about some of the tracks as they are now, which writes into a folder."""
        tracks = project.export(folder, lambda number: number in ids)
        request = {"tracks": tracks, "video": project.state.source, "folder": folder, **more}
        return self._begun(task, "long", session, project, request, then)
