"""What reading a file took for granted or left out, as commands say it."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def print_note(note: str) -> None:
    """Prints one sentence on the standard error."""
    print(f"chronomask: note: {note}", file=sys.stderr)


def print_notes(notes: Iterable[str]) -> None:
    """Prints sentences on the standard error."""
    for note in notes:
        print_note(note)
