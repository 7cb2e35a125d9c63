"""How quickly the page shows any frame of half an hour of 1080p with its masks, and what that and sessions cost.

    python benchmarks/web.py [--minutes 30] [--jumps 50] [--gop 25] [--sessions 20]
                             [--minute FILE] [--browser /usr/bin/chromium]

A minute of moving noise is encoded as H.264 with a key frame every `--gop` frames and repeated, with four tracks that
are seen in every frame. The page is opened in headless Chromium; a jump is over when the picture of the frame is on the
screen and its masks are drawn. Memory is that of the page's JavaScript after a collection, of the whole browser, and of
the server. Then that many sessions open the video one after the other, correct it, undo that, and fetch masks.

The browser is spoken to without Playwright, which watches the network: then a browser keeps what it has read for who
watches, up to 200 MB, and that would be counted as the page's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from chronomask import rle
from chronomask.annotations.records import Track, VideoEntry
from chronomask.categories import Category
from chronomask.formats.ytvis import write_tracks

WIDTH, HEIGHT, FPS = 1920, 1080, 25
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-precise-memory-info"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,800"),
]
PATIENCE = 120.0
"""Seconds that a page may take to open its video, or to show a frame."""
WARM = 20
"""Jumps before anything is measured."""

JUMP = """(frame) => new Promise((resolve, reject) => {
  const begun = performance.now();
  const look = () => {
    if (chronomask.drawn === frame && chronomask.frame === frame && chronomask.player.seeking === null) {
      resolve(performance.now() - begun);
    } else if (performance.now() - begun > PATIENCE) reject(new Error(`frame ${frame} does not come`));
    else setTimeout(look, 1);
  };
  chronomask.goTo(frame);
  look();
})""".replace("PATIENCE", str(1000 * PATIENCE))


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
def served(folder: Path, tracks: Path, video: Path) -> Generator[tuple[str, int]]:
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


class Browser:
    """One page of headless Chromium, spoken to by its debugging protocol over two pipes."""

    def __init__(self, path: str, profile: Path) -> None:
        (theirs, self._out), (self._in, answers) = os.pipe(), os.pipe()
        command = shlex.join([path, "--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", *FLAGS])
        # It reads at 3 and writes at 4.
        shell = ["sh", "-c", f"exec {command} about:blank 3<&{theirs} 4>&{answers} 2>/dev/null"]
        self._process = subprocess.Popen(shell, pass_fds=(theirs, answers))
        os.close(theirs)
        os.close(answers)
        self._rest, self._count, self._page = b"", 0, {}
        (target,) = (one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._page = {"sessionId": session["sessionId"]}
        self.call("Performance.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters, **self._page}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                piece = os.read(self._in, 2**16)
                if not piece:
                    raise SystemExit("the browser is gone")
                self._rest += piece
            text, _, self._rest = self._rest.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self._count:
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise SystemExit(f"the page: {answer['result'].get('description', script)}")
        return answer["result"].get("value")

    def memory(self) -> float:
        """MiB of JavaScript after a collection."""
        self.call("HeapProfiler.collectGarbage")
        metrics = self.call("Performance.getMetrics")["metrics"]
        return round(next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize") / 2**20, 1)

    def close(self) -> None:
        self._page = {}
        self.call("Browser.close")
        self._process.wait()
        os.close(self._out)
        os.close(self._in)


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


def until(look: Callable[[], Any], otherwise: str) -> Any:
    """What `look` gives, when that is true; the end of the program, where it is not in good time."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > end:
            raise SystemExit(f"{otherwise}, {PATIENCE:.0f} s long")
        time.sleep(0.1)
    return found


def jump(address: str, server: int, browser: Browser, jumps: int, length: int) -> dict[str, object]:
    browser.call("Page.navigate", url=address)
    until(lambda: browser.evaluate("!!(window.chronomask && chronomask.drawn >= 0)"), "the page shows no frame")
    time.sleep(2)
    chance = random.Random(0)

    def times(count: int) -> list[float]:
        return [browser.evaluate(f"({JUMP})({chance.randrange(length)})") for _ in range(count)]

    def costs() -> tuple[float, ...]:
        return browser.memory(), *browser_cost(), memory_of(server)

    times(WARM)
    before, found, after = costs(), times(jumps), costs()
    names = ("page_heap_mib", "browser_mib", "browser_seconds", "server_mib")
    told = dict(zip(names, zip(before, after, strict=True), strict=True))
    begun, ended = told.pop("browser_seconds")
    return {
        "median_ms": round(statistics.median(found), 1),
        "p90_ms": round(statistics.quantiles(found, n=10)[-1], 1),
        "worst_ms": round(max(found), 1),
        "browser_computes_ms_a_jump": round((ended - begun) * 1000 / jumps),
        "memory": told,
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

        projects = until(lambda ask=ask: ask("/api/session")["projects"], "the server opens no video")
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
                browser = Browser(arguments.browser, folder / "browser")
                print(json.dumps(jump(address, server, browser, arguments.jumps, length)), flush=True)
                browser.close()
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
