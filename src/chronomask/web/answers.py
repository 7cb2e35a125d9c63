"""What the server answers about one project: its data, steps of correction, long work, and what the network says."""

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
from starlette.responses import FileResponse

from chronomask.web.jobs import Jobs
from chronomask.web.limits import Limits
from chronomask.web.project import Project
from chronomask.web.seat import AROUND
from chronomask.web.seats import Seats
from chronomask.web.sessions import Session, Sessions
from chronomask.web.uploads import FILES, checked_name, received
from chronomask.web.views import job_json, masks_from, masks_json, project_json
from chronomask.web.work import TRUTH, Work

_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"

MOST_PROMPTS = 200
"""Points and boxes in one question."""

OfProject = Callable[[Request, Session, Project], Coroutine[Any, Any, Any]]
"""Answers with a response, or with what becomes json."""


class Answers:
    """The endpoints of a project. Whether the session may ask for it is known before.

    Args:
        sessions, jobs, seats, limits, work: of the server.
    """

    def __init__(self, sessions: Sessions, jobs: Jobs, seats: Seats, limits: Limits, work: Work) -> None:
        self._sessions, self._jobs, self._seats, self._limits, self._work = sessions, jobs, seats, limits, work

    def table(self) -> list[tuple[str, str, OfProject]]:
        """Method and path of every one, behind that of the project."""
        return [
            ("GET", "", self._project_view),
            ("DELETE", "", self._remove),
            ("GET", "/media/{which}", self._media),
            ("GET", "/times/{which}", self._times),
            ("GET", "/packets/{which}", self._packets),
            ("GET", "/masks", self._masks),
            ("GET", "/pictures/{name}", self._picture),
            ("POST", "/steps", self._step),
            ("POST", "/undo", self._undo),
            ("POST", "/redo", self._redo),
            ("PUT", "/view", self._set_view),
            ("POST", "/segment", self._segment),
            ("POST", "/copy", self._copy),
            ("GET", "/tracks.json", self._tracks_file),
            ("POST", "/export", self._export),
            ("GET", "/export/{name}", self._exported),
            ("POST", "/truth", self._take_truth),
            ("POST", "/score", self._score),
            ("GET", "/report", self._report),
            ("POST", "/teach", self._teach),
            ("POST", "/explain", self._explain),
            ("POST", "/point", self._point),
            ("POST", "/names", self._names),
            ("POST", "/follow", self._follow),
        ]

    # --- what is seen ---

    async def _project_view(self, request: Request, session: Session, project: Project) -> Any:
        return await self._shown(project)

    async def _shown(self, project: Project) -> dict[str, Any]:
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
        return FileResponse(_beside_media(request, project, "times", ".bin"), media_type="application/octet-stream")

    async def _packets(self, request: Request, session: Session, project: Project) -> Any:
        return FileResponse(_beside_media(request, project, "packets", ".json"), media_type="application/json")

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
        shown = await self._shown(project)
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
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        await received(request, aside / name, self._limits.file_bytes, self._limits.free_bytes)
        shutil.rmtree(project.folder / TRUTH, ignore_errors=True)
        aside.rename(project.folder / TRUTH)
        project.change(truth=True)
        return await self._shown(project)

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

    async def _names(self, request: Request, session: Session, project: Project) -> Any:
        body = await _body(request)
        frame, number = _frame(body), body.get("track")
        masks = await run_in_threadpool(masks_from, project, max(0, frame - AROUND), number)
        return await self._seats.ask(project, "names", frame, masks=masks)

    async def _follow(self, request: Request, session: Session, project: Project) -> Any:
        prompts = _prompts(await _body(request))
        return job_json(self._work.follow(session, project, prompts), self._jobs)


def _beside_media(request: Request, project: Project, what: str, ending: str) -> Path:
    """What was found out about a video that the page plays, and lies with its times; `what` is for messages."""
    path = project.folder / f"times-{request.path_params['which']}{ending}"
    if request.path_params["which"] not in ("source", "copy") or not path.is_file():
        raise HTTPException(404, f"{what}: are not there yet")
    return path


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


def _frame(body: Mapping[str, Any]) -> int:
    frame = body.get("frame")
    if type(frame) is not int:
        raise HTTPException(400, f"frame: {frame!r:.60} is no number of a frame")
    return frame


def _prompts(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    prompts = body.get("prompts")
    if not isinstance(prompts, list) or not all(isinstance(prompt, dict) for prompt in prompts):
        raise HTTPException(400, f"prompts: {prompts!r:.60} is no list of points and boxes")
    if len(prompts) > MOST_PROMPTS:  # every one costs, and all sessions share who answers
        raise HTTPException(400, f"prompts: {len(prompts)}; at most {MOST_PROMPTS} are taken")
    return prompts
