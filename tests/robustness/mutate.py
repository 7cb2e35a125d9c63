"""Damage, the same for the same seed: to json, to the words of a text, to bytes, and to the files of a folder."""

from __future__ import annotations

import copy
import io
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

_DIGITS = "@digits@"
"""Stands for a number that Python refuses to print."""

_NESTED = "@nested@"
"""Stands for lists in lists, deeper than any reader follows."""

_LONE = "a\ud800b"
"""Half of a pair of surrogates, which no UTF-8 holds."""

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e300, 10**12, -(10**12), 2**53, 2**63, 10**310),
    *(float("nan"), float("inf"), -float("inf"), _DIGITS, _NESTED),
    *("", "x", "17", "[/b]", "../../x", "/", "a" * 300, "\0", _LONE, "é", "[bold]", "1e5"),
    *([], {}, [[]], [None], [0], [[0, 0, 0, 0]], {"size": [7.0, 9], "counts": "d1"}, {"id": 1}),
    {"size": [10**6, 10**6], "counts": [10**12]},
)

WORDS = ("", "0", "-1", "1.5", "nan", "1e400", str(10**12), "9" * 310, "9" * 5000, "x", "[/b]", "\0", "é", "<", ";,")


def damage(files: list[Path], random: Random) -> str:
    """Damages one of some files, once to three times; says what was done."""
    file = random.choice(files)
    if random.random() < 0.04:
        return f"{file.name}: {_of_the_tree(file, random)}"
    if file.suffix in _INSIDE and random.random() < 0.8:
        return f"{file.name}: {_INSIDE[file.suffix](file, random)}"
    file.write_bytes(data := bytes_of(file.read_bytes(), random))
    return f"{file.name}: {len(data)} bytes"


def _of_the_tree(file: Path, random: Random) -> str:
    what = random.choice(("gone", "empty", "a folder", "a link to nowhere", "a name that is no UTF-8", "there twice"))
    if what == "there twice":
        shutil.copy(file, file.with_name("copy of [b]" + file.name))
        return what
    data = file.read_bytes()
    file.unlink()
    if what == "empty":
        file.touch()
    elif what == "a folder":
        file.mkdir()
    elif what == "a link to nowhere":
        file.symlink_to(file.parent / "nowhere")
    elif what == "a name that is no UTF-8":
        (file.parent / os.fsdecode(b"caf\xe9" + os.fsencode(file.suffix))).write_bytes(data)
    return what


def _of_json(file: Path, random: Random) -> str:
    value, what = _changed(json.loads(file.read_text(encoding="utf-8")), random)
    file.write_text(_dumped(value), encoding="utf-8")
    return what


