"""What the server answers: the page, its data, and steps of correction."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from chronomask.errors import InputError
from chronomask.web.guard import Rules, cookies_of
from chronomask.web.jobs import Jobs
from chronomask.web.limits import Limits
from chronomask.web.project import Project
from chronomask.web.seats import Seats
from chronomask.web.sessions import Session, Sessions
from chronomask.web.uploads import FILES, VIDEOS, checked_name, received
from chronomask.web.views import job_json, masks_json, project_json
from chronomask.web.work import TRUTH, Work

STATIC = Path(__file__).parent / "static"

_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"

Answer = Callable[[Request], Coroutine[Any, Any, Response]]
OfProject = Callable[[Request, Session, Project], Coroutine[Any, Any, Any]]


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
        self._sessions, self._jobs, self._seats = sessions, jobs, seats
        self._limits, self._rules = limits, rules
        self._given, self._sample = given, sample
        self._work = Work(sessions, jobs, limits)

    def routes(self) -> list[Route | Mount]:
        one = "/api/projects/{project}"
        return [
            Route("/", self._page),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/session", self._session_view),
            Route("/api/jobs/{job}", self._cancel, methods=["DELETE"]),
            Route("/api/projects", self._upload, methods=["POST"]),
            Route("/api/sample", self._take_sample, methods=["POST"]),
            Route(one, self._of(self._project_view)),
            Route(one, self._of(self._remove), methods=["DELETE"]),
            Route(f"{one}/media/{{which}}", self._of(self._media)),
            Route(f"{one}/times/{{which}}", self._of(self._times)),
            Route(f"{one}/masks", self._of(self._masks)),
            Route(f"{one}/pictures/{{name}}", self._of(self._picture)),
            Route(f"{one}/steps", self._of(self._step), methods=["POST"]),
            Route(f"{one}/undo", self._of(self._undo), methods=["POST"]),
            Route(f"{one}/redo", self._of(self._redo), methods=["POST"]),
            Route(f"{one}/view", self._of(self._set_view), methods=["PUT"]),
            Route(f"{one}/segment", self._of(self._segment), methods=["POST"]),
            Route(f"{one}/copy", self._of(self._copy), methods=["POST"]),
            Route(f"{one}/tracks.json", self._of(self._tracks_file)),
            Route(f"{one}/export", self._of(self._export), methods=["POST"]),
            Route(f"{one}/export/{{name}}", self._of(self._exported)),
            Route(f"{one}/truth", self._of(self._take_truth), methods=["POST"]),
            Route(f"{one}/score", self._of(self._score), methods=["POST"]),
            Route(f"{one}/report", self._of(self._report)),
            Route(f"{one}/teach", self._of(self._teach), methods=["POST"]),
            Route(f"{one}/explain", self._of(self._explain), methods=["POST"]),
            Route(f"{one}/point", self._of(self._point), methods=["POST"]),
            Route(f"{one}/follow", self._of(self._follow), methods=["POST"]),
        ]

    # --- who asks ---

    def _session(self, request: Request) -> Session:
        secret = cookies_of(request.scope).get(self._rules.session_cookie, "")
        session = self._sessions.of(secret) if secret else None
        if session is None:
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
        secret = cookies_of(request.scope).get(self._rules.session_cookie, "")
        session = self._sessions.of(secret) if secret else None
        if session is None:
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

    async def _project_view(self, request: Request, session: Session, project: Project) -> Any:
        return await run_in_threadpool(project_json, project, self._work.summaries(project))

    async def _remove(self, request: Request, session: Session, project: Project) -> Any:
        for job in self._jobs.of(session.id):
            if job.project == project.id and not job.ended:
                await self._jobs.cancel(job)
        await run_in_threadpool(self._sessions.remove_project, session, project)
        return {"removed": project.id}

    async def _media(self, request: Request, session: Session, project: Project) -> Any:
        which = request.path_params["which"]
        path = {"source": Path(project.state.source), "copy": project.folder / "copy.mp4"}.get(which)
        if path is None or not project.state.plays or not path.is_file():
            raise HTTPException(404, "media: is not there yet")
        kind = {".webm": "video/webm", ".mkv": "video/x-matroska"}.get(path.suffix.lower(), "video/mp4")
        return FileResponse(path, media_type=kind, headers={"cache-control": "private, max-age=3600"})

    async def _times(self, request: Request, session: Session, project: Project) -> Any:
        path = project.folder / f"times-{request.path_params['which']}.bin"
        if request.path_params["which"] not in ("source", "copy") or not path.is_file():
            raise HTTPException(404, "times: are not there yet")
        return FileResponse(path, media_type="application/octet-stream")

    async def _masks(self, request: Request, session: Session, project: Project) -> Any:
        numbers = [request.query_params.get(name, "") for name in ("first", "count")]
        if not all(re.fullmatch(r"\d{1,9}", number) for number in numbers):
            raise HTTPException(400, f"first, count: {numbers!r} are no numbers of frames")
        return await run_in_threadpool(masks_json, project, *map(int, numbers))

    async def _picture(self, request: Request, session: Session, project: Project) -> Any:
        name = request.path_params["name"]
        path = project.pictures / f"{name}.jpg"
        if not re.fullmatch(r"\d+-\d+-[0-9a-f]{8}", name) or not path.is_file():
            raise HTTPException(404, "picture: is not there yet")
        return FileResponse(path, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})

    # --- corrections ---

    async def _step(self, request: Request, session: Session, project: Project) -> Any:
        step = (await _body(request)).get("step")
        if not isinstance(step, list) or not all(isinstance(text, str) for text in step):
            raise HTTPException(400, f"step: {step!r:.60} is no list of operations")
        await run_in_threadpool(project.do, step)
        return await self._corrected(session, project)

    async def _undo(self, request: Request, session: Session, project: Project) -> Any:
        await run_in_threadpool(project.undo)
        return await self._corrected(session, project)

    async def _redo(self, request: Request, session: Session, project: Project) -> Any:
        await run_in_threadpool(project.redo)
        return await self._corrected(session, project)

    async def _corrected(self, session: Session, project: Project) -> dict[str, Any]:
        shown = await run_in_threadpool(project_json, project, self._work.summaries(project))
        self._work.pictures(session, project)
        return shown

    async def _set_view(self, request: Request, session: Session, project: Project) -> Any:
        await run_in_threadpool(project.set_view, dict(await _body(request)))
        return {}

    # --- long work ---

    async def _segment(self, request: Request, session: Session, project: Project) -> Any:
        self._work.refuse_twice("segment", project)
        return job_json(self._work.segment(session, project), self._jobs)

    async def _copy(self, request: Request, session: Session, project: Project) -> Any:
        if project.state.plays == "copy":
            raise HTTPException(409, "copy: is there already")
        self._work.refuse_twice("copy", project)
        project.change(why_copy=project.state.why_copy or "this browser does not play it")
        return job_json(self._work.copy(session, project), self._jobs)

    async def _tracks_file(self, request: Request, session: Session, project: Project) -> Any:
        path = await run_in_threadpool(project.export, project.folder / "download")
        return FileResponse(path, filename=f"{project.state.name}-tracks.json", media_type="application/json")

    async def _export(self, request: Request, session: Session, project: Project) -> Any:
        body = await _body(request)
        choice = body.get("choice")
        if not isinstance(choice, dict):
            raise HTTPException(400, f"choice: {choice!r:.60} says nothing of outputs")
        return job_json(self._work.draw(session, project, choice, _ids(body)), self._jobs)

    async def _exported(self, request: Request, session: Session, project: Project) -> Any:
        name = request.path_params["name"]
        path = project.folder / "export" / name
        if not re.fullmatch(r"[a-z]+\.(json|mp4|zip)", name) or not path.is_file():
            raise HTTPException(404, "export: there is no such file")
        return FileResponse(path, filename=f"{project.state.name}-{name}")

    async def _take_truth(self, request: Request, session: Session, project: Project) -> Any:
        name = checked_name(request, FILES)
        aside = project.folder / "truth-received"
        aside.unlink(missing_ok=True)
        await received(request, aside, self._limits.file_bytes, self._limits.free_bytes)
        for old in project.folder.glob(f"{TRUTH}.*"):
            old.unlink()
        aside.rename(project.folder / f"{TRUTH}{Path(name).suffix.lower()}")
        project.change(truth=True)
        return await run_in_threadpool(project_json, project, self._work.summaries(project))

    async def _score(self, request: Request, session: Session, project: Project) -> Any:
        self._work.refuse_twice("score", project)
        return job_json(self._work.score(session, project, _ids(await _body(request))), self._jobs)

    async def _report(self, request: Request, session: Session, project: Project) -> Any:
        path = project.folder / "score" / "report.html"
        if not path.is_file():
            raise HTTPException(404, "report: there is none yet")
        return FileResponse(path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY})

    async def _teach(self, request: Request, session: Session, project: Project) -> Any:
        self._work.refuse_twice("teach", project)
        return job_json(self._work.teach(session, project, _ids(await _body(request))), self._jobs)

    # --- what the network says of a frame ---

    async def _explain(self, request: Request, session: Session, project: Project) -> Any:
        return await self._seats.ask(project, "explain", _frame(await _body(request)))

    async def _point(self, request: Request, session: Session, project: Project) -> Any:
        body = await _body(request)
        return await self._seats.ask(project, "point", _frame(body), prompts=_prompts(body))

    async def _follow(self, request: Request, session: Session, project: Project) -> Any:
        prompts = _prompts(await _body(request))
        return job_json(self._work.follow(session, project, prompts), self._jobs)


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = msgspec.json.decode(await request.body() or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise HTTPException(400, f"the request is no json: {error}") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "the request is no object")
    return body


def _ids(body: Mapping[str, Any]) -> set[int]:
    ids = body.get("tracks")
    if not isinstance(ids, list) or not all(type(number) is int for number in ids):
        raise HTTPException(400, f"tracks: {ids!r:.60} is no list of ids")
    return set(ids)


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def input_error(request: Request, error: Exception) -> Response:
    """What users did that cannot be done, as a sentence."""
    assert isinstance(error, InputError), "it is the handler of these"
    return JSONResponse({"error": str(error)}, 422)


async def http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is the handler of these"
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


def _frame(body: Mapping[str, Any]) -> int:
    frame = body.get("frame")
    if type(frame) is not int:
        raise HTTPException(400, f"frame: {frame!r:.60} is no number of a frame")
    return frame


def _prompts(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    prompts = body.get("prompts")
    if not isinstance(prompts, list) or not all(isinstance(prompt, dict) for prompt in prompts):
        raise HTTPException(400, f"prompts: {prompts!r:.60} is no list of points and boxes")
    return prompts
