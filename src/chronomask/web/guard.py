"""Who may speak to the server: a page that it sent itself, to a browser that was given the token.

Loopback alone is no protection: any page that a browser has open can send requests to this machine, under a name of its
own (DNS rebinding: Host) or ours (Origin), and any program of another user can connect.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, and no script that is written into the page."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

_NO_TOKEN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>chronomask</title>
<h1>This page needs its token</h1><p>Open the address that <code>chronomask web</code> printed when it started.</p>"""


@dataclass(frozen=True)
class Rules:
    """What is let through.

    Attributes:
        token: the secret in the printed address.
        hosts: names and ports under which the server may be called, as `127.0.0.1:8750`.
        port: of the server; cookies do not know of ports, so it is in their names.
        request_bytes: of requests that are no uploads.
        uploads: paths, by their end, of those that are.
    """

    token: str
    hosts: Collection[str]
    port: int
    request_bytes: int
    uploads: tuple[str, ...] = ("/projects", "/truth")

    @property
    def token_cookie(self) -> str:
        return f"chronomask-token-{self.port}"

    @property
    def session_cookie(self) -> str:
        return f"chronomask-session-{self.port}"


class Guard:
    """Turns requests away before anything looks at them, and says to browsers what the page may do."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no websockets
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope) or self._entry(scope) or self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, rules = Headers(scope=scope), self._rules
        host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
        if host.lower() not in rules.hosts:
            return _refused(421, f"Host {host!r}: this server is {' or '.join(sorted(rules.hosts))}")
        if origin is not None and origin.lower() not in {f"http://{name}" for name in rules.hosts}:
            return _refused(403, f"Origin {origin!r}: another page may not use this server")
        # A link to the page, as in a chat, is the only thing that may come from elsewhere.
        linked = scope["path"] == "/" and scope["method"] == "GET"
        if site in ("cross-site", "same-site") and not linked:
            return _refused(403, "Sec-Fetch-Site: another page may not use this server")
        length = headers.get("content-length", "0")
        upload = scope["path"].endswith(rules.uploads)
        if not length.isdecimal() or (not upload and int(length) > rules.request_bytes):
            return _refused(413, f"Content-Length {length}: at most {rules.request_bytes:,} bytes here")
        if not upload and "transfer-encoding" in headers:
            return _refused(411, "Content-Length: is needed")
        return None

    def _entry(self, scope: Scope) -> Response | None:
        """The answer to who has the token in the address, or has none."""
        rules = self._rules
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and _same(given, rules.token):
            response = RedirectResponse("/", 303)  # so that the token stays in no history
            response.set_cookie(rules.token_cookie, rules.token, httponly=True, samesite="lax")
            return response
        if _same(cookies_of(scope).get(rules.token_cookie, ""), rules.token):
            return None
        if scope["path"] == "/":
            return HTMLResponse(_NO_TOKEN, 401)
        return _refused(401, "token: is missing; open the address that chronomask web printed")


def cookies_of(scope: Scope) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(Headers(scope=scope).get("cookie", "")).items()}
    except CookieError:
        return {}


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
