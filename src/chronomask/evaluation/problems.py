"""What is wrong with a file, each fault with its place, collected instead of raised one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from chronomask.errors import InputError

_SHOWN = 20
"""Problems that one error message lists; `validate` lists them all."""


@dataclass(frozen=True)
class Problem:
    """One fault of a file.

    Attributes:
        severity: "error" for what makes the official evaluator crash or miscount, else "warning".
        place: where in the file, as `annotations[17].segmentations[4]`; entries count from 0.
        message: what is wrong there, with the value.
    """

    severity: Literal["error", "warning"]
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass
class Collector:
    """Gathers the problems of one file.

    Attributes:
        file: its name, for messages.
        thorough: whether to look for faults that only warn and take time to find (boxes that disagree with masks).
        problems: found so far, in the order of the file.
    """

    file: str
    thorough: bool = True
    problems: list[Problem] = field(default_factory=list)

    def error(self, place: str, message: str) -> None:
        self.problems.append(Problem("error", place, message))

    def warn(self, place: str, message: str) -> None:
        self.problems.append(Problem("warning", place, message))

    def raise_errors(self) -> None:
        """As the function `raise_errors`, for what was found so far."""
        raise_errors(self.file, self.problems)


def raise_errors(file: str, problems: Sequence[Problem]) -> None:
    """Raise one InputError that lists the errors among the problems, if there are any; warnings do not count."""
    errors = [problem for problem in problems if problem.severity == "error"]
    lines = [f"{file}: {problem}" for problem in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"... and {len(errors) - _SHOWN} more errors; `chronomask validate {file}` lists all")
    if lines:
        raise InputError("\n".join(lines))


def shown(value: object) -> str:
    """A value as messages show it: cut, for annotations run to megabytes."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
