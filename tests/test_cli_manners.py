"""How the command line speaks to people."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chronomask import __version__
from chronomask.cli import COMMANDS, main
from chronomask.commands.naming import default_out

SAMPLE = Path(__file__).parent.parent / "examples/sample.mp4"

HELPS = [[name] for name in COMMANDS if name != "dataset"] + [["train", "--fine-tune", "lite"]]


@pytest.mark.parametrize("module", ["tyro", "chronomask.commands.segmentation", "numpy.linalg", "av", "openvino"])
def test_ctrl_c_in_the_first_second(module, tmp_path):
    """While packages are imported, compiled ones too."""
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from chronomask.cli import main\n"
        "sys.exit(main(['segment', sys.argv[1], '--out', sys.argv[2]]))\n"
    )
    sample = Path(__file__).parent.parent / "examples/sample.mp4"
    command = [sys.executable, "-c", program, str(sample), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.endswith("chronomask: interrupted\n")
    assert all(line.startswith("chronomask: ") for line in done.stderr.splitlines())
    assert not (tmp_path / "out").exists()


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


def test_results_go_beside_you_where_no_place_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()
    assert default_out("clip", [tmp_path / "clip.mp4"], "-tracks") == Path("clip")
    assert default_out("frames", [tmp_path / "frames/0.png"], "-tracks") == Path("frames-tracks")


@pytest.mark.network
def test_a_first_sign_of_life_and_results_without_out(tmp_path):
    """The first line comes within a second on a free machine; here the machine may be busy."""
    program = "from chronomask.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "segment", SAMPLE, "--end", "0.2", "--no-overlay"]
    began = time.monotonic()
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        assert run.stderr.readline() == "chronomask: sample: 640x360, 25 frames a second, 5 frames\n"
        assert time.monotonic() - began < 5
        run.stderr.read()
    assert run.returncode == 0
    assert (tmp_path / "sample/tracks.json").exists()
