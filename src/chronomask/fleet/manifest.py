"""What became of every video of a batch: the one truth, which a killed batch goes on with.

It is a log: each change of a row is a line that is there or not, whatever kills the process. manifest.parquet is a
copy of it for other programs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from chronomask.errors import InputError, refusing
from chronomask.files import spoken, written_aside
from chronomask.runs.log import Log, read_lines

FOLDER, LOG, LOCK, TABLE = ".batch", "manifest.log", "lock", "manifest.parquet"
"""Names: of the folder with what a batch keeps, of what lies in it, of the table beside it."""

State = Literal["done", "running", "waiting", "failed", "left out"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Row:
    """A video.

    Attributes:
        name: of the folder of its results.
        source: path or address.
        stamp: of the source when it was looked at last, see `listing.Entry`.
        state: "done", "running", "waiting", "failed", or "left out": it was not done, and the newest call does not ask
            for it.
        hash: tells the content of the source from others; empty until it was opened.
        attempts: how many times work on it was begun.
        seconds: that workers spent on it.
        frames, tracks: that were written.
        error: why it failed, or what of it could not be decoded, a sentence.
    """

    name: str
    source: str
    stamp: str
    state: State = "waiting"
    hash: str = ""
    attempts: int = 0
    seconds: float = 0.0
    frames: int = 0
    tracks: int = 0
    error: str = ""


class Manifest:
    """The rows of a batch, by source, in a file that is written to at every change.

    Attributes:
        rows: by source.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any], overwrite: bool) -> None:
        """Opens the manifest, or begins it.

        Args:
            folder: of the batch; it exists.
            header: what all results depend on.
            overwrite: whether one with another header may be replaced.

        Raises:
            InputError: as `Log`.
        """
        self._log = Log(folder / LOG, header, overwrite)
        self.rows = _rows(folder / LOG, self._log.entries)
        self._log.entries.clear()

    def set(self, row: Row) -> None:
        """Notes what became of a video."""
        self.rows[row.source] = row
        self._log.add(asdict(row))

    def close(self) -> None:
        self._log.close()


def read_rows(root: Path) -> list[Row]:
    """The rows of a batch, of a running one too.

    Raises:
        InputError: there is none, or it is damaged.
    """
    log = root / FOLDER / LOG
    if not log.is_file():
        raise InputError(f"{root}: holds no batch: {log} is missing")
    return list(_rows(log, read_lines(log)[0][1:]).values())


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many videos are in each state."""
    found = Counter(row.state for row in rows)
    return {state: found[state] for state in STATES}


def write_table(root: Path, rows: Iterable[Row]) -> Path:
    """Writes manifest.parquet.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    import pyarrow
    from pyarrow import parquet

    types = {"int": pyarrow.int64(), "float": pyarrow.float64()}
    schema = pyarrow.schema([(field.name, types.get(str(field.type), pyarrow.string())) for field in fields(Row)])
    texts = ({key: spoken(x) if isinstance(x, str) else x for key, x in asdict(row).items()} for row in rows)
    with written_aside(root / TABLE) as aside, aside.open("wb") as file:  # pyarrow opens no path that is no UTF-8
        parquet.write_table(pyarrow.Table.from_pylist(list(texts), schema), file)
    return root / TABLE


def _rows(log: Path, lines: Iterable[dict[str, Any]]) -> dict[str, Row]:
    with refusing(log):
        rows = [Row(**line) for line in lines]
    return {row.source: row for row in rows}
