"""Runs that are killed at every one of their last steps: what they leave is gone after the next call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests.robustness.kills import KINDS, check, contents, forked

STEPS = ("unlink", "rmdir", "replace")
LAST = 6


def watched(run: Callable[[Path, Path], object], copies: Path, inputs: Path, out: Path) -> None:
    """Runs, and copies what a kill before each of its last steps would leave."""
    steps = 0

    def step(function: Callable, *arguments: object, **options: object) -> None:
        nonlocal steps
        for name in STEPS:
            setattr(os, name, plain[name])
        shutil.copytree(out, copies / str(steps), dirs_exist_ok=True)
        if steps >= LAST:
            shutil.rmtree(copies / str(steps - LAST))
        steps += 1
        watch()
        function(*arguments, **options)

    def watch() -> None:
        for name, function in plain.items():
            setattr(os, name, partial(step, function))

    plain = {name: getattr(os, name) for name in STEPS}
    watch()
    run(inputs, out)


@pytest.mark.parametrize("name", ["segment", "predict", "train"])
def test_a_kill_in_the_last_steps_leaves_nothing(tmp_path: Path, name: str) -> None:
    kind, inputs, out, copies = KINDS[name], tmp_path / "inputs", tmp_path / "out", tmp_path / "copies"
    inputs.mkdir()
    kind.prepare(inputs)
    assert forked(replace(kind, run=partial(watched, kind.run, copies)), inputs, out).over
    expected, killed = contents(out), sorted(copies.iterdir())
    assert len(killed) == LAST
    assert any(contents(copy) != expected for copy in killed)
    for copy in killed:
        forked(kind, inputs, copy)
        check(copy, expected, f"{name}, killed before step {copy.name}")
