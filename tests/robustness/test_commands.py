"""Every cell of the matrix in docs/reliability.md."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from tests.robustness.commands import (
    COMMANDS,
    PROMISES,
    Command,
    detect_nothing,
    matrix,
    one_half,
    thin_backbone,
    track_nothing,
    train_nothing,
    write_inputs,
)
from tests.robustness.disks import no_room, small_disk

from chronomask.cli import main
from fleet.stand_in import open_colour

CHANGING = (".pt", ".pt2", ".parquet")
"""Endings of files that hold times or random names."""

every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


@pytest.fixture
def place(tmp_path, inputs, monkeypatch):
    """The working folder, with the inputs in it."""
    monkeypatch.setattr("chronomask.engines.export._halves", one_half)
    monkeypatch.setattr("chronomask.training.calibration.judged_tubes", lambda *_: [])
    monkeypatch.setattr("chronomask.training.calibration.fit_tube_score", lambda _: (0.0,) * 7)
    monkeypatch.setattr("chronomask.training.names.teach_names", lambda *_, **__: None)
    monkeypatch.setattr("chronomask.model.network.build_backbone", thin_backbone)
    monkeypatch.setattr("chronomask.baselines.table1.train_network", train_nothing)
    judging = "chronomask.baselines.judging"
    for name, fake in {"detected": detect_nothing, "system": track_nothing}.items():
        monkeypatch.setattr(f"{judging}.{name}", fake)
    monkeypatch.setattr(f"{judging}.load", lambda *_, **__: open_colour())
    monkeypatch.setattr(f"{judging}.NetworkDetector.of_model", lambda *_: None)
    for room in (judging, "chronomask.baselines.run"):
        monkeypatch.setattr(f"{room}.process_time", lambda: 0.0)
    # Last, and when those who import it by name have done so: they would keep it for other tests.
    import_module("chronomask.training.run")
    monkeypatch.setattr("chronomask.segmenter.load.load", open_colour)
    folder = tmp_path / "place"
    folder.mkdir()
    shutil.copytree(inputs, folder / "in")
    monkeypatch.chdir(folder)
    return folder


def run(command: Command, *more: str, out: str = "") -> int:
    return main([*command.words.replace("OUT", out or command.out).split(), *more])


def contents(folder: Path, without: str = "in") -> dict[str, bytes]:
    """All files below a folder but the inputs; of logs and states, which hold times and random names, only that they
    are there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name.split("/")[0] != without:
            changing = path.name in ("log.csv", "model.json", "manifest.log") or path.suffix in CHANGING
            found[name] = b"" if changing else path.read_bytes()
    return found


def write_old(command: Command) -> None:
    """Something that the command may replace: what a run on other inputs left."""
    path = Path(command.out)
    if command.words.startswith("batch"):
        path /= "a/tracks.json"
    elif command.folder:
        assert run(command) == 0
        next(file for file in path.rglob("*") if file.suffix in (".png", ".jpg", ".json")).touch()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("old")


def test_the_matrix_of_the_documents_is_the_one_that_is_tested():
    page = Path(__file__).parents[2] / "docs/reliability.md"
    assert matrix() in page.read_text()
    tests = [name for name in globals() if name.startswith("test_")]
    for column in PROMISES:
        assert f"test_{column.lower().replace(' ', '_').replace('-', '_')}" in tests


def test_few_kills_and_none_is_noticed():
    """Many more by hand: python -m tests.robustness.kills."""
    command = [sys.executable, "-m", "tests.robustness.kills", "--count", "1", "--seed", "3"]
    found = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@every_command
