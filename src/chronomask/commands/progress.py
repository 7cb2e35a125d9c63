"""Progress bars of long work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def progress_bar(items: Iterable, task: str, total: int | None) -> Iterator:
    """Hands the items through and shows on the error stream how many are done and how long the rest will take."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # On the error stream: the table alone goes to the output.
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(items, description=task, total=total)
