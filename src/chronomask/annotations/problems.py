"""What is wrong with a file: raised at the first fault, or collected with the place of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from chronomask.errors import InputError

_LISTED = 20
"""Problems that one error message lists; `validate` lists them all."""

Policy = Literal["raise", "collect"]
"""What becomes of an error: it is raised, or noted while the rest of the file is read."""


@dataclass(frozen=True)
class Problem:
    """One fault of a file.

    Attributes:
        severity: "error" for what cannot be meant, and every command refuses; "warning" for what servers are strict
            about, or what is hardly wanted.
        place: where in the file, as `annotations[17].segmentations[4]`; entries count from 0.
        message: what is wrong there, with the value.
    """

    severity: Literal["error", "warning"]
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass
class Problems:
    """The problems of one file.

    Attributes:
        file: its name, for messages.
        policy: what becomes of errors.
        found: those noted so far, in the order of the file.
    """

    file: str
    policy: Policy = "raise"
    found: list[Problem] = field(default_factory=list)

    def error(self, place: str, message: str) -> None:
        """Notes an error, or raises it.

        Raises:
            InputError: the policy is to raise; the message names file and place.
        """
        problem = Problem("error", place, message)
        if self.policy == "raise":
            raise InputError(f"{self.file}: {problem}")
        self.found.append(problem)

    def warn(self, place: str, message: str) -> None:
        """Notes a warning; under the policy to raise nobody would read it."""
        if self.policy == "collect":
            self.found.append(Problem("warning", place, message))

    @property
    def errors(self) -> list[Problem]:
        """The errors noted so far."""
        return [problem for problem in self.found if problem.severity == "error"]

    def raise_errors(self) -> None:
        """Raises one InputError that lists the errors noted so far, if there are any."""
        errors = self.errors
        lines = [f"{self.file}: {problem}" for problem in errors[:_LISTED]]
        if len(errors) > _LISTED:
            lines.append(f"... and {len(errors) - _LISTED} more errors; `chronomask validate {self.file}` lists all")
        if lines:
            raise InputError("\n".join(lines))


def shown(value: object) -> str:
    """A value as messages show it: cut, for annotations run to megabytes."""
    if isinstance(value, dict | list | tuple) and len(value) > _LISTED:
        value = type(value)(list(value.items() if isinstance(value, dict) else value)[:_LISTED])
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
