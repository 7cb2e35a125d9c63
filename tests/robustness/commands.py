"""Every command that writes, on small inputs, and what it promises when things go wrong: docs/reliability.md.

Commands run in a folder that holds `in`, with everything that is read, and are to write `out...` beside it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from tests.formats.tubes import plain_file
from torch import nn
from torch.export import Dim

from chronomask.baselines.detection_files import write_detections
from chronomask.baselines.detections import Detection
from chronomask.baselines.run import DataSet
from chronomask.baselines.systems import System
from chronomask.engines import export
from chronomask.files import written_aside
from chronomask.formats.ytvis import read_head, write_results, write_tracks
from chronomask.model.checkpoint import save_network
from chronomask.training.folder import WEIGHTS
from data.files import small_set
from films import film, moving_square
from model.networks import tiny
from training.runs import ThinBackbone, thin_network


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        words: of the command line; `OUT` stands for what it writes.
        out: what is written, where that is a file or a folder of its own; for commands that write several files into a
            folder, one of them that all runs write.
        folder: whether `out` is a folder that is replaced as a whole, by another of its kind.
        inputs: files, or what lies in them, that `OUT` may not be.
        again: words for going on after a run that was killed.
        keeps: what a run that ended early left, and the next one goes on with.
        goes_on: how, for people.
    """

    words: str
    out: str
    inputs: tuple[str, ...]
    folder: bool = False
    again: str = "--overwrite"
    keeps: str = ""
    goes_on: str = ""


TRAIN = "train in/stills.json --init in/tiny.safetensors --steps 1 --batch 1 --data.length 3 --data.height 32"

COMMANDS = {
    "segment": Command(
        "segment in/a.mkv --out out --masks png --csv",
        "out/tracks.json",
        (),
        again="--resume",
        keeps="out/.partial",
        goes_on="`--resume`",
    ),
    "batch": Command(
        "batch in/a.mkv --out OUT --workers 1",
        "out",
        ("in",),
        folder=True,
        again="",
        keeps="out/.batch",
        goes_on="the same command",
    ),
    "render": Command("render in/tracks.json --video in/frames --out out --masks png --csv", "out/overlay.mp4", ()),
    "explain": Command("explain in/JPEGImages/video-0 --out OUT", "out.png", ("in/JPEGImages/video-0/00000.png",)),
    "predict": Command(
        "predict in/videos.json --frames in/JPEGImages --out OUT",
        "out/tracks.json",
        ("in/videos.json", "in/JPEGImages/video-0/00000.png"),
        again="",
        keeps="out/tracks.json.partial",
        goes_on="the same command",
    ),
    "evaluate --json": Command(
        "evaluate in/tracks.json in/results.json --json OUT", "out.json", ("in/tracks.json", "in/results.json")
    ),
    "evaluate --report": Command(
        "evaluate in/tracks.json in/results.json --report OUT", "out.html", ("in/tracks.json", "in/results.json")
    ),
    "baseline": Command(
        "baseline iou-tracker in/videos.json --frames in/JPEGImages --detections in/detections.json --out OUT",
        "out.json",
        ("in/videos.json", "in/detections.json", "in/JPEGImages/video-0/00000.png"),
    ),
    "table1": Command(
        "table1 in/videos.json,images=in/JPEGImages --train in/videos.json,images=in/JPEGImages"
        " --start in/tiny.safetensors --out out --resamples 0",
        "out/table1.md",
        (),
        again="",
        keeps="out/work",
        goes_on="the same command",
    ),
    "submit": Command("submit in/results.json --out OUT", "out.zip", ("in/results.json",)),
    "convert, to a file": Command("convert in/tracks.json OUT --to coco", "out.json", ("in/tracks.json",)),
    "convert, to a folder": Command("convert in/tracks.json OUT --to davis", "out", ("in",), folder=True),
    "convert --to dataset": Command(
        "convert in/tracks.json OUT --to dataset --video in/frames", "out", ("in", "in/frames"), folder=True
    ),
    "edit": Command("edit in/tracks.json delete:1 --out OUT", "out.json", ("in/tracks.json",)),
    "calibrate": Command(
        "calibrate in/tiny.safetensors in/stills.json --out OUT",
        "out.safetensors",
        ("in/tiny.safetensors", "in/stills.json"),
    ),
    "names": Command(
        "names in/tiny.safetensors in/a,b.json --detector in/results.json --out OUT",
        "out.safetensors",
        ("in/tiny.safetensors", "in/results.json", "in/a,b.json"),
    ),
    "average": Command(
        "average in/tiny.safetensors in/tiny.safetensors --out OUT", "out.safetensors", ("in/tiny.safetensors",)
    ),
    "export": Command("export in/tiny.safetensors out --format torch", "out/model.json", ()),
    "dataset info --json": Command(
        "dataset info in/stills.json --json OUT", "out.json", ("in/stills.json", "in/images/stills-0.png")
    ),
    "dataset preview": Command("dataset preview in/stills.json --out OUT", "out.png", ("in/images/stills-0.png",)),
    "dataset synthesize": Command(
        "dataset synthesize in/stills.json OUT --length 2 --height 32 --width 48", "out", ("in",), folder=True
    ),
    "train": Command(
        f"{TRAIN} --data.width 64 --workers 0 --device cpu --out out",
        "out/model.safetensors",
        (),
        again="",
        goes_on="the same command",
    ),
}


