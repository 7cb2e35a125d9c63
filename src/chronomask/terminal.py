"""What is printed for people."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(*, errors: bool = False) -> Console:
    """The terminal for tables and texts, printed as they are: `[/b]` and `:dog:` in the name of a file are no markup.

    Args:
        errors: the error stream instead of the output.
    """
    from rich.console import Console

    return Console(stderr=errors, markup=False, emoji=False)


def tell(text: object, kind: str = "") -> None:
    """Prints a sentence on the error stream, under the name of the program.

    Args:
        kind: what comes before it, such as "warning".
    """
    print(f"chronomask: {kind}{': ' if kind else ''}{text}", file=sys.stderr, flush=True)


def note(*texts: str) -> None:
    """Tells what reading a file took for granted or left out."""
    for text in texts:
        tell(text, "note")


def begin(doing: str) -> None:
    """Says at once what a command does, where somebody watches: what it needs may take seconds to import and to read.

    Args:
        doing: such as "reading tracks.json".
    """
    if sys.stderr.isatty():
        tell(f"{doing} ...")


def prepare() -> None:
    """Makes names printable that are no UTF-8, as those of files may be, and keeps Pillow's warnings of files back.

    Of what is closed, the null device takes the place: else the next file would, and get what libraries print.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = sys.stdout or os.fdopen(1, "w"), sys.stderr or os.fdopen(2, "w")
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    warnings.filterwarnings("ignore", module="PIL")
