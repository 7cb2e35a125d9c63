"""Who may ask the server for what: the page, sessions, uploads, and the projects of each session."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from chronomask.errors import InputError
from chronomask.web.answers import Answers, OfProject
from chronomask.web.guard import Rules, cookies_of
from chronomask.web.jobs import Jobs
from chronomask.web.limits import Limits
from chronomask.web.seats import Seats
from chronomask.web.sessions import Session, Sessions
from chronomask.web.uploads import VIDEOS, checked_name, received
from chronomask.web.views import job_json
from chronomask.web.work import Work

STATIC = Path(__file__).parent / "static"

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


class Api:
    """The routes, and what they share.

    Args:
        sessions, jobs, seats, limits: of the server.
        rules: of its guard, for the names of cookies.
        given: what the user named: the video and its tracks, either or both; nothing for an empty page.
        sample: the sample video, where there is one.
    """

    def __init__(
        self,
        sessions: Sessions,
        jobs: Jobs,
        seats: Seats,
        limits: Limits,
        rules: Rules,
        given: tuple[Path | None, Path | None] = (None, None),
        sample: Path | None = None,
    ) -> None:
        self._sessions, self._jobs = sessions, jobs
        self._limits, self._rules = limits, rules
        self._given, self._sample = given, sample
        self._work = Work(sessions, jobs, limits)
        self._answers = Answers(sessions, jobs, seats, limits, self._work)

    def routes(self) -> list[Route | Mount]:
        one = "/api/projects/{project}"
        return [
            Route("/", self._page),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/session", self._session_view),
            Route("/api/jobs/{job}", self._cancel, methods=["DELETE"]),
            Route("/api/projects", self._upload, methods=["POST"]),
            Route("/api/sample", self._take_sample, methods=["POST"]),
            *(
                Route(f"{one}{path}", self._of(answer), methods=[method])
                for method, path, answer in self._answers.table()
            ),
        ]

    # --- who asks ---

    def _known(self, request: Request) -> Session | None:
        secret = cookies_of(request.scope).get(self._rules.session_cookie, "")
        return self._sessions.of(secret) if secret else None

    def _session(self, request: Request) -> Session:
        if (session := self._known(request)) is None:
            raise HTTPException(401, "session: is unknown; load the page anew")
        return session

    def _of(self, answer: OfProject) -> Answer:
        """An endpoint of a project of the session that asks; others are not found, whoever they belong to."""

        async def endpoint(request: Request) -> Response:
            session = self._session(request)
            project = self._sessions.project(session, request.path_params["project"])
            if project is None:
                raise HTTPException(404, "project: there is none of this id")
            found = await answer(request, session, project)
            return found if isinstance(found, Response) else _json(found)

        return endpoint

    # --- the page ---

    async def _page(self, request: Request) -> Response:
        response = FileResponse(STATIC / "index.html", headers={"cache-control": "no-store"})
        if (session := self._known(request)) is None:
            secret, session = self._sessions.begun()
            response.set_cookie(self._rules.session_cookie, secret, max_age=365 * 86400, httponly=True, samesite="lax")
        if any(self._given):
            self._look_at_given(session)
        return response

    def _look_at_given(self, session: Session) -> None:
        """Opens what the user named when the server was started, once in every session."""
        source, tracks = self._given
        for state in self._sessions.states(session).values():
            same = state.source == str(source) if tracks is None else state.given == str(tracks)
            if same and not state.own:
                return
        if any(job.kind == "look" and not job.ended for job in self._jobs.of(session.id)):
            return
        shown = (tracks or source or Path()).name
        self._work.look(session, session.new_folder(), shown, source, tracks, uploaded=False)

    async def _session_view(self, request: Request) -> Response:
        session = self._session(request)
        projects = [
            {"id": number, "name": state.name, "created": state.created, "found": bool(state.run)}
            for number, state in self._sessions.states(session).items()
        ]
        jobs = [job_json(job, self._jobs) for job in self._jobs.of(session.id)]
        limits = {"uploadBytes": self._limits.upload_bytes, "endings": VIDEOS}
        return _json({"projects": projects, "jobs": jobs, "sample": self._sample is not None, "limits": limits})

    async def _cancel(self, request: Request) -> Response:
        session = self._session(request)
        job = self._jobs.all.get(request.path_params["job"])
        if job is None or job.session != session.id:
            raise HTTPException(404, "job: there is none of this id")
        await self._jobs.cancel(job)
        return _json(job_json(job, self._jobs))

    # --- videos ---

    async def _upload(self, request: Request) -> Response:
        session = self._session(request)
        name = checked_name(request, VIDEOS)
        folder = session.new_folder()
        try:
            path = folder / f"source{Path(name).suffix.lower()}"
            await received(request, path, self._limits.upload_bytes, self._limits.free_bytes)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        job = self._work.look(session, folder, Path(name).stem, path, None, uploaded=True)
        return _json(job_json(job, self._jobs), 202)

    async def _take_sample(self, request: Request) -> Response:
        session = self._session(request)
        if self._sample is None:
            raise HTTPException(404, "sample: this installation has none")
        job = self._work.look(session, session.new_folder(), "sample", self._sample, None, uploaded=False)
        return _json(job_json(job, self._jobs), 202)


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def input_error(request: Request, error: Exception) -> Response:
    """What users did that cannot be done, as a sentence."""
    assert isinstance(error, InputError), "it is the handler of these"
    return JSONResponse({"error": str(error)}, 422)


async def http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is the handler of these"
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
