"""Work in a thread of its own, a little ahead of whoever needs it, or a little behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, Full, Queue
from typing import Any, TypeVar

_Item = TypeVar("_Item")

PATIENCE = 0.1
"""Seconds after which a wait looks up whether it is still wanted."""

STOP_SECONDS = 1.0
"""How long the end of an iteration waits for the thread, which may hang in a read."""


def ahead(items: Iterable[_Item], count: int) -> Iterator[_Item]:
    """The items, in their order, made in another thread while those before them are used.

    Args:
        items: iterated once, in that thread, and given up when this iteration is.
        count: so many may wait; one more is being made.

    Raises:
        Whatever `items` raises, after what came before it.
    """
    waiting: Queue[tuple[list[_Item], BaseException | None]] = Queue(count)
    stopped = threading.Event()
    thread = threading.Thread(target=_make, args=(items, waiting, stopped), name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            # With a time limit, because on Windows a wait without one cannot be interrupted.
            try:
                made, error = waiting.get(timeout=PATIENCE)
            except Empty:
                continue
            if error is not None:
                try:
                    raise error
                finally:
                    del error  # its traceback holds this frame: they would wait for the garbage collector
            if not made:
                return
            yield from made
    finally:
        stopped.set()
        thread.join(STOP_SECONDS)


def _make(
    items: Iterable[_Item], waiting: Queue[tuple[list[_Item], BaseException | None]], stopped: threading.Event
) -> None:
    """Puts the items into the queue one by one; at the end an empty list, or the error."""

    def handed_over(made: list[_Item], error: BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                waiting.put((made, error), timeout=PATIENCE)
                return True
            except Full:
                continue
        return False

    try:
        with given_up(items):
            for item in items:
                if not handed_over([item], None):
                    return
        handed_over([], None)
    except BaseException as error:  # raised in the thread that iterates
        handed_over([], error)


@contextmanager
def given_up(items: Iterable[object]) -> Generator[None, None, None]:
    """In the end closes what is iterated inside, where that can be closed: files, and threads that work ahead.

    A generator closes by itself when nobody refers to it; but the traceback of an error does.
    """
    try:
        yield
    finally:
        if isinstance(items, Generator):
            items.close()


@contextmanager
def behind(function: Callable[..., object], count: int) -> Generator[Callable[..., None], None, None]:
    """Inside the block, what is handed over is done by a thread, in its order; when the block ends, all of it is done.

    Args:
        function: called in that thread.
        count: so many calls may wait or be at work; whoever hands over one more waits.

    Raises:
        Whatever the function raises, at one of the next calls or at the end.
    """
    with ThreadPoolExecutor(1, "behind") as executor:
        unfinished: deque[Future[object]] = deque()

        def hand_over(*arguments: Any) -> None:
            if len(unfinished) == count:
                unfinished.popleft().result()
            unfinished.append(executor.submit(function, *arguments))

        yield hand_over
        while unfinished:
            unfinished.popleft().result()
