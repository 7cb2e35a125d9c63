"""Progress bars of long work."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chronomask.terminal import console

if TYPE_CHECKING:
    from rich.progress import Progress

    from chronomask.runs.live import Live


def bar(redirect: bool = True) -> Progress:
    """A bar on the error stream, which says how many are done and how long the rest will take.

    Args:
        redirect: whether what is printed meanwhile appears above it.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console(errors=True), redirect_stdout=redirect, redirect_stderr=redirect)


def progress_bar(items: Iterable, task: str, total: int | None) -> Iterator:
    """Hands the items through and shows how far that is, see `bar`."""
    with bar() as progress:
        yield from progress.track(items, description=task, total=total)


def say(said: object) -> None:
    """Prints a sentence or a table on the error stream, while a long work goes on."""
    console(errors=True).print(said, soft_wrap=isinstance(said, str), highlight=False)


def live_line(source: Live) -> Callable[[Iterable, str, int | None], Iterator]:
    """As `progress_bar`; for work without a known end a line on whether it keeps up with a live source."""

    def progress(items: Iterable, task: str, total: int | None) -> Iterator:
        if total is not None:
            yield from progress_bar(items, task, total)
            return
        with live_lines() as line_of:
            yield from line_of(source)(items, task, total)

    return progress


@contextmanager
def live_lines() -> Generator[Callable[[Live], Callable[[Iterable, str, int | None], Iterator]], None, None]:
    """Lines for several live sources, one for each: whether it keeps up, and then how far its results are."""
    from rich.progress import Progress, TextColumn

    with Progress(TextColumn("{task.description}", markup=False), console=console(errors=True)) as display:

        def line_of(source: Live) -> Callable[[Iterable, str, int | None], Iterator]:
            line = display.add_task(f"{source.name}: waiting for frames; Ctrl-C ends")

            def progress(items: Iterable, task: str, total: int | None) -> Iterator:
                began = time.monotonic()
                for count, item in enumerate(items, 1):
                    rate = count / (time.monotonic() - began)
                    state = f"{count} frames, {rate:.1f}/s, {source.delay:.1f} s behind, {source.dropped} dropped"
                    state = f"{state}; Ctrl-C ends" if total is None else f"{count} of {total} frames"
                    display.update(line, description=f"{task}: {state}")
                    yield item

            return progress

        yield line_of
