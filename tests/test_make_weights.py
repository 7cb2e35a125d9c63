"""The recipe of the bundled weights: its commands are commands, and it goes on where it was."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from chronomask.cli import main

PLACE = Path(__file__).parent.parent / "examples/make_weights.py"


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location("make_weights", PLACE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_stage_has_options_of_its_command(recipe, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    wanted: dict[str, set[str]] = {}
    for long in recipe.stages(Path("data"), Path("detector.pb"), Path("out")).values():
        for command in (long, recipe.shortened(long)):
            assert command[0] == "chronomask"
            wanted.setdefault(command[1], set()).update(word for word in command if word.startswith("--"))
    assert {"train", "average", "names", "calibrate", "export"} == set(wanted)
    for command, options in wanted.items():
        with pytest.raises(SystemExit):
            main([command, "--help"])
        shown = capsys.readouterr().out.replace(",", " ").split()
        assert options <= {*shown}, command


def test_it_goes_on_where_it_was(recipe, tmp_path, monkeypatch):
    """A call that is killed makes a stage's result, and cannot note it."""
    (tmp_path / "out").mkdir()
    calls = []

    def run(command, check):
        calls.append(command)
        if command[1] == "average":
            Path(command[command.index("--out") + 1]).touch()
            if calls.count(command) == 1 and "--overwrite" not in command:
                raise CalledProcessError(1, command)

    monkeypatch.setattr(recipe.subprocess, "run", run)
    arguments = ["make_weights.py", "data", "--detector", "d.pb", "--out", str(tmp_path / "out"), "--short"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(CalledProcessError):
        recipe.main()
    assert [command[1] for command in calls] == ["train"] * 5 + ["average"]
    assert "--init" in calls[0]  # random weights would find nothing to calibrate
    calls.clear()
    with pytest.raises(CalledProcessError):  # the second average
        recipe.main()
    assert [command[1] for command in calls] == ["average", "names", "calibrate", "train", "average"]
    assert calls[0][-1] == "--overwrite"
    calls.clear()
    recipe.main()
    recipe.main()
    assert [command[1] for command in calls] == ["average", "names", "export"]
