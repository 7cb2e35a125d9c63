"""A process that does one task: decodes what nobody trusts, or computes for minutes, away from the server.

It reads one line of json, `{"task": "look", ...}`, and prints one for every step of its progress and one with its
result. When the server goes, so does it: its input ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from chronomask.errors import InputError, OutOfMemory, is_out_of_memory

_EVERY = 0.2
"""Seconds between two reports."""

_TOO_LITTLE = "this machine has too little memory for it; end other programs, and try it again"
_TOO_MUCH = (
    "it needs more than the {:.1f} GiB of memory that are allowed for what a browser sent; "
    "a video that is named by command has no such limit"
)


class Reporter:
    """Prints what the server is told."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._last = stream, 0.0

    def say(self, **message: Any) -> None:
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()

    def progress(self, items: Iterable, task: str, total: int | None) -> Iterator:
        """As `chronomask.progress.Progress`."""
        self.say(task=task, done=0, total=total)
        for done, item in enumerate(items, 1):
            if time.monotonic() - self._last >= _EVERY:
                self._last = time.monotonic()
                self.say(task=task, done=done, total=total)
            yield item


def bound(memory: int | None, cpu: int | None) -> None:
    """Limits this process, where the system can: bytes of its own memory, seconds of computing; and no core dumps."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    if cpu is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))


def _end_with_server() -> None:
    """Ends this process when its input ends, which it does when the server is gone."""

    def wait() -> None:
        while os.read(0, 4096):  # not by sys.stdin, whose lock a thread may not hold when the process ends
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def said_of(error: Exception, memory: int | None) -> str | None:
    """What a user of the page is told of an error; None where it is our fault.

    Args:
        memory: bytes that this process may have of its own; None for all that there are.
    """
    ours = isinstance(error, InputError)
    if isinstance(error, OutOfMemory) or (not ours and is_out_of_memory(error)):
        return _TOO_LITTLE if memory is None else _TOO_MUCH.format(memory / 2**30)
    if isinstance(error, ModuleNotFoundError):
        return f"this needs the package {error.name}, which is not installed"
    return str(error) if ours else None


def _do(reporter: Reporter, request: dict[str, Any], memory: int | None) -> None:
    """Does a task, and says what came of it, or why nothing did."""
    places = [Path(request["folder"]), Path(request["folder"]).parent] if "folder" in request else []
    try:
        from chronomask.web.tasks import TASKS

        reporter.say(result=TASKS[request.pop("task")](reporter.progress, **request))
    except Exception as error:
        if (said := said_of(error, memory)) is None:
            raise
        for place in places:  # where the server keeps things is nobody's business, and no name that a user knows
            said = said.replace(f"{place}{os.sep}", "")
        reporter.say(error=said)
    except KeyboardInterrupt:
        reporter.say(cancelled=True)


def main() -> None:
    """Does the task of the first line of the input."""
    request = json.loads(sys.stdin.readline())
    # Libraries print what they like; none of it is for the server.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    memory = request.pop("memory", None)
    bound(memory, request.pop("cpu", None))
    _end_with_server()
    if hasattr(os, "nice"):
        os.nice(5)  # the page goes first
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _do(Reporter(stream), request, memory)


if __name__ == "__main__":
    main()
