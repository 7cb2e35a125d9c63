"""Our library beside others, by turns: frames in memory in, tracks out, at 256x448 on all cores.

    python benchmarks/peers/compare.py [VIDEO] [--folder FOLDER] [--weights FILE.pt] [--rounds 5] [--record]

The others get an environment of their own, of requirements.txt beside this file, in FOLDER, which is kept for the next
run; by default in a temporary folder. Every turn is a process of its own: it sees some frames to warm up, then all of
them on the clock. See README.md beside this file for what is compared, and what is not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from itertools import islice
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from chronomask.device import processor_features
from chronomask.engines.models import checkpoint_file
from chronomask.segmenter.load import load
from chronomask.video import Frame, VideoSource, open_source

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OURS = "chronomask lite (OpenVINO)"
PEERS = {
    "YOLO11n-seg + ByteTrack (OpenVINO)": "yolo-openvino",
    "YOLO11n-seg + ByteTrack (PyTorch)": "yolo-torch",
    "Mask R-CNN R-50, no tracking (PyTorch)": "mask-rcnn",
    "VidEoMT ViT-S (PyTorch)": "videomt",
}


class InMemory(VideoSource):
    """Frames that take no decoding."""

    def __init__(self, images: np.ndarray) -> None:
        self.name, self.fps, self.length = "memory", 25.0, len(images)
        self.height, self.width = images.shape[1:3]
        self._images = images

    def __iter__(self) -> Iterator[Frame]:
        yield from (Frame(index, index / self.fps, image) for index, image in enumerate(self._images))


def environment(folder: Path) -> Path:
    """Makes the environment of the peers, unless it is there; its interpreter."""
    python = folder / "env" / "bin" / "python"
    if not (folder / "installed").exists():
        venv.create(folder / "env", with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
        (folder / "installed").touch()
    return python


def our_turn(images: np.ndarray) -> None:
    """Prints the figures of our library."""
    segmenter, source = load("lite"), InMemory(images)
    for _ in segmenter.segment(source):
        pass
    begin, spent = time.perf_counter(), time.process_time()
    found = {int(number) for result in segmenter.segment(source) for number in result.track_ids}
    rate, spent = len(images) / (time.perf_counter() - begin), 1000 * (time.process_time() - spent) / len(images)
    info = segmenter.engine.info
    about = f"{info.name} {info.version}, {info.precision}"
    shapes = safetensors_shapes(checkpoint_file("lite"))
    parameters = sum(prod(entry["shape"]) for name, entry in shapes.items() if "running" not in name) / 1e6
    print(json.dumps({"rate": rate, "spent": spent, "parameters": parameters, "about": about, "tracks": len(found)}))


def safetensors_shapes(file: Path) -> dict[str, Any]:
    """What the header of a checkpoint says of its tensors."""
    with file.open("rb") as opened:
        header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
    return {name: entry for name, entry in header.items() if name != "__metadata__"}


def turn(command: list[str | Path], variables: dict[str, str]) -> dict[str, Any]:
    """What a process says of its turn."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=variables)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", default=str(ROOT / "examples" / "sample.mp4"))
    parser.add_argument("--folder", type=Path, help="of the environment; a temporary one by default")
    parser.add_argument("--weights", type=Path, help="yolo11n-seg.pt; random weights, so no objects, without")
    parser.add_argument("--frames", type=int, default=56, help="of the video, at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--record", action="store_true", help="keep the figures for README.md")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        our_turn(np.load(options.child))
        return
    with TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        python, frames = environment(folder), Path(temporary) / "frames.npy"
        np.save(frames, np.stack([frame.image for frame in islice(open_source(options.video), options.frames)]))
        mine = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        theirs = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        theirs |= {"YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(folder)}  # which it would write into the home folder
        weights = [options.weights.absolute()] if options.weights else []
        command = [python, HERE / "peer.py", "prepare", folder, *weights]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=theirs)
        ways = {OURS: ([sys.executable, __file__, "--child", frames], mine)}
        ways |= {name: ([python, HERE / "peer.py", "run", folder, way, frames], theirs) for name, way in PEERS.items()}
        rounds = [{name: turn(*way) for name, way in ways.items()} for _ in range(options.rounds)]
    table = Table("", "computed by", "tracks", "frames/s", f"{OURS} / it", "CPU ms/frame", f"it / {OURS}")
    rates, spent = (
        {name: float(np.median([found[name][key] for found in rounds])) for name in ways} for key in ("rate", "spent")
    )
    for name, rate in rates.items():
        last, ratios = rounds[-1][name], (rates[OURS] / rate, spent[name] / spent[OURS])
        speeds = (f"{rate:.1f}", f"{ratios[0]:.2f}", f"{spent[name]:.1f}", f"{ratios[1]:.2f}")
        table.add_row(name, str(last["about"]), str(last["tracks"]), *speeds)
    Console(width=140).print(table)
    print(f"processor: {', '.join(processor_features())}; {os.cpu_count()} cores; medians of {options.rounds} turns")
    if options.record:
        sys.path.append(str(HERE.parent))
        from figures import record

        rows = {
            name: {
                "frames/s": rates[name],
                "CPU ms/frame": spent[name],
                "CPU time, ours / its": spent[OURS] / spent[name],
                "parameters (M)": rounds[-1][name]["parameters"],
            }
            for name in ways
        }
        record(
            "peers",
            rows,
            command=f"python benchmarks/peers/compare.py --rounds {options.rounds} --frames {options.frames}",
        )
    if options.json:
        options.json.write_text(json.dumps({"frames/s": rates, "CPU ms/frame": spent, "rounds": rounds}, indent=1))


if __name__ == "__main__":
    main()
