"""How far a batch is, as the text that Prometheus reads, on a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chronomask.errors import InputError
from chronomask.fleet.schedule import Standing

_CONTENT = "text/plain; version=0.0.4; charset=utf-8"


def prometheus(standing: Standing) -> str:
    """The standing in Prometheus' text format."""
    waiting = standing.total - standing.done - standing.failed - len(standing.running)
    states = {"done": standing.done, "failed": standing.failed, "running": len(standing.running), "waiting": waiting}
    lines = [
        "# HELP chronomask_batch_videos Videos of the batch by state.",
        "# TYPE chronomask_batch_videos gauge",
        *(f'chronomask_batch_videos{{state="{state}"}} {count}' for state, count in states.items()),
        "# HELP chronomask_batch_frames_total Frames segmented since this run began.",
        "# TYPE chronomask_batch_frames_total counter",
        f"chronomask_batch_frames_total {standing.frames_now}",
        "# HELP chronomask_batch_seconds Seconds since this run began.",
        "# TYPE chronomask_batch_seconds gauge",
        f"chronomask_batch_seconds {time.monotonic() - standing.began:.3f}",
    ]
    return "\n".join(lines) + "\n"


class Metrics:
    """What is served: the standing that it was told last.

    Attributes:
        standing: None before the first.
        port: on which it is served.
    """

    def __init__(self, port: int) -> None:
        self.standing: Standing | None = None
        self.port = port

    def text(self) -> str:
        return "" if self.standing is None else prometheus(self.standing)


@contextmanager
def served(port: int) -> Generator[Metrics, None, None]:
    """Serves /metrics to everybody who reaches this machine, for as long as the block lasts.

    Args:
        port: 0 for any that is free.

    Raises:
        InputError: the port cannot be had.
    """
    metrics = Metrics(port)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = metrics.text().encode() if self.path.split("?")[0] == "/metrics" else b"see /metrics\n"
            self.send_response(200 if self.path.startswith("/metrics") else 404)
            self.send_header("Content-Type", _CONTENT)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass  # nobody wants a line for every look

    try:
        server = ThreadingHTTPServer(("", port), Handler)
    except (OSError, OverflowError) as error:
        raise InputError(f"metrics_port {port}: {getattr(error, 'strerror', None) or error}") from error
    metrics.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