def _of_safetensors(file: Path, random: Random) -> str:
    """Of the json at its head, or of the configuration that is a text in it."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    if random.random() < 0.8:
        config, what = _changed(json.loads(head["__metadata__"]["config"]), random)
        head["__metadata__"]["config"] = _dumped(config)
    else:
        head, what = _changed(head, random)
    text = _dumped(head).encode("utf-8", "surrogatepass")
    file.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return what


def _of_pickle(file: Path, random: Random) -> str:
    """Of what PyTorch saved."""
    import torch

    value, what = _changed(torch.load(file, weights_only=True), random)
    torch.save(value, file)
    return what


def _of_database(file: Path, random: Random) -> str:
    """Of one field of SQLite, or of an array in one that holds an archive of NumPy's."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = random.choice(tables)
        column = random.choice([row[1] for row in database.execute(f"PRAGMA table_info({table})")])
        rows = database.execute(f"SELECT {column} FROM {table}").fetchall()
        old = random.choice(rows)[0]
        if isinstance(old, bytes) and old[:2] == b"PK" and random.random() < 0.9:
            new, what = _archive(old, random)
        else:
            new = what = random.choice((None, -1, 0, 10**12, 1.5, "", "x", b"x", "[" * 5000, '{"a": 1}'))
        try:
            database.execute(f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {column} IS ?", (new, old))
        except sqlite3.Error as error:
            what = error
    return f"{table}.{column}: {what!r:.80}"


def _archive(data: bytes, random: Random) -> tuple[bytes, str]:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = random.choice(list(arrays))
    old = arrays[name]
    what = random.choice(("gone", "another kind", "another number", "longer", "flat", "NaN"))
    if what == "gone":
        del arrays[name]
    elif what == "another kind":
        arrays[name] = old.astype(random.choice((np.float64, np.int8, str)))
    elif what == "another number":
        arrays[name] = np.full_like(old, random.choice((-1, 0, 1, 100))) if old.dtype.kind in "fi" else np.array("x")
    elif what == "longer":
        arrays[name] = np.concatenate([old.reshape(-1)] * 2)
    elif what == "flat":
        arrays[name] = old.reshape(-1)
    elif old.dtype.kind == "f":
        arrays[name] = np.full_like(old, np.nan)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue(), f"{name} {what}"


def _dumped(value: Any) -> str:
    """A value as json, where a stand-in becomes what it stands for."""
    text = json.dumps(value)
    return text.replace(f'"{_DIGITS}"', "9" * 5000).replace(f'"{_NESTED}"', "[" * 100_000 + "]" * 100_000)


def _changed(value: Any, random: Random) -> tuple[Any, str]:
    """A value with some changes inside, and what they were."""
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value, what = _changed_once(value, random)
        done.append(what)
    return value, "; ".join(done)


def _changed_once(value: Any, random: Random) -> tuple[Any, str]:
    places = list(_places(value, ()))
    # Lists of coordinates and bytes are most of a file; what is less deep is damaged as often.
    depth = random.choice(sorted({len(path) for path in places}))
    path = random.choice([path for path in places if len(path) == depth])
    if not path:
        new = copy.deepcopy(random.choice(NASTY))
        return new, f"the whole is {new!r:.40}"
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    what = _change(parent, path[-1], random)
    return value, f"{'.'.join(map(str, path))} {what}"


def _change(parent: Any, key: Any, random: Random) -> str:
    old = parent[key]
    match random.randrange(8):
        case 0:
            del parent[key]
            return "is gone"
        case 1 if isinstance(parent, list):
            parent.insert(random.randrange(len(parent) + 1), copy.deepcopy(old))
            return "is there twice"
        case 1:
            parent[f"{key}2"] = parent.pop(key)
            return "has another name"
        case 2 if isinstance(old, int | float) and abs(old) < 1e300:
            parent[key] = random.choice((old + 1, -old, float(old), str(old), old * 10**6, old + 0.5, [old]))
        case 2 if isinstance(old, list):
            parent[key] = random.choice((old[:-1], old * 2, dict(enumerate(old)), old[::-1], {"list": old}))
        case 2 if isinstance(old, dict):
            parent[key] = random.choice((list(old.values()), list(old.items()), [old], {key: old}))
        case 2 if isinstance(old, str):
            parent[key] = bytes_of(old.encode("utf-8", "replace"), random).decode("utf-8", "replace")
        case _:
            parent[key] = copy.deepcopy(random.choice(NASTY))
    return f"is {parent[key]!r:.60}"


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from _places(inner, (*path, key))


def _of_words(file: Path, random: Random) -> str:
    """Of numbers and texts between what structures the file, or of that."""
    parts = re.split(r"([\s<>\"=,;/]+)", file.read_text(encoding="utf-8"))
    place = random.randrange(len(parts))
    old, parts[place] = parts[place], random.choice(WORDS)
    if random.random() < 0.2:
        parts[place] = old * 2
    file.write_text("".join(parts), encoding="utf-8")
    return f"word {place}, {old!r:.40}, is {parts[place]!r:.40}"


def bytes_of(data: bytes, random: Random) -> bytes:
    """Bytes changed, lost, doubled or cut off."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        if not found:
            return bytes(found)
        # Headers are short, and most of what can go wrong lies there.
        place = random.randrange(len(found) if random.random() < 0.5 else min(len(found), 64))
        match random.randrange(6):
            case 0:
                found[place] ^= 1 << random.randrange(8)
            case 1:
                found[place] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
            case 2:
                found[place : place + 4] = random.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\x75\x30"))
            case 3:
                del found[place : place + random.choice((1, 4, 40))]
            case 4:
                found[place:place] = found[place : place + random.choice((1, 4, 40))]
            case _:
                if random.random() < 0.4:
                    del found[random.randrange(len(found)) :]
    return bytes(found)


_INSIDE: dict[str, Callable[[Path, Random], str]] = {
    ".json": _of_json,
    **dict.fromkeys((".xml", ".txt", ".csv"), _of_words),
    ".safetensors": _of_safetensors,
    ".pt": _of_pickle,
    ".db": _of_database,
}
"""Damage to what a kind of file holds, by its ending; to the bytes of all others."""
