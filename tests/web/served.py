"""A server of the page for tests, and a client that is no browser."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from chronomask.web.limits import Limits
from chronomask.web.serving import Place, _bound, application

TOKEN = "a-token-for-tests"
CHILD = (sys.executable, str(Path(__file__).with_name("child.py")))
SEAT = (*CHILD, "seat")
SMALL = Limits(upload_bytes=2**20, pixels=640 * 480, frames=500, free_bytes=1)


class Client:
    """Speaks to a server as one browser does."""

    def __init__(self, port, token=TOKEN):
        self.port, self.cookies = port, {}
        if token:
            self.status("GET", f"/?token={token}")
            self.status("GET", "/")

    def request(self, method, path, body=None, **headers):
        """Status, headers and content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        content = answer.read()
        for name, value in answer.getheaders():
            if name == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def status(self, method, path, body=None, **headers):
        """Status and sentence."""
        status, _, content = self.request(method, path, body, **headers)
        try:
            return status, json.loads(content).get("error", "")
        except (ValueError, AttributeError):
            return status, ""

    def json(self, method, path, body=None):
        status, _, content = self.request(method, path, body)
        assert status < 300, content
        return json.loads(content)

    def settled(self):
        """The session, when nothing is at work."""
        for _ in range(300):
            session = self.json("GET", "/api/session")
            if all(job["state"] not in ("waiting", "running") for job in session["jobs"]):
                return session
            time.sleep(0.05)
        raise AssertionError(session["jobs"])

    def upload(self, path, name=None):
        """The id of the project, and what became of the jobs."""
        job = self.json("POST", f"/api/projects?name={name or path.name}", path.read_bytes())
        return job["project"], self.settled()


@contextmanager
def serving(folder, limits=SMALL, token=TOKEN, **place):
    """A server in a thread; gives its port."""
    listening = _bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    app = application(Place(folder=folder, limits=limits, child=CHILD, seat=SEAT, **place), folder, token, port)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield port
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
