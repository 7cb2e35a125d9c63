"""Starting the server of the page, and ending it."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sysconfig
import webbrowser
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from platformdirs import user_data_path
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from chronomask.errors import InputError
from chronomask.files import make_folder
from chronomask.heap import share_heap
from chronomask.locks import locked
from chronomask.web.api import Api, http_error, input_error
from chronomask.web.guard import Guard, Rules
from chronomask.web.jobs import CHILD, Jobs
from chronomask.web.limits import Limits
from chronomask.web.seats import SEAT, Seats
from chronomask.web.sessions import Sessions

_HOUR = 3600.0
"""Seconds between two cleanings."""


@dataclass(frozen=True)
class Place:
    """Where the server is, and what it shows.

    Attributes:
        host: address that it listens at.
        port: 0 for any that is free.
        folder: for sessions.
        source: the video or folder of frames to show.
        tracks: the tracks to show.
        token: the secret in the address; by default a new one every time.
        limits: what browsers may ask.
        child, seat: the commands of child processes, and of the one that answers at once.
    """

    host: str = "127.0.0.1"
    port: int = 8750
    folder: Path | None = None
    source: Path | None = None
    tracks: Path | None = None
    token: str | None = None
    limits: Limits = Limits()  # noqa: RUF009  (frozen)
    child: Sequence[str] = CHILD
    seat: Sequence[str] = SEAT


def sample_video() -> Path | None:
    """The sample: in a checkout among the examples, else where packages put what they share."""
    checkout = Path(__file__).parents[3] / "examples" / "sample.mp4"
    installed = Path(sysconfig.get_path("data")) / "share" / "chronomask" / "sample.mp4"
    return next((place for place in (checkout, installed) if place.is_file()), None)


def application(place: Place, folder: Path, token: str, port: int) -> ASGIApp:
    """The server without a socket."""
    names = {place.host, *(("localhost", "127.0.0.1", "[::1]") if _is_loopback(place.host) else ())}
    rules = Rules(token, frozenset(f"{name}:{port}" for name in names), port, place.limits.request_bytes)
    sessions, jobs, seats = (
        Sessions(folder, place.limits),
        Jobs(place.child),
        Seats(place.seat, place.limits.memory_bytes),
    )
    sources = [None if path is None else path.resolve() for path in (place.source, place.tracks)]
    api = Api(sessions, jobs, seats, place.limits, rules, (sources[0], sources[1]), sample_video())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        sessions.clear_leftovers()
        cleaner = asyncio.create_task(_clean(sessions))
        try:
            yield
        finally:
            cleaner.cancel()
            await seats.close()
            await jobs.close()

    handlers = {InputError: input_error, HTTPException: http_error}
    app = Starlette(routes=api.routes(), exception_handlers=handlers, lifespan=lifespan)
    return Guard(app, rules)


async def _clean(sessions: Sessions) -> None:
    while True:
        await asyncio.to_thread(sessions.clean)
        await asyncio.sleep(_HOUR)


def serve(place: Place, ready: Callable[[str], None] = lambda address: None, open_browser: bool = False) -> None:
    """Serves until it is interrupted.

    Args:
        ready: is told the address, token and all, when the server takes requests.
        open_browser: whether to show it there.

    Raises:
        InputError: the port is taken, another server uses the folder, or there is no such file.
    """
    for path in (place.source, place.tracks):
        if path is not None and not path.exists():
            raise InputError(f"{path}: no such file")
    folder = place.folder or user_data_path("chronomask") / "web"
    make_folder(folder)
    share_heap()
    token = place.token or secrets.token_urlsafe(18)
    with locked(folder / ".lock", folder), _bound(place.host, place.port) as listening:
        port = listening.getsockname()[1]
        shown = f"[{place.host}]" if ":" in place.host else place.host
        address = f"http://{shown}:{port}/?token={token}"
        app = application(place, folder, token, port)
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, lifespan="on")
        server = _Server(config, lambda: _told(address, ready, open_browser))
        with suppress(KeyboardInterrupt):  # which uvicorn hands on when it has ended
            server.run(sockets=[listening])


def _told(address: str, ready: Callable[[str], None], open_browser: bool) -> None:
    ready(address)
    if open_browser:
        webbrowser.open(address)


class _Server(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{host}:{port}: {reason}; name another --port, or 0 for any that is free") from error
    return listening


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
