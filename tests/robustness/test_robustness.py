"""Five hundred mutants, twenty of each kind, in a process of their own: types are unchecked there, as for users."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from tests.robustness.harness import Kind, Outcome, outcomes
from tests.robustness.mutate import damage

ROOT = Path(__file__).parents[2]


def test_damaged_inputs_are_refused_or_what_comes_of_them_is_sound() -> None:
    command = [sys.executable, "-m", "tests.robustness", "--count", "20", "--seed", "0"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def written(folder: Path) -> None:
    (folder / "a.json").write_text('{"a": [1, {"b": "c"}], "d": null}')


def of(run: object, count: int = 12) -> list[Outcome]:
    return list(outcomes(Kind(written, run, ("a.json",)), "test", 3, range(count)))  # ty: ignore[invalid-argument-type]


def test_the_harness_notices() -> None:
    """A traceback, another exit code, a warning, and work without end."""
    sound = [True]

    def run(folder: Path, random: Random) -> int:
        if sound.pop() if sound else False:
            return 0
        return actions.pop()(folder)

    def warns(folder: Path) -> int:
        import warnings

        warnings.warn("odd", stacklevel=1)
        return 0

    def crashes(folder: Path) -> int:
        raise KeyError("x")

    actions = [lambda folder: 2, lambda folder: 1, warns, crashes]
    failures = [outcome.failure.strip().splitlines()[-1:] for outcome in of(run, 4)]
    assert failures == [["KeyError: 'x'"], ["UserWarning: odd"], ["exit code 1"], []]


def test_sound_inputs_must_pass() -> None:
    with pytest.raises(AssertionError, match="test: the sound input is refused"):
        of(lambda folder, random: 2)


def test_the_same_seed_does_the_same_damage(tmp_path: Path) -> None:
    texts = []
    for _ in range(2):
        texts.append([])
        for number in range(40):
            written(tmp_path)
            damage([tmp_path / "a.json"], Random(number))
            left = sorted(tmp_path.iterdir())
            texts[-1].append([entry.read_bytes() if entry.is_file() else entry.name for entry in left])
            for entry in left:
                entry.rmdir() if entry.is_dir() else entry.unlink()
    assert texts[0] == texts[1]
    assert len(set(map(str, texts[0]))) > 30