def matrix() -> str:
    """What every command promises, as a table of Markdown: a line a command, a column a test of test_commands.py."""
    lines = ["| command | " + " | ".join(PROMISES) + " |", "|---" * (len(PROMISES) + 1) + "|"]
    for name, command in COMMANDS.items():
        cells = [promise(name, command) for promise in PROMISES.values()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _full_disk(name: str, command: Command) -> str:
    return f"2; old stays; {command.goes_on} goes on" if command.goes_on else "2; old stays"


def _kill(name: str, command: Command) -> str:
    kept = f"{command.goes_on} goes on, same bytes" if command.goes_on else "next run clears leftovers, same bytes"
    return f"old stays; {kept}"


def _ctrl_c(name: str, command: Command) -> str:
    if name == "segment":
        return "130; tracks so far are written; `--resume` goes on"
    return f"130; old stays; {command.goes_on} goes on" if command.goes_on else "130; old stays"


def _existing(name: str, command: Command) -> str:
    goes_on = "; a run of the same settings goes on" if name in ("batch", "table1", "train") else ""
    return f"2, or `--overwrite`{goes_on}"


PROMISES = {
    "full disk": _full_disk,
    "kill": _kill,
    "Ctrl-C": _ctrl_c,
    "input is output": lambda name, command: "2",
    "existing output": _existing,
    "link": lambda name, command: "2",
    "foreign folder": lambda name, command: "2, even with `--overwrite`",
}


class Half(nn.Module):
    """Half of a network, as good as another."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (2 * x,)


def write_inputs(folder: Path) -> None:
    """All inputs of all commands."""
    stills, _ = small_set(folder)
    shutil.copy(stills, folder / "a,b.json")
    film(folder / "a.mkv", moving_square(6), "ffv1")
    file = plain_file()
    write_tracks(folder / "tracks.json", file.videos, file.categories, file.tracks, {})
    write_results(folder / "results.json", file.videos, file.tracks)
    (folder / "frames").mkdir()
    for number in range(3):
        Image.new("RGB", (9, 7), (60 * number, 0, 0)).save(folder / f"frames/{number}.png")
    videos, categories = read_head(folder / "videos.json")
    nothing = {video.id: [[] for _ in video.file_names or ()] for video in videos}
    write_detections(folder / "detections.json", videos, categories, nothing)
    save_network(folder / "tiny.safetensors", thin_network(tiny(channels=8)), half=False)


def train_nothing(name: str, *rest: object) -> Path:
    """A network for `table1` that takes no time."""
    out = next(part for part in rest if isinstance(part, Path))
    with written_aside(out / WEIGHTS) as aside:
        aside.write_text(name)
    return out / WEIGHTS


def detect_nothing(detector: object, data: DataSet, progress: object) -> tuple[dict[int, list[list[Detection]]], float]:
    """The detections of nobody, for `table1`."""
    return {video.id: [[] for _ in video.file_names or ()] for video in data.videos}, 0.0


def track_nothing(*_: object) -> System:
    """A system of `table1` that takes no time."""
    return lambda material: []


def thin_backbone(*_: object) -> ThinBackbone:
    """A backbone of no time and no size."""
    return ThinBackbone()


def one_half(*_: object) -> tuple[export._Half]:
    """A network for `export` that takes no time."""
    inputs = [(torch.rand(count, 3),) for count in (4, 5)]
    return (export._Half("encoder", Half(), ("frames",), ("stride_4",), ({0: Dim("N", min=1, max=9)},), *inputs),)
