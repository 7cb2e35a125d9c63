"""How fast are the network, the library and `segment`, and how long does what lies behind the network take?

    python benchmarks/segment.py [MODEL] [VIDEO ...] [--before OTHER/src] [--rounds 3] [--json FILE]
    python benchmarks/segment.py --engines

MODEL is a bundled model, an exported network or a checkpoint, "lite" by default; without a VIDEO it is the sample of
the demo. What is measured:

    network    the network alone, on the clips of streams that are under way (8 frames, 4 of them new), one stream in
               every thread, so that all cores are busy
    library    frames in memory in, tracks out
    segment    the command: a file in, tracks.json and overlay.mp4 out; and the memory that it takes
    behind     processor seconds of all that is not the network, from frames in memory to run lengths, while a stand-in
               says again what the network said; the same where the stand-in says that there is nothing, which is
               mostly shrinking the frames; and the difference: clustering, stitching, painting, run lengths
    start      processor seconds of `chronomask segment` of 8 frames, in a process of its own

With --before the same is measured with the source tree of commit 7e45ce1 (`git archive 7e45ce1 src | tar x -C OTHER`),
by turns, so that both see the same machine; the table gives medians, and the ratio of the medians. --python and
--before-python name environments of their own. With --engines the engines of this tree take turns instead.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from figures import record
from machine import Pace, Watch, described, peak_memory
from PIL import Image
from rich.console import Console
from rich.table import Table
from trees import Tree, opened

import chronomask
from chronomask import InputError
from chronomask.video import Frame, VideoSource, open_source

ROOT = Path(__file__).parents[1]
COMMAND = "import sys; from chronomask.cli import main; sys.exit(main(sys.argv[1:]))"
STARTED = 8
"""Frames that the start is measured with."""


class Way(NamedTuple):
    """One column of the table: a source tree, what computes the network in it, and the Python with its packages."""

    tree: Path
    engine: str = "auto"
    precision: str = "auto"
    python: str = sys.executable


ENGINES = {
    f"{engine} {precision}": Way(ROOT / "src", engine, precision)
    for engine, precision in [
        ("openvino", "float32"),
        ("openvino", "bfloat16"),
        ("onnxruntime", "float32"),
        ("torch", "float32"),
    ]
}


class Excerpt(VideoSource):
    """The first frames of a source; or frames in memory, which take no decoding."""

    def __init__(self, source: VideoSource, frames: int, images: list[np.ndarray] | None = None) -> None:
        self.name, self.width, self.height, self.fps = source.name, source.width, source.height, source.fps
        self.length, self.sound = frames, source.sound
        self._source, self._images = source, images

    def __iter__(self) -> Iterator[Frame]:
        if self._images is None:
            yield from islice(iter(self._source), self.length)
        else:
            yield from (Frame(index, index / self.fps, image) for index, image in enumerate(self._images))


def seen_by_network(image: np.ndarray, config: Any) -> np.ndarray:
    """The image at the size at which a network computes: in the box of the settings, sides multiples of 32."""
    height, width = image.shape[:2]
    short, long = sorted((height, width))
    scale = min(1.0, config.short_side / short, config.long_side / long)
    size = [-(-round(side * scale) // 32) * 32 for side in (width, height)]
    return np.ascontiguousarray(np.asarray(Image.fromarray(image).resize(size)).transpose(2, 0, 1))


def network_pace(tree: Tree, images: list[np.ndarray], clips: int) -> Pace:
    """Of the network alone, while every thread computes so many clips of a stream of its own."""
    config = tree.segmenter.config
    length, step = config.clip_length, config.step
    frames = [seen_by_network(images[number % len(images)], config) for number in range(length)]
    begun: list[Watch] = []
    ready = threading.Barrier(tree.threads + 1)
    go = threading.Barrier(tree.threads + 1, action=lambda: begun.append(Watch()))

    def stream() -> None:
        tree.prepare_thread()
        ready.wait()
        features = tree.encode(frames)
        tree.decode(features)
        go.wait()
        for _ in range(clips):
            features = features[step:] + tree.encode(frames[:step])
            tree.decode(features)

    threads = [threading.Thread(target=stream) for _ in range(tree.threads)]
    for thread in threads:
        thread.start()
    ready.wait()
    tree.threads_ready()
    go.wait()
    for thread in threads:
        thread.join()
    return begun[0].pace(tree.threads * clips * step)


def seconds_behind(tree: Tree, source: VideoSource, times: int) -> dict[str, float]:
    """Processor seconds of everything but the network, the medians of some times."""
    player, recorder = tree.recording()
    for _ in player.segment(source):
        pass
    recorder.playing = True
    seconds = {}
    for recorder.silent in (False, True):
        spent = []
        for _ in range(times):
            begin = time.process_time()
            with tree.spool() as spool:
                for result in player.segment(source):
                    spool.add(result)
            spent.append(time.process_time() - begin)
        seconds["nothing found CPU s" if recorder.silent else "behind CPU s"] = float(np.median(spent))
    return seconds | {"difference CPU s": seconds["behind CPU s"] - seconds["nothing found CPU s"]}


def seconds_of_start(way: Way, options: argparse.Namespace, video: str, fps: float) -> dict[str, float]:
    """Processor seconds of the command on a few frames, in a process of its own."""
    found = {}
    command = [way.python, "-c", COMMAND, "segment", video, "--end", str((STARTED - 0.5) / fps)]
    command += ["--checkpoint" if Path(options.model).is_file() else "--model", options.model]
    command += ["--device", options.device]
    for option, value in (("--engine", way.engine), ("--precision", way.precision)):
        command += [] if value == "auto" else [option, value]
    for name, more in (("start CPU s", ["--no-overlay"]), ("start, overlay CPU s", [])):
        with TemporaryDirectory() as folder:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [*command, "--out", folder, *more],
                check=True,
                stdout=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": str(way.tree)},
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            [video_entry] = json.loads((Path(folder) / "tracks.json").read_bytes())["videos"]
            assert video_entry["length"] == STARTED, "the same work for all"
        found[name] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found


def measure(video: str, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the source tree that this process has imported, for one video, but those of the start."""
    tree = opened(options.model, options.device, options.engine, options.precision)
    source = open_source(video)
    images = [frame.image for frame in islice(source, options.frames)]
    in_memory = Excerpt(source, len(images), images)
    with TemporaryDirectory() as folder:
        tree.segment_to_folder(Excerpt(source, 9, images[:9]), Path(folder) / "warm")
        watch = Watch()
        for _ in tree.segmenter.segment(in_memory):
            pass
        library, watch = watch.pace(len(images)), Watch()
        tree.segment_to_folder(Excerpt(source, len(images)), Path(folder) / "out")
        segment, peak = watch.pace(len(images)), peak_memory()
    network = network_pace(tree, images, options.clips)
    paces = {"network": network, "library": library, "segment": segment}
    return {
        "about": tree.about,
        **{f"{name} frames/s": pace.rate for name, pace in paces.items()},
        **{f"{name} CPU ms/frame": pace.spent for name, pace in paces.items()},
        "library of network": library.rate / network.rate,
        "segment of network": segment.rate / network.rate,
        **seconds_behind(tree, in_memory, options.times),
        "peak MiB": peak,
    }


