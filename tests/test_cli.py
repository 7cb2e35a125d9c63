"""The command line as a stranger meets it: exit codes, files, messages."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from chronomask.categories import LITE
from chronomask.cli import COMMANDS, main
from chronomask.config import ModelConfig
from chronomask.formats.ytvis import read_tracks
from chronomask.model.checkpoint import save_network
from chronomask.model.network import Network
from chronomask.runs.interruption import Interrupted
from chronomask.video import VideoWriter, open_source

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained network that finds something everywhere."""
    torch.manual_seed(0)
    network = Network(ModelConfig(backbone="resnet18", channels=16, squeezes=(2, 1, 0, 0)))
    torch.nn.init.constant_(network.heat_head.bias, 3.0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, network, half=False)
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    with VideoWriter(path, 70, 54, 25.0) as writer:
        for index in range(11):
            image = np.full((54, 70, 3), 40, np.uint8)
            image[10:30, 3 * index : 3 * index + 20] = (200, 60, 30)
            writer.write(image)
    return path


def run(*arguments: str | Path) -> int:
    """With a checkpoint by PyTorch, which need not convert it."""
    engine = ("--engine", "torch") if "--checkpoint" in arguments else ()
    return main([str(argument) for argument in (*arguments, *engine)])


@pytest.mark.network
def test_segment_writes_the_contracted_files(
    video: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("segment", video, "--out", out, "--checkpoint", checkpoint, "--score", "0", "--max-tracks", "3") == 0
    tracks = json.loads((out / "tracks.json").read_text())
    entry = tracks["videos"][0]
    assert (entry["width"], entry["height"], entry["length"], entry["fps"]) == (70, 54, 11, 25.0)
    assert len(tracks["categories"]) == len(LITE) + 1
    assert 1 <= len(tracks["annotations"]) <= 3
    for annotation in tracks["annotations"]:
        assert len(annotation["segmentations"]) == 11
        assert 0 <= annotation["score"] <= 1
    named = {"version", "checkpoint_sha256", "engine", "settings", "source", "classes", "relinked", "complete"}
    assert set(tracks["info"]) == named
    assert set(tracks["info"]["engine"]) == {"name", "version", "device", "precision", "processor"}
    results = read_tracks(out / "results.json")
    assert len(results.tracks) == len(tracks["annotations"])
    overlay = open_source(out / "overlay.mp4")
    assert sum(1 for _ in overlay) == 11
    printed = capsys.readouterr()
    assert "mean area" in printed.out
    assert str(out / "overlay.mp4") in printed.out
    assert sorted(path.name for path in out.iterdir()) == ["overlay.mp4", "results.json", "tracks.json"]


def test_segment_with_several_sources_makes_a_folder_for_each(video: Path, checkpoint: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.mp4"
    second.write_bytes(video.read_bytes())
    out = tmp_path / "out"
    assert run("segment", video, second, "--out", out, "--checkpoint", checkpoint, "--no-overlay") == 0
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.json")) == [
        "second/results.json",
        "second/tracks.json",
        "video/results.json",
        "video/tracks.json",
    ]


def test_segment_refuses_sources_that_would_share_a_folder(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "elsewhere" / video.name
    other.parent.mkdir()
    other.write_bytes(video.read_bytes())
    assert run("segment", video, other, "--out", tmp_path / "out") == 2
    assert f"{tmp_path / 'out/video'}: would hold the results of two sources" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_segment_keeps_only_the_named_classes(video: Path, checkpoint: Path, tmp_path: Path) -> None:
    options = ("--checkpoint", checkpoint, "--no-overlay", "--score", "0", "--object-below", "0")
    assert run("segment", video, "--out", tmp_path / "all", *options) == 0
    names = {category.id: category.name for category in LITE}
    found = {names[track.category_id] for track in read_tracks(tmp_path / "all/tracks.json").tracks}
    other = next(category.name for category in LITE if category.name not in found)
    assert run("segment", video, "--out", tmp_path / "none", *options, "--classes", other) == 0
    assert read_tracks(tmp_path / "none/tracks.json").tracks == ()


def test_segment_does_not_replace_results_unasked(
    video: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("segment", video, "--out", tmp_path / "out", "--checkpoint", checkpoint, "--no-overlay")
    assert run(*arguments) == 0
    assert run(*arguments) == 2
    assert "exists already" in capsys.readouterr().err
    assert run(*arguments, "--overwrite") == 0
    (tmp_path / "out/overlay.mp4").write_text("of another video")
    assert run(*arguments, "--overwrite") == 0
    assert (tmp_path / "out/overlay.mp4").read_text() == "of another video"


@pytest.mark.network
@pytest.mark.usefixtures("all_cores")
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_segment_gives_the_same_bytes_again_on_any_number_of_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    sample, found = README.parent / "examples/sample.mp4", []
    for number, threads in enumerate(("1", "1", "2")):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        options = ("--precision", precision, "--end", "0.5", "--short-side", "128", "--score", "0", "--no-overlay")
        assert run("segment", sample, "--out", tmp_path / str(number), *options) == 0
        found.append((tmp_path / str(number) / "tracks.json").read_bytes())
    assert found[0] == found[1] == found[2]
    assert json.loads(found[0])["annotations"]


def _audio_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_segment_takes_times_and_makes_what_editors_use(video: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    choice = ("--start", "0:00:00.12", "--end", "0.4", "--every", "2", "--masks", "png", "--cutout", "webm", "--csv")
    arguments = ("segment", video, "--out", out, "--checkpoint", checkpoint, "--score", "0", "--max-tracks", "2")
    assert run(*arguments, *choice, "--cutout-tracks", "together") == 0
    assert json.loads((out / "tracks.json").read_text())["videos"][0]["length"] == 4
    assert sum(1 for _ in open_source(out / "overlay.mp4")) == 4
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*") if path.suffix != ".json")
    frames = [f"masks/{number:05d}.png" for number in range(4)]
    assert names == ["cutouts/together.webm", *frames, "overlay.mp4", "tracks.csv"]
    assert run(*arguments, *choice, "--cutout-tracks", "together", "--resume") == 0


def test_one_bad_source_does_not_stop_the_others(
    video: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(3):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(frames / f"{number}.png")
    (frames / "1.png").write_bytes((frames / "1.png").read_bytes()[:60])
    options = ("--out", tmp_path / "out", "--checkpoint", checkpoint, "--no-overlay")
    assert run("segment", tmp_path / "text.mp4", frames, video, *options) == 2
    printed = capsys.readouterr()
    assert "text.mp4: not a video" in printed.err
    assert "warning: 1 of 3 images are left out" in printed.err
    assert "2 frames were segmented" in printed.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["frames", "video"]
    assert run("segment", frames, *options[:1], tmp_path / "alone", *options[2:]) == 0


@pytest.mark.parametrize(
    "fault",
    [
        "missing",
        "text",
        "audio",
        "empty folder",
        "checkpoint",
        "device",
        "class",
        "out",
        "below a file",
        "model",
        "start",
        "end",
    ],
)
def test_bad_input_exits_with_2_and_writes_nothing(
    fault: str, video: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, source, options, named = tmp_path / "out", video, ["--checkpoint", checkpoint], "video"
    match fault:
        case "missing":
            source = named = tmp_path / "nowhere.mp4"
        case "text":
            source = named = tmp_path / "text.mp4"
            source.write_text("not a video")
        case "audio":
            source = named = tmp_path / "sound.mp4"
            _audio_only(source)
        case "empty folder":
            source = named = tmp_path / "frames"
            source.mkdir()
        case "checkpoint":
            options, named = ["--checkpoint", video], video
        case "device":
            options, named = [*options, "--device", "cuda:77"], "cuda:77"
        case "class":
            options, named = (
                [*options, "--classes", "hors"],
                "'hors' is not a class of this model; close",
            )
        case "out":
            out = named = tmp_path / "a-file"
            out.write_text("something else")
        case "below a file":
            named = tmp_path / "a-file"
            named.write_text("something else")
            out = named / "below"
        case "start":
            options, named = [*options, "--start", "soon"], "soon"
        case "end":
            options, named = [*options, "--start", "3", "--end", "0:02"], "2.0"
        case "model":
            options, named = ["--model", "unicorn"], "unicorn"
    before = sorted(tmp_path.rglob("*"))
    assert run("segment", source, "--out", out, *options) == 2
    *first, message = capsys.readouterr().err.strip().splitlines()
    assert str(named) in message
    assert message.startswith("chronomask: ")
    assert first in ([], ["chronomask: video: 70x54, 25 frames a second, 11 frames"])  # read, before the fault is found
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"dataset"}))
def test_the_list_of_commands_says_what_their_own_help_says(name: str) -> None:
    command = COMMANDS[name]
    function = getattr(importlib.import_module(f"chronomask.commands.{command.module}"), name)
    assert command.help == function.__doc__.splitlines()[0]


@pytest.mark.parametrize("arguments", [["--help"], ["segment", "--help"]])
def test_help_needs_no_heavy_package(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom chronomask.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert "Find, name, cut out and follow every object" in done.stdout
    loaded = done.stdout.splitlines()[-1].split()
    assert not {"numpy", "torch", "av", "cv2", "scipy", "supervision", "PIL"} & set(loaded)


def test_who_points_at_nothing_does_not_wait_for_scipy() -> None:
    """Nor for what else only some runs need: imports are most of the start of a short one."""
    program = "import sys, chronomask.runs.segment, chronomask.segmenter.load; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"scipy", "torch", "supervision", "matplotlib"} & set(done.stdout.split())


def test_no_source_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("segment", "--out", tmp_path / "out") == 2
    assert "source" in capsys.readouterr().err


def test_interruption_exits_with_130(
    video: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chronomask.segmenter.clips.find", interrupted)
    assert run("segment", video, "--out", tmp_path / "out", "--checkpoint", checkpoint) == 130
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("train --help", 2, ""),
        ("validate missing.json --against missing.json", 2, "chronomask: missing.json: no such file\n"),
    ],
)
def test_nobody_reads_what_is_printed(command: str, code: int, message: str) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    program = "from chronomask.cli import main; raise SystemExit(main())"
    arguments = [sys.executable, "-c", program, *command.split()]
    ended = subprocess.run(arguments, stdout=writes, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (code, message)


def test_a_run_that_was_ended_says_what_is_kept(
    video: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ended(*_: object, **__: object) -> None:
        raise Interrupted(12)

    monkeypatch.setattr("chronomask.runs.segment.segment_to_folder", ended)
    assert run("segment", video, "--out", tmp_path / "out", "--checkpoint", checkpoint) == 130
    message = capsys.readouterr().err
    assert f"the tracks of the first 12 frames are in {tmp_path / 'out/tracks.json'}" in message
    assert "--resume" in message


def test_a_camera_is_watched(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """FFmpeg's test picture stands in for a camera, one that is far too fast."""
    picture = ("lavfi", "testsrc=size=64x48:rate=10")
    monkeypatch.setattr("chronomask.video.streams.camera_address", lambda text, platform: picture)
    assert run("segment", "0", "--end", "4", "--out", tmp_path / "out", "--checkpoint", checkpoint) == 0
    assert {"recording.mp4", "overlay.mp4", "tracks.json"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert "dropped" in capsys.readouterr().err
