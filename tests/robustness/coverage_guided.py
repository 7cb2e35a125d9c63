"""Coverage-guided fuzzing of what reads bytes, by atheris, which is no part of the tests: pip install atheris.

    python -m tests.robustness.coverage_guided json -max_total_time=60

Names a reader, then options of libFuzzer. Whatever is raised but InputError ends it, with the bytes that did it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris
import numpy as np

with atheris.instrument_imports(include=["chronomask"]):
    from chronomask import rle
    from chronomask.annotations import reader
    from chronomask.annotations.masks import Masks
    from chronomask.errors import InputError
    from chronomask.formats.convert import read
    from chronomask.formats.label_studio import brush_pixels
    from chronomask.video.pictures import read_picture


def _masks(data: bytes) -> None:
    """One by one, and many in a sweep, must agree."""
    text = data.decode("latin-1")
    verdicts = []
    for look in (
        lambda: rle.from_annotation({"size": [5, 7], "counts": text}, 5, 7),
        lambda: Masks([text], 5, 7),
    ):
        try:
            look()
            verdicts.append(True)
        except InputError:
            verdicts.append(False)
    assert verdicts[0] == verdicts[1], f"{text!r}: {verdicts}"


def _of_file(name: str, read_file: Callable[[Path], object]) -> Callable[[bytes], None]:
    folder = TemporaryDirectory()  # it goes with the process
    _kept.append(folder)
    path = Path(folder.name) / name

    def look(data: bytes) -> None:
        path.write_bytes(data)
        read_file(path)

    return look


_kept: list[TemporaryDirectory] = []

READERS: dict[str, Callable[[bytes], None]] = {
    "masks": _masks,
    "brush": lambda data: brush_pixels(np.frombuffer(data, np.uint8), 3, 4) is None,
    "json": _of_file("a.json", lambda path: reader.read(path, "collect")),
    "formats": _of_file("a.json", read),
    "cvat": _of_file("a.xml", read),
    "mots-text": _of_file("a.txt", read),
    "picture": _of_file("a.png", read_picture),
}


def main() -> None:
    chosen = READERS[sys.argv[1]]

    def look(data: bytes) -> None:
        with suppress(InputError):
            chosen(data)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], look)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