def measured(way: Way, options: argparse.Namespace, video: str) -> dict[str, Any]:
    """All figures of one way.

    Raises:
        InputError: it is not to be had here.
    """
    return while_running(way, options, video) | seconds_of_start(way, options, video, open_source(video).fps)


def while_running(way: Way, options: argparse.Namespace, video: str) -> dict[str, Any]:
    """What `measure` gives in a process that imports the tree of a way.

    Raises:
        InputError: it is not to be had here.
    """
    command = [way.python, __file__, options.model, video, "--child", str(way.tree), "--device", options.device]
    command += ["--engine", way.engine, "--precision", way.precision]
    command += ["--frames", str(options.frames), "--clips", str(options.clips), "--times", str(options.times)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(way.tree)}, check=False
    )
    if done.returncode == 2:
        raise InputError(done.stdout.strip())
    done.check_returncode()
    return json.loads(done.stdout.splitlines()[-1])


def by_turns(ways: dict[str, Way], options: argparse.Namespace, video: str) -> dict[str, list[dict[str, Any]]]:
    """What every way gives in every round; a way that is not to be had here is left out, with a word on why."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name in list(rounds):
            try:
                rounds[name].append(measured(ways[name], options, video))
            except InputError as error:
                print(f"{name}: {error}")
                del rounds[name]
    return rounds


def show(video: str, rounds: dict[str, list[dict[str, Any]]], ratio: bool) -> dict[str, dict[str, Any]]:
    """Prints a table of medians, with the ratio of the second to the first column if wanted; the medians by way."""
    medians: list[dict[str, Any]] = [
        {name: values[0] if name == "about" else float(np.median(values)) for name, values in by_name.items()}
        for by_name in ({name: [figures[name] for figures in found] for name in found[0]} for found in rounds.values())
    ]
    table = Table(video, *rounds, *(["ratio"] if ratio else []))
    for name in medians[0]:
        values = [figures[name] for figures in medians]
        cells = [str(v) if name == "about" else f"{v:,.3g}" if v < 100 else f"{v:,.0f}" for v in values]
        if ratio:
            cells.append("" if name == "about" else f"{values[1] / values[0]:.2f}")
        table.add_row(name, *cells)
    Console().print(table)
    return dict(zip(rounds, medians, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="lite")
    parser.add_argument("videos", nargs="*", default=[str(ROOT / "examples" / "sample.mp4")])
    parser.add_argument("--before", type=Path, help="src folder of commit 7e45ce1")
    parser.add_argument("--python", default=sys.executable, help="of an environment with what this tree needs alone")
    parser.add_argument("--before-python", default=sys.executable, help="the same for the tree before")
    parser.add_argument("--engines", action="store_true", help="compare the engines of this tree")
    parser.add_argument("--engine", default="auto", help="of this tree: openvino, onnxruntime, torch")
    parser.add_argument("--precision", default="auto", help="of this tree: float32, bfloat16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=56, help="of each video, at most")
    parser.add_argument("--clips", type=int, default=8, help="in every thread, that the network alone is measured on")
    parser.add_argument("--times", type=int, default=3, help="in every round, that what was said is said again")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write the figures of all rounds to this file too")
    parser.add_argument("--record", action="store_true", help="keep the figures for RESULTS.md")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        assert Path(chronomask.__file__).is_relative_to(options.child.resolve()), "the tree that was asked for"
        try:
            print(json.dumps(measure(options.videos[0], options)))
        except InputError as error:
            print(error)
            sys.exit(2)
        return
    ways = {"before": Way(options.before, python=options.before_python)} if options.before else {}
    ways |= (
        ENGINES if options.engines else {"now": Way(ROOT / "src", options.engine, options.precision, options.python)}
    )
    everything, rows = {}, {}
    for video in options.videos:
        everything[video] = by_turns(ways, options, video)
        rows |= show(video, everything[video], ratio=bool(options.before))
    last = [figures["network CPU ms/frame"] for figures in list(everything[options.videos[-1]].values())[-1]]
    print(described(options.model, float(np.median(last))))
    if options.record:
        ways_shown = "--engines" if options.engines else f"--engine {options.engine} --precision {options.precision}"
        record("speed", rows, command=f"python benchmarks/segment.py {ways_shown}")
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
