"""How quickly the page shows any frame of half an hour of 1080p with its masks, and what that and sessions cost.

    python benchmarks/web.py [--minutes 30] [--jumps 50] [--gop 25] [--sessions 20]
                             [--minute FILE] [--browser /usr/bin/chromium]

A minute of moving noise is encoded as H.264 with a key frame every `--gop` frames and repeated, with four tracks that
are seen in every frame. The page is opened in headless Chromium; a jump is over when the picture of the frame is on the
screen and its masks are drawn. Memory is that of the page's JavaScript after a collection, of the whole browser, and of
the server. Then that many sessions open the video one after the other, correct it, undo that, and fetch masks.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from playwright.sync_api import Page, sync_playwright

from chronomask import rle
from chronomask.annotations.records import Track, VideoEntry
from chronomask.categories import Category
from chronomask.formats.ytvis import write_tracks

WIDTH, HEIGHT, FPS = 1920, 1080, 25
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-precise-memory-info"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
WARM = 20
"""Jumps before anything is measured: the browser keeps what it has read of a video, up to a bound."""

JUMP = """(frame) => new Promise((resolve) => {
  const begun = performance.now();
  const look = () => {
    if (chronomask.drawn === frame && chronomask.frame === frame && chronomask.player.seeking === null) {
      resolve(performance.now() - begun);
    } else setTimeout(look, 1);
  };
  chronomask.goTo(frame);
  look();
})"""


def make_minute(path: Path, gop: int) -> None:
    """A drifting pattern."""
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 256, (90, 160, 3), np.uint8), np.ones((24, 24, 1), np.uint8))
    with av.open(str(path), "w") as container:
        options = {"preset": "superfast", "g": str(gop), "bf": "0", "crf": "23", "sc_threshold": "0"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(60 * FPS):
            shift = number % 1000
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(ground[:HEIGHT, shift : shift + WIDTH]))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def join(minute: Path, path: Path, minutes: int) -> None:
    """Copies of the packets of a minute, one behind the other."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        copied = None
        for number in range(minutes):
            with av.open(str(minute)) as source:
                stream = source.streams.video[0]
                copied = copied or out.add_stream_from_template(stream)
                for packet in source.demux(stream):
                    if packet.pts is None or stream.time_base is None:
                        continue
                    ahead = int(Fraction(60 * number) / stream.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts + ahead, packet.pts + ahead, copied
                    out.mux(packet)


def make_tracks(path: Path, minutes: int) -> None:
    """Four discs that wander, in every frame."""
    row, column = np.mgrid[:HEIGHT, :WIDTH]
    length, masks = minutes * 60 * FPS, []
    for disc in range(4):
        counts = []
        for step in range(100):
            x, y = 250 + 440 * disc + 2 * (step % 50), 400 + 120 * (disc % 2) + step
            counts.append(rle.encode((column - x) ** 2 + (row - y) ** 2 < 120**2))
        masks.append([counts[frame % 100] for frame in range(length)])
    tracks = [Track(number, 1, 1, 0.9, row, class_score=0.8) for number, row in enumerate(masks, 1)]
    entry = VideoEntry(1, "long", WIDTH, HEIGHT, length, float(FPS))
    write_tracks(path, [entry], [Category(1, "person"), Category(2, "dog")], tracks, {})


@contextmanager
def served(folder: Path, tracks: Path, video: Path) -> Iterator[tuple[str, int]]:
    """The address of a server, and the number of its process."""
    command = [sys.executable, "-c", "from chronomask.cli import main; main()", "web", str(tracks)]
    command += ["--video", str(video), "--port", "0", "--no-browser", "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None, "it is a pipe"
        yield process.stdout.readline().split()[1], process.pid
    finally:
        process.kill()
        process.wait()


def memory_of(process: int) -> float:
    """MiB of a process; of pages that it shares with others, its part."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024, 1)


def page_memory(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    used = next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize")
    return round(used / 2**20, 1)


def browser_cost() -> tuple[float, float]:
    """MiB, and seconds of computing so far, of all processes of the browser that this one started."""
    known = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            text = stat.read_text()
            name, fields = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
            seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            known[int(stat.parent.name)] = (int(fields[1]), name, seconds)

    def ours(number: int) -> bool:
        return number == os.getpid() or (number in known and ours(known[number][0]))

    memory, computed = 0.0, 0.0
    for number, (_, name, seconds) in known.items():
        if name.startswith("chrom") and ours(number):
            with suppress(OSError):
                memory += memory_of(number)
                computed += seconds
    return round(memory, 1), computed


def jump(address: str, server: int, browser: str, jumps: int, length: int) -> dict[str, object]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = started.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        for _ in range(1200):
            if page.evaluate("!!(window.chronomask && chronomask.drawn >= 0)"):
                break
            page.wait_for_timeout(100)
        page.wait_for_timeout(2000)
        chance = random.Random(0)
        for _ in range(WARM):
            page.evaluate(JUMP, chance.randrange(length))
        before = page_memory(page), *browser_cost(), memory_of(server)
        times = [page.evaluate(JUMP, chance.randrange(length)) for _ in range(jumps)]
        after = page_memory(page), *browser_cost(), memory_of(server)
        started.close()
    names = ("page_heap_mib", "browser_mib", "browser_seconds", "server_mib")
    costs = dict(zip(names, zip(before, after, strict=True), strict=True))
    begun, ended = costs.pop("browser_seconds")
    return {
        "median_ms": round(statistics.median(times), 1),
        "p90_ms": round(statistics.quantiles(times, n=10)[-1], 1),
        "worst_ms": round(max(times), 1),
        "browser_computes_ms_a_jump": round((ended - begun) * 1000 / jumps),
        "memory": costs,
    }


def sessions(address: str, server: int, count: int) -> list[float]:
    """Memory of the server after each of some sessions, in MiB."""
    base, found = address.partition("/?")[0], []
    for _ in range(count):
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        opener.open(address).close()

        def ask(path: str, body: dict | None = None, opener: urllib.request.OpenerDirector = opener) -> dict:
            data = None if body is None else json.dumps(body).encode()
            with opener.open(urllib.request.Request(base + path, data)) as answer:
                return json.load(answer)

        while not (projects := ask("/api/session")["projects"]):
            pass
        project = f"/api/projects/{projects[0]['id']}"
        for track in ask(project)["tracks"][:2]:
            ask(f"{project}/steps", {"step": [f"relabel:{track['id']}=dog"]})
        ask(f"{project}/undo", {})
        for first in range(0, 1400, 100):
            ask(f"{project}/masks?first={first}&count=24")
        found.append(memory_of(server))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--jumps", type=int, default=50)
    parser.add_argument("--gop", type=int, default=25)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--minute", type=Path, help="the minute of video, made where it is missing, and kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chronomask-") as name:
        folder = Path(name)
        minute = arguments.minute or folder / "minute.mp4"
        if not minute.exists():
            make_minute(minute, arguments.gop)
        join(minute, folder / "long.mp4", arguments.minutes)
        if arguments.jumps:
            make_tracks(folder / "tracks.json", arguments.minutes)
            length = arguments.minutes * 60 * FPS
            with served(folder / "jumps", folder / "tracks.json", folder / "long.mp4") as (address, server):
                print(json.dumps(jump(address, server, arguments.browser, arguments.jumps, length)), flush=True)
        join(minute, folder / "short.mp4", 1)
        make_tracks(folder / "short.json", 1)
        with served(folder / "sessions", folder / "short.json", folder / "short.mp4") as (address, server):
            found = sessions(address, server, arguments.sessions)
        print(
            json.dumps(
                {
                    "server_mib_after_each_session": found,
                    "last_over_third": round(found[-1] / found[min(2, len(found) - 1)], 3),
                }
            )
        )


if __name__ == "__main__":
    main()
