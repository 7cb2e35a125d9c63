"""What a part of the program writes down of itself, to go on from there in another process."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from chronomask.errors import refusing

State: TypeAlias = "dict[str, np.ndarray]"
"""Arrays by name; a number is one without dimensions. `restore` of a part takes what its `state` gave."""


SNAPSHOT = "snapshot of an interrupted run"
"""What messages call a state where nobody knows in which file it lies."""


def nested(name: str, state: Mapping[str, np.ndarray]) -> State:
    """The state of a part under its name, to stand in the state of the whole; `part` takes it out again."""
    return {f"{name}.{key}": value for key, value in state.items()}


def part(state: Mapping[str, np.ndarray], name: str) -> State:
    """What `nested` put in."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def to_bytes(state: Mapping[str, np.ndarray]) -> bytes:
    """The state as a compressed npz archive, which knows its checksums."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **state)
    return buffer.getvalue()


def from_bytes(data: bytes, where: str = SNAPSHOT) -> State:
    """Inverse of `to_bytes`; `where` is what messages call the data.

    Raises:
        InputError: the data are damaged, or no such archive.
    """
    with refusing(where), np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
