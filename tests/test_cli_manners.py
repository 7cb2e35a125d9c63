"""How the command line speaks to people."""

import re

import pytest

from chronomask import __version__
from chronomask.cli import COMMANDS, main

HELPS = [[name] for name in COMMANDS if name != "dataset"] + [["train", "--fine-tune", "lite"]]


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chronomask {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segmnt", "x.mp4"], "no command 'segmnt'; close ones are segment"),
        (["Train"], "no command 'Train'; close ones are train"),
        (["zzz"], "no command 'zzz'; there are segment, "),
        ([__file__], f"no command '{__file__}'; to segment it: chronomask segment {__file__}"),
    ],
)
def test_a_near_miss_gets_one_line(arguments, said, capsys):
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"chronomask: {said}")
    assert message.count("\n") == 1


def test_a_wrong_option_names_the_right_one(capsys):
    with pytest.raises(SystemExit):
        main(["segment", "x.mp4", "--out", "y", "--clases", "dog"])
    assert "--classes STR" in "".join(capsys.readouterr())


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_is_for_people(arguments, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "(default: )" not in text
    assert not re.search(r"[a-z]Config\b", text)


def test_no_command_shows_the_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)
