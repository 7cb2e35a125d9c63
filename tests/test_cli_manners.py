"""How the command line speaks to people."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chronomask import __version__
from chronomask.cli import COMMANDS, main
from chronomask.commands.naming import default_out, method_names

SAMPLE = Path(__file__).parent.parent / "examples/sample.mp4"

DATASET = [["dataset", name] for name in ("info", "preview", "synthesize")]
HELPS = [*([name] for name in COMMANDS), *DATASET, ["train", "--fine-tune", "lite"], ["train", "--recipe", "paper"]]
INTERNAL = re.compile(r"\bNone\b|\(default: *(''|\"\")?\)|[a-z]Config\b|\b(Args|Attributes):|[A-Za-z]_[A-Za-z]")
"""What no help may say: defaults that are no values, and names that only programmers know."""

WORKING = {
    "segment": ["v.mp4"],
    "batch": ["v.mp4", "--out", "out"],
    "web": ["v.mp4"],
    "explain": ["v.mp4", "--out", "e.png"],
    "predict": ["i.json", "--frames", "f", "--out", "t.json"],
    "evaluate": ["i.json", "r.json"],
    "validate": ["i.json"],
    "compare": ["i.json", "r.json"],
    "convert": ["i.json", "out", "--to", "coco"],
    "render": ["t.json", "--video", "v.mp4"],
    "calibrate": ["w.safetensors", "i.json", "--out", "c.safetensors"],
    "export": ["lite", "out"],
    "train": ["i.json", "--out", "run"],
    "train --fine-tune lite": ["i.json", "--out", "run"],
    "dataset info": ["i.json"],
    "dataset preview": ["i.json", "--out", "p.png"],
    "dataset synthesize": ["i.json", "out"],
}
"""Commands that may work for longer than a second, with arguments."""

SLOW = ("torch", "cv2", "openvino", "onnx", "onnxruntime", "scipy", "supervision", "faster_coco_eval")
"""Packages that take a good part of a second to import."""


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


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9.1 TiB for an array"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 4000 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("Exception from src/inference/src/cpp/core.cpp:117:\nstd::bad_alloc\n"),
    ],
)
def test_too_little_memory_is_no_fault_of_ours(error, monkeypatch, capsys):
    def fail(*_):
        raise error

    monkeypatch.setattr("chronomask.evaluation.validate.validate", fail)
    assert main(["validate", "a.json"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("chronomask: not enough memory for this: ")
    assert "core.cpp" not in message  # where a library met it helps nobody


@pytest.mark.skipif(sys.platform != "linux", reason="the shell of Linux, and its full device")
@pytest.mark.parametrize(
    ("shell", "code", "said"),
    [
        ("$C validate $F 2>&-", 0, ""),
        ("$C validate $F <&- >&- 2>&-", 0, ""),
        ("$C validate $F >/dev/full", 2, "chronomask: the disk: No space left on device"),
        ("$C --version >/dev/full", 2, "chronomask: the "),
        (
            "mkdir gone; cd gone; rmdir ../gone; $C convert $F out --to coco",
            2,
            "chronomask: the folder that one is in: No",
        ),
    ],
)
def test_a_shell_may_be_in_a_bad_way(shell, code, said, tmp_path):
    (tmp_path / "a.json").write_text('{"videos": [], "categories": [], "annotations": []}')
    places = {"C": f"{sys.executable} -m chronomask", "F": str(tmp_path / "a.json")}
    found = subprocess.run(
        ["sh", "-c", shell], cwd=tmp_path, env={**os.environ, **places}, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr[: len(said)]) == (code, said)
    assert "Traceback" not in found.stderr


def test_the_package_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "chronomask", "segmnt"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "chronomask: no command 'segmnt'; close ones are segment\n"


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chronomask {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segmnt", "x.mp4"], "no command 'segmnt'; close ones are segment"),
        (["Train"], "no command 'Train'; close ones are train"),
        (["zzz"], "no command 'zzz'; there are segment, "),
        (["segment", ""], "what stands behind segment is empty"),
        (["segment", "x.mp4", "--out", "", "--csv"], "what stands behind --out is empty"),
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
    assert not (found := [line for line in text.splitlines() if INTERNAL.search(line)]), found
    assert "--help" in text


@pytest.mark.parametrize("command", WORKING)
def test_a_first_sign_of_life_comes_before_what_takes_long(command, tmp_path):
    """On a terminal, every command says something before it imports the packages that take it a second or more."""
    program = (
        "import os, sys\n"
        "class Terminal:\n"
        "    encoding = 'utf-8'\n"
        "    def isatty(self): return True\n"
        "    def fileno(self): return 2\n"
        "    def flush(self): pass\n"
        "    def write(self, text):\n"
        f"        print(text.strip(), *({{*sys.modules}} & {{*{SLOW!r}}}), sep='|', file=sys.stdout, flush=True)\n"
        "        os._exit(0)\n"
        "sys.stderr = Terminal()\n"
        "from chronomask.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    arguments = [sys.executable, "-c", program, *command.split(), *WORKING[command]]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=tmp_path)
    said, *imported = done.stdout.strip().split("|")
    assert said.startswith("chronomask: ")
    assert said.endswith(" ...")
    assert not imported


def test_no_sign_of_life_where_nobody_watches(capsys):
    assert main(["validate", "missing.json"]) == 2
    assert capsys.readouterr().err == "chronomask: missing.json: no such file\n"


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


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["ours.json", "theirs.json"], ["ours", "theirs"]),
        (["scores/ours/results.json", "scores/theirs/results.json"], ["ours", "theirs"]),
        (["scores/results-a.json", "scores/b/tracks.json"], ["results-a", "b/tracks"]),
        (["scores/only.json"], ["only"]),
        (["runs/model-0.5", "runs/model-0.7"], ["model-0.5", "model-0.7"]),  # folders: nothing is an ending
        (["a.json", "a.xml"], ["a.json", "a.xml"]),
        (["a", "a/b"], ["a", "a/b"]),
    ],
)
def test_methods_are_called_by_what_their_paths_have_of_their_own(paths, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("") if path.endswith(("json", "xml")) else Path(path).mkdir(exist_ok=True)
    assert method_names([Path(path) for path in paths]) == dict(zip(names, map(Path, paths), strict=True))


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
