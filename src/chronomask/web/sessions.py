"""Sessions: one browser each, that sees its own projects and no others."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary

from chronomask.web.limits import Limits
from chronomask.web.project import Project, State, read_state

OPENED = 2
"""Projects whose tracks stay in memory."""

_STAMP = 60.0
"""Seconds between two notes that a session is in use."""


class Session:
    """A browser's projects, in a folder.

    Attributes:
        id: the name of its folder; made from the secret that the browser holds, and of no use without it.
        folder: for everything.
    """

    def __init__(self, folder: Path) -> None:
        self.id, self.folder = folder.name, folder

    @property
    def projects(self) -> Path:
        return self.folder / "projects"

    def new_folder(self) -> Path:
        """For a project to be."""
        folder = self.projects / secrets.token_hex(8)
        folder.mkdir(parents=True)
        return folder

    def project_ids(self) -> list[str]:
        """The oldest first; those without a project.json were being removed."""
        found = [path for path in self.projects.glob("*/project.json") if _is_id(path.parent.name)]
        return [path.parent.name for path in sorted(found, key=lambda one: one.parent.stat().st_ctime)]


class Sessions:
    """All sessions of a folder. It is for the event loop alone.

    Args:
        folder: where they lie.
        limits: say how long they are kept.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self._limits = folder, limits
        self._stamps: dict[str, float] = {}
        self._opened: OrderedDict[str, Project] = OrderedDict()
        self._known: WeakValueDictionary[str, Project] = WeakValueDictionary()  # jobs hold some that are not in use

    def begun(self) -> tuple[str, Session]:
        """A new one, and the secret of its browser."""
        secret = secrets.token_urlsafe(24)
        session = Session(self.folder / _id_of(secret))
        session.projects.mkdir(parents=True)
        self._stamp(session)
        return secret, session

    def of(self, secret: str) -> Session | None:
        """The one of a browser's secret."""
        session = Session(self.folder / _id_of(secret))
        if not session.folder.is_dir():
            return None
        if time.time() - self._stamps.get(session.id, 0) > _STAMP:
            self._stamp(session)
        return session

    def project(self, session: Session, number: str) -> Project | None:
        """A project of a session, the same object for as long as anybody has it; None where it has none of that id."""
        if not _is_id(number) or not (session.projects / number / "project.json").is_file():
            return None
        key = f"{session.id}/{number}"
        found = self._known.get(key) or Project(session.projects / number)
        self._known[key] = self._opened[key] = found
        self._opened.move_to_end(key)
        for other in list(self._opened)[:-OPENED]:
            self._opened.pop(other).forget()
        return found

    def states(self, session: Session) -> dict[str, State]:
        """What is known of all projects of a session, by id, without opening them."""
        known = {number: self._known.get(f"{session.id}/{number}") for number in session.project_ids()}
        return {
            number: read_state(session.projects / number) if project is None else project.state
            for number, project in known.items()
        }

    def remove_project(self, session: Session, project: Project) -> None:
        """With all its files; the source is among them only if it was uploaded."""
        for place in (self._opened, self._known):
            place.pop(f"{session.id}/{project.id}", None)
        with suppress(OSError):
            os.unlink(project.folder / "project.json")  # first, so that nobody opens half a project
        shutil.rmtree(project.folder, ignore_errors=True)

    def clean(self) -> None:
        """Removes sessions that were not used for long, and what killed servers left of projects and uploads."""
        oldest = time.time() - self._limits.keep_days * 86400
        for folder in self.folder.iterdir() if self.folder.is_dir() else ():
            if not folder.is_dir() or not _is_id(folder.name):
                continue
            used = folder / "used"
            if (used if used.exists() else folder).stat().st_mtime < oldest:
                self._stamps.pop(folder.name, None)
                shutil.rmtree(folder, ignore_errors=True)

    def clear_leftovers(self) -> None:
        """Removes what killed servers left of uploads and of projects; before anybody is served."""
        for part in self.folder.glob("*/projects/*"):
            if not (part / "project.json").is_file():
                shutil.rmtree(part, ignore_errors=True)

    def _stamp(self, session: Session) -> None:
        (session.folder / "used").touch()
        self._stamps[session.id] = time.time()


def _id_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:32]


def _is_id(name: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{16}|[0-9a-f]{32}", name) is not None
