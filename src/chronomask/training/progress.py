"""A run's log files and its line on the error stream."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic

from chronomask.data.protocol import WeightedSource
from chronomask.errors import refusing
from chronomask.files import written_aside
from chronomask.terminal import console
from chronomask.training.monitor import Monitor, StepReport

LOGGED = 10
"""Every so many steps log.csv gets a line."""


class CsvLog(Monitor):
    """A monitor that writes log.csv: a line every tenth step, each step once however often a run is interrupted.

    Args:
        out: folder of the run.
        first: step that the run goes on with; lines from there on are dropped, for the steps are done again.
    """

    def __init__(self, out: Path, first: int) -> None:
        self.path = out / "log.csv"
        if self.path.exists():
            with refusing(self.path, "no log of a run"):
                lines = [line for line in self.path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
                kept = lines[:1] + [line for line in lines[1:] if int(line.split(b",")[0]) < first]
            with written_aside(self.path) as aside:
                aside.write_bytes(b"".join(kept))

    def on_step(self, report: StepReport) -> None:
        if report.step % LOGGED:
            return
        result = report.result
        row = {"step": str(report.step), "loss": f"{result.loss:.4f}"}
        row |= {name: f"{value:.4f}" for name, value in result.terms.items()}
        row |= {"rate": f"{report.rate:.3g}", "gradient": f"{result.gradient:.4f}"}
        row |= {"seconds": f"{report.seconds:.4f}", "memory": str(report.memory)}
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)


class SkippedList(Monitor):
    """A monitor that writes skipped.txt: every entry that could not be read, once.

    Args:
        out: folder of the run.
        sources: whose readers may have left out something already when they were opened.
    """

    def __init__(self, out: Path, sources: Sequence[WeightedSource]) -> None:
        self.path = out / "skipped.txt"
        with refusing(self.path):
            self.known = set(self.path.read_text().splitlines()) if self.path.exists() else set[str]()
        self._add(message for source in sources for message in source.reader.skipped)

    def on_step(self, report: StepReport) -> None:
        self._add(report.result.skipped)

    def _add(self, messages: Iterable[str]) -> None:
        lines = {" ".join(message.split()) for message in messages} - self.known
        if lines:
            self.known |= lines
            with self.path.open("a") as file:
                file.writelines(f"{line}\n" for line in sorted(lines))


class ProgressLine(Monitor):
    """A monitor that shows the latest step on the error stream; use it as a context manager.

    On a terminal one line changes in place; elsewhere a new line comes every half minute.
    """

    def __init__(self) -> None:
        from rich.live import Live

        self.console = console(errors=True)
        self.live = Live(console=self.console, refresh_per_second=2) if self.console.is_terminal else None
        self.seconds: float | None = None
        self.printed, self.skipped = -30.0, 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            self.live.stop()

    def on_step(self, report: StepReport) -> None:
        self.seconds = report.seconds if self.seconds is None else 0.95 * self.seconds + 0.05 * report.seconds
        self.skipped += len(report.result.skipped)
        line = progress_text(report, self.seconds, self.skipped)
        if self.live:
            self.live.start()  # not before the first step, so that other processes than the first show nothing
            self.live.update(line)
        elif monotonic() - self.printed >= 30 or report.step + 1 == report.steps:
            self.printed = monotonic()
            self.console.print(line, soft_wrap=True, highlight=False)

    def scores(self, step: int, scores: object) -> None:
        """Shows the result of a validation, above the line."""
        self.console.print(f"step {step}: {scores}", soft_wrap=True, highlight=False)


def progress_text(report: StepReport, seconds: float, skipped: int) -> str:
    """One line: step, loss terms, learning rate, speed, memory, time left at `seconds` a step."""
    minutes, second = divmod(round((report.steps - report.step - 1) * seconds), 60)
    hour, minute = divmod(minutes, 60)
    parts = [
        f"step {report.step + 1}/{report.steps}",
        *(f"{name} {value:.3f}" for name, value in report.result.terms.items()),
        f"rate {report.rate:.2g}",
        f"{1 / seconds:.2g} steps/s",
        f"{report.memory / 2**30:.1f} GiB",
        f"{hour}:{minute:02}:{second:02} left",
    ]
    return "  ".join([*parts, f"{skipped} clips skipped"] if skipped else parts)
