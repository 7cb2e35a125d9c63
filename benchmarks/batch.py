"""How much faster are two workers than one, on many short videos and on a long one?

    python benchmarks/batch.py [VIDEO] [--short 20] [--frames 60] [--long 800] [--workers 2] [--rounds 3]

VIDEO is the sample of the demo by default; its frames, there and back again, make videos of any length. By turns, so
that all see the same machine:

    short   --short videos of --frames frames: `segment` once for each; `segment` once for all; `batch`
    long    one video of --long frames: `batch` with one worker of one core, in one piece; with --workers workers of one
            core each, in four pieces; and `segment`, which uses all cores anyway

Nothing is drawn. The tables have medians of seconds and of processor seconds, and the speed as a ratio to the first
line. That the tracks are the same is checked.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from figures import Rows, machine, record
from rich.console import Console
from rich.table import Table

from chronomask.engines.models import checkpoint_file
from chronomask.video import VideoWriter, open_source

ROOT = Path(__file__).parents[1]
COMMAND = "import sys; from chronomask.cli import main; sys.exit(main(sys.argv[1:]))"
PIECES = 4


class Cost(NamedTuple):
    """Of a way: seconds, and seconds of processors."""

    seconds: float
    spent: float


def write_video(path: Path, video: str, frames: int, begin: int = 0) -> None:
    """So many frames of a video, there and back again, from one of them on."""
    source = open_source(video)
    images = [frame.image for frame in source]
    turn = 2 * len(images) - 2
    with VideoWriter(path, source.width, source.height, source.fps) as writer:
        for number in range(begin, begin + frames):
            place = number % turn
            writer.write(images[min(place, turn - place)])


def chronomask(*words: str | Path) -> None:
    """A command in a process of its own."""
    command = [sys.executable, "-c", COMMAND, *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def cost(way: Callable[[Path], None], out: Path) -> Cost:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    way(out)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - began, spent)


def tracks_of(folder: Path) -> list[Any]:
    """All tracks in a folder, by video."""
    found = [json.loads(path.read_text()) for path in sorted(folder.rglob("tracks.json"))]
    return [(content["videos"], content["annotations"]) for content in found]


def by_turns(title: str, ways: dict[str, Callable[[Path], None]], place: Path, rounds: int) -> Rows:
    """What some ways to do the same work cost.

    Raises:
        AssertionError: their tracks differ.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    expected = None
    for number in range(rounds):
        for name, way in ways.items():
            out = place / f"{title}-{number}-{name}".replace(" ", "-").replace(",", "")
            costs[name].append(cost(way, out))
            found = tracks_of(out)
            expected = expected or found
            assert found == expected, f"{title}: {name}: other tracks"
    seconds = {name: median(one.seconds for one in found) for name, found in costs.items()}
    first = next(iter(seconds.values()))
    return {
        name: {
            "seconds": seconds[name],
            "processor seconds": median(one.spent for one in found),
            "speed": first / seconds[name],
        }
        for name, found in costs.items()
    }


def table_of(title: str, rows: Rows) -> Table:
    table = Table(title, "seconds", "processor seconds", "speed")
    for name, row in rows.items():
        table.add_row(name, f"{row['seconds']:.1f}", f"{row['processor seconds']:.1f}", f"{row['speed']:.2f}")
    return table


def short_ways(videos: Sequence[Path], workers: int) -> dict[str, Callable[[Path], None]]:
    def one_by_one(out: Path) -> None:
        for video in videos:
            chronomask("segment", video, "--out", out / video.stem, "--no-overlay")

    return {
        "segment, once for each": one_by_one,
        "segment, once for all": lambda out: chronomask("segment", *videos, "--out", out, "--no-overlay"),
        f"batch, {workers} workers": lambda out: chronomask("batch", *videos, "--out", out, "--workers", str(workers)),
    }


def long_ways(video: Path, frames: int, workers: int) -> dict[str, Callable[[Path], None]]:
    def batch(count: int, piece: int) -> Callable[[Path], None]:
        words = ["--workers", str(count), "--threads", "1", "--piece", str(piece)]
        return lambda out: chronomask("batch", video, "--out", out, *words)

    return {
        "one worker, one piece": batch(1, 0),
        f"{workers} workers, {PIECES} pieces": batch(workers, frames // PIECES),
        "segment, all cores": lambda out: chronomask("segment", video, "--out", out, "--no-overlay"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", default=str(ROOT / "examples/sample.mp4"))
    parser.add_argument("--short", type=int, default=20, help="short videos; 0 to leave them out")
    parser.add_argument("--frames", type=int, default=60, help="of each of them")
    parser.add_argument("--long", type=int, default=800, help="frames of the long video; 0 to leave it out")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="keep the figures for the pages")
    given = parser.parse_args()
    console, found = Console(), {}
    console.print(machine())
    with TemporaryDirectory() as folder:
        place = Path(folder)
        if given.short:
            videos = [place / f"{number}.mp4" for number in range(given.short)]
            for number, video in enumerate(videos):
                write_video(video, given.video, given.frames, 7 * number)
            found["batch-short"] = by_turns("short", short_ways(videos, given.workers), place, given.rounds)
            console.print(table_of("short", found["batch-short"]))
        if given.long:
            write_video(place / "long.mp4", given.video, given.long)
            ways = long_ways(place / "long.mp4", given.long, given.workers)
            found["batch-long"] = by_turns("long", ways, place, given.rounds)
            console.print(table_of("long", found["batch-long"]))
    for name, rows in found.items() if given.record else ():
        command = f"python benchmarks/batch.py --rounds {given.rounds} --record"
        record(name, rows, command=command, weights=checkpoint_file("lite"))


if __name__ == "__main__":
    main()