def test_existing_output(command, place, capsys):
    write_old(command)
    before = contents(place)
    assert run(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert contents(place) == before
    assert run(command, "--overwrite") == 0
    assert command.folder or contents(place) != before
    assert not [name for name in contents(place) if "/." in f"/{name}" and not name.startswith("out/.batch/manifest")]


@every_command
def test_input_is_output(command, place, capsys):
    if command.words.startswith("segment"):
        shutil.move("in/a.mkv", "out.mkv")
        Path("out").mkdir()
        shutil.move("out.mkv", "out/overlay.mp4")
        words = command.words.replace("in/a.mkv", "out/overlay.mp4")
        cases = [words.split()]
    elif command.words.startswith("render"):
        Path("out").mkdir()
        shutil.copytree("in/frames", "out/masks")
        cases = [command.words.replace("in/frames", "out/masks").split()]
    elif command.words.startswith(("export", "train")):
        Path("out").mkdir()
        name = "out/model.safetensors" if command.words.startswith("train") else "out/encoder.pt2"
        shutil.copy("in/tiny.safetensors", name)
        cases = [command.words.replace("in/tiny.safetensors", name).split()]
    elif command.words.startswith("table1"):
        Path("out").mkdir()
        shutil.copy("in/videos.json", "out/settings.json")
        cases = [command.words.replace("in/videos.json,", "out/settings.json,", 1).split()]
    else:
        cases = [command.words.replace("OUT", name).split() for name in command.inputs]
    before = contents(place, without="")
    for words in cases:
        assert main([*words, "--overwrite"]) == 2
        assert " read" in capsys.readouterr().err
        assert contents(place, without="") == before


@every_command
def test_link(command, place, capsys):
    path = Path(command.out)
    path.parent.mkdir(exist_ok=True)
    (place / "elsewhere").mkdir()
    (place / "elsewhere/mine.txt").write_text("mine")
    path.symlink_to(place / "elsewhere" if command.folder else place / "elsewhere/mine.txt")
    for more in ((), ("--overwrite",)):
        assert run(command, *more) == 2
        assert "is a link to" in capsys.readouterr().err
    assert contents(place)["elsewhere/mine.txt"] == b"mine"


@every_command
def test_foreign_folder(command, place, capsys):
    path = Path(command.out)
    path.mkdir(parents=True)
    (path / "notes.txt").write_text("mine")
    before = contents(place)
    for more in ((), ("--overwrite",)):
        assert run(command, *more) == 2
        assert capsys.readouterr().err
        assert contents(place) == before


@every_command
def test_full_disk(command, place, capsys, inputs, tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk) as own:
        monkeypatch.chdir(disk)
        (disk / "in").symlink_to(inputs)
        write_old(command)
        before = contents(disk)
        capsys.readouterr()
        with no_room(disk, own):
            assert run(command, "--overwrite") == 2
        message = capsys.readouterr().err
        assert "disk is full" in message or "cannot write" in message
        left = {name: data for name, data in contents(disk).items() if not name.startswith(command.keeps or "/")}
        assert {name: left.get(name) for name in before} == before
        assert not [name for name in left if "/." in f"/{name}" and ".replaced" not in name]
        assert run(command, "--overwrite") == 0
        monkeypatch.chdir(place)


@every_command
def test_ctrl_c(command, place, capsys, monkeypatch):
    write_old(command)
    before = contents(place)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        patch.setattr("chronomask.fleet.workers.LocalWorkers.reports", interrupted)
        assert run(command, "--overwrite") == 130
    assert "chronomask: interrupted" in capsys.readouterr().err
    left = {name: data for name, data in contents(place).items() if not name.startswith(command.keeps or "/")}
    assert {name: left.get(name) for name in before} == before
    assert run(command, "--overwrite") == 0


@every_command
def test_kill(command, place, tmp_path, monkeypatch):
    """What a killed process leaves is what lies on the disk at that moment: here before every renaming."""
    swap, copies = os.replace, []

    def copying(one, two):
        copies.append(tmp_path / f"killed{len(copies)}")
        shutil.copytree(place, copies[-1], ignore=shutil.ignore_patterns("in"))
        swap(one, two)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", copying)
        assert run(command) == 0
    expected = contents(place)
    assert copies
    for number, killed in enumerate({copies[0], copies[-1]}):
        before = place.rename(tmp_path / f"before{number}")
        killed.rename(place)  # a batch knows its sources by where they lie
        (before / "in").rename(place / "in")
        monkeypatch.chdir(place)
        assert run(command, *command.again.split()) == 0
        assert contents(place) == expected
