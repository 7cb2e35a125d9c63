"""What options mean: lists joined by commas, and where results go that nobody named a place for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def listed(text: str) -> tuple[str, ...]:
    """The names in a list joined by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def method_names(results: Sequence[Path]) -> dict[str, Path]:
    """Result files by what methods are called: their paths without what all of them begin or end with."""
    whole = [path.with_suffix("") if path.is_file() else path for path in results]
    parts = [path.parts for path in whole]
    least = min((len(part) for part in parts), default=0) - 1  # one is left of each
    front = next((n for n in range(least) if len({part[n] for part in parts}) > 1), max(0, least))
    most = least - front
    back = next((n for n in range(most) if len({part[-1 - n] for part in parts}) > 1), max(0, most))
    names = ["/".join(part[front : len(part) - back]) for part in parts]
    return dict(zip(names if len(set(names)) == len(names) else map(str, results), results, strict=True))


def default_out(name: str, reads: Iterable[Path], ending: str) -> Path:
    """A folder in the present one, named after a video; with an ending where what is read lies there.

    Args:
        name: of the video.
        reads: the files that are read.
        ending: such as "-tracks".
    """
    folder = Path(name)
    taken = any(folder.resolve() in (path.resolve(), *path.resolve().parents) for path in reads)
    return Path(f"{name}{ending}") if taken else folder
