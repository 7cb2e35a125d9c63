"""Arrays from a pickle, without running anything that the file names.

A pickle is a program: it may import and call whatever it likes. This reader knows the few names that NumPy writes
arrays with and nothing else, and even for those it has stand-ins, because NumPy's own reconstruction trusts the flags
in the file (a forged object type would turn bytes into pointers).
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from chronomask.errors import InputError

_CODES = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})


class PickledArray:
    """What an array of the file becomes.

    Attributes:
        value: the array, in the byte order and memory layout of the file, read-only.
    """

    def __init__(self) -> None:
        self.value = np.empty(0)  # NumPy fills arrays in a second step, which a forged file may leave out

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, raw = state
        self.value = _array(raw, kind).reshape(shape, order="F" if fortran else "C")


class _Kind:
    """Stand-in for numpy.dtype: plain numbers only."""

    def __init__(self, code: str) -> None:
        if code not in _CODES:
            raise ValueError(f"arrays of type {code!r} are not read")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


# Functions, never the classes themselves: a pickle can set attributes on a class that it gets hold of.
def _dtype(code: str, *_flags: bool) -> _Kind:
    return _Kind(code)


def _reconstruct(*_: object) -> PickledArray:
    return PickledArray()


def _frombuffer(
    raw: bytearray, kind: _Kind, shape: tuple[int, ...], order: str, axes: tuple[int, ...] | None = None
) -> PickledArray:
    array = PickledArray()
    if axes is None:
        array.value = _array(raw, kind).reshape(shape, order="F" if order == "F" else "C")
    else:
        array.value = _array(raw, kind).reshape(shape).transpose(axes)
    return array


def _scalar(kind: _Kind, raw: bytes) -> PickledArray:
    return _frombuffer(bytearray(raw), kind, (), "C")


def _encode(text: str, encoding: str) -> bytes:
    # Protocol 2 has no bytes: NumPy writes them as text and this call.
    if encoding != "latin1":
        raise ValueError(f"text in {encoding!r}, not latin1")
    return text.encode("latin1")


def _array(raw: bytes | bytearray | str, kind: _Kind) -> np.ndarray:
    # Python 2 wrote bytes as what is text now.
    return np.frombuffer(raw.encode("latin1") if isinstance(raw, str) else raw, kind.dtype)


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): None,  # only ever an argument of _reconstruct
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): dict,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")  # NumPy 1 and 2
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _frombuffer),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise InputError(
                f"{self._path}: refused, because the pickle asks for {module}.{name}; only NumPy arrays, numbers and "
                "text are read, and nothing is run"
            )
        return _ALLOWED[module, name]


def unpickle_arrays(path: Path) -> Any:
    """The object in a pickle of any protocol that holds nothing but arrays, numbers, text, lists and dicts.

    Returns:
        The object, with every array (and NumPy scalar) as a PickledArray.

    Raises:
        InputError: the file asks for anything else, or is no pickle.
    """
    with path.open("rb") as file:
        try:
            return _Unpickler(file, path).load()
        except InputError:
            raise
        except Exception as error:  # damaged or forged bytes raise nearly anything
            raise InputError(f"{path}: not a pickle of NumPy arrays: {error}") from error
