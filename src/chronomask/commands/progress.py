"""Progress bars of long work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from chronomask.terminal import console

if TYPE_CHECKING:
    from chronomask.runs.live import Live


def progress_bar(items: Iterable, task: str, total: int | None) -> Iterator:
    """Hands the items through and shows on the error stream how many are done and how long the rest will take."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # On the error stream: the table alone goes to the output.
    with Progress(*columns, console=console(errors=True)) as progress:
        yield from progress.track(items, description=task, total=total)


def live_line(source: Live) -> Callable[[Iterable, str, int | None], Iterator]:
    """As `progress_bar`; for work without a known end a line on whether it keeps up with a live source."""

    def progress(items: Iterable, task: str, total: int | None) -> Iterator:
        from rich.progress import Progress, TextColumn

        if total is not None:
            yield from progress_bar(items, task, total)
            return
        began = time.monotonic()
        with Progress(TextColumn("{task.description}", markup=False), console=console(errors=True)) as display:
            line = display.add_task(f"{task}: waiting for frames; Ctrl-C ends")
            for count, item in enumerate(items, 1):
                rate = count / (time.monotonic() - began)
                state = f"{count} frames, {rate:.1f}/s, {source.delay:.1f} s behind, {source.dropped} dropped"
                display.update(line, description=f"{task}: {state}; Ctrl-C ends")
                yield item

    return progress
