"""Batches with processes of their own: each video once, whatever happens to others, to the worker or to the batch."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from chronomask.errors import InputError
from chronomask.fleet.batch import batch
from chronomask.fleet.manifest import FOLDER, LOG, Manifest, Row, read_rows, write_table
from chronomask.outputs.choice import Outputs
from chronomask.runs.log import read_lines
from chronomask.runs.segment import segment_to_folder
from chronomask.video import open_source
from films import film, moving_square
from fleet.stand_in import LULLABY, POISON, open_broken, open_colour, open_mortal_once, open_never, open_nothing

NOTHING = Outputs(overlay=False)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Four films, a file that is none, and one that kills."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(4):
        film(folder / f"{number}.mkv", moving_square(5 + number), "ffv1")
    (folder / "none.mkv").write_text("none")
    for name, colour in (("poison", POISON), ("lullaby", LULLABY)):
        film(folder / f"{name}.mkv", [*moving_square(4), np.full((48, 64, 3), colour, np.uint8)], "ffv1")
    return folder


@pytest.fixture
def run(films, tmp_path, monkeypatch):
    """A batch over some of the films."""

    def run(*names, open_segmenter=open_colour, **options):
        monkeypatch.setattr("chronomask.segmenter.load.load", open_segmenter)
        given = [name if "://" in str(name) else films / name for name in names]
        rows = batch(given, tmp_path / "out", **{"workers": 1, **options})
        return {row.name: row for row in rows}

    return run


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {FOLDER, ".partial"} & {*path.parts} and path.suffix != ".parquet"
    }


@pytest.fixture(scope="module")
def expected(films, tmp_path_factory):
    """What `segment` gives for the four films."""
    out = tmp_path_factory.mktemp("expected")
    for number in range(4):
        segment_to_folder(open_colour(), open_source(films / f"{number}.mkv"), out / str(number), outputs=NOTHING)
    return contents(out)


ALL = ("0.mkv", "poison.mkv", "1.mkv", "none.mkv", "2.mkv", "3.mkv")


def test_bad_videos_do_not_touch_the_others(run, expected, tmp_path, films):
    rows = run(*ALL, attempts=2, workers=2)
    assert contents(tmp_path / "out") == expected
    assert {name: row.state for name, row in rows.items() if row.state != "done"} == {
        "none": "failed",
        "poison": "failed",
    }
    assert rows["none"].attempts == 1  # its fault, and it will not change
    assert rows["poison"].attempts == 2
    assert rows["poison"].error == "the process that worked on it was killed by SIGKILL, perhaps for want of memory"
    assert "none.mkv" in rows["none"].error
    assert (rows["3"].frames, rows["3"].tracks, rows["3"].attempts) == (8, 1, 1)
    assert rows["3"].hash == open_source(films / "3.mkv").fingerprint()
    assert rows["3"].seconds > 0
    table = parquet.read_table(tmp_path / "out/manifest.parquet").to_pylist()
    assert [row["state"] for row in table] == ["done", "failed", "done", "failed", "done", "done"]
    assert table[0] == {field: getattr(rows["0"], field) for field in Row.__dataclass_fields__}
    assert read_rows(tmp_path / "out") == list({row.source: row for row in rows.values()}.values())
    # Again: nothing is done twice, and the failed ones are tried again.
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/tracks.json")}
    rows = run(*ALL, attempts=1)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/tracks.json")} == before
    assert (rows["poison"].attempts, rows["3"].attempts) == (1, 1)


def test_names_that_are_no_utf8(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    path = write_table(folder, [Row(os.fsdecode(b"a\xe9"), os.fsdecode(b"/a\xe9.mp4"), "1 2", "done")])
    with path.open("rb") as file:
        [row] = parquet.read_table(file).to_pylist()
    assert (row["name"], row["source"], row["frames"]) == ("a\ufffd", "/a\ufffd.mp4", 0)


def test_a_long_video_in_pieces_is_the_same_video(run, tmp_path, films):
    """Two workers find its clips, of which one dies once; the bytes are those of `segment`."""
    film(tmp_path / "long.mkv", moving_square(60), "ffv1")
    segment_to_folder(open_colour(), open_source(tmp_path / "long.mkv"), tmp_path / "whole", outputs=NOTHING)
    events = []
    rows = run(
        tmp_path / "long.mkv",
        "0.mkv",
        open_segmenter=open_mortal_once,
        model=str(tmp_path / "died"),
        piece=15,
        workers=2,
        watch=lambda standing, row: events.append((row and row.state, row and row.attempts, {**standing.running})),
    )
    assert [(row.state, row.frames) for row in rows.values()] == [("done", 60), ("done", 5)]
    assert rows["long"].attempts + rows["0"].attempts == 3
    assert contents(tmp_path / "out/long") == contents(tmp_path / "whole")
    assert max(running.get("long", 0) for *_, running in events) >= 4
    assert not list((tmp_path / "out/.batch/pieces").iterdir())


def test_what_changed_is_refused_until_it_is_asked_for(run, films, tmp_path):
    copy = shutil.copytree(films, tmp_path / "films")
    rows = run(copy / "0.mkv", copy / "1.mkv")
    shutil.copy(copy / "3.mkv", copy / "1.mkv")
    shutil.rmtree(tmp_path / "out/0")
    rows = run(copy / "0.mkv", copy / "1.mkv")
    assert rows["0"].state == "done"
    assert (tmp_path / "out/0/tracks.json").exists()
    assert "holds complete results of a run that differs in its source" in rows["1"].error
    rows = run(copy / "0.mkv", copy / "1.mkv", overwrite=True)
    assert (rows["1"].state, rows["1"].frames) == ("done", 8)
    with pytest.raises(InputError, match=r"manifest\.log: .*every.*; give the same, or start anew by --overwrite"):
        run(copy / "0.mkv", every=2)
    rows = run(copy / "0.mkv", every=2, overwrite=True)
    assert rows["0"].frames == 3
    assert (tmp_path / "out/1/tracks.json").exists()


def test_a_model_that_cannot_be_used_ends_it_at_once(run, tmp_path):
    with pytest.raises(InputError, match="lite: no such model"):
        run("0.mkv", "1.mkv", open_segmenter=open_nothing)
    assert {row.state for row in read_rows(tmp_path / "out")} <= {"running", "waiting"}


def test_what_is_wrong_with_every_video_is_said_once_and_can_be_mended(run, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    for options, message in (
        ({"classes": ["dgo"]}, "classes: 'dgo' is not a class of this model"),
        ({"every": 0}, "every 0: must be a whole number, 1 or more"),
        ({"fps": 0.0}, r"fps 0\.0: must be above 0"),
        ({"stall": -1.0}, r"stall -1\.0: must be 0 or more"),
        ({"outputs": Outputs(overlay=False, background=str(tmp_path / "text.png"))}, "cannot be read as an image"),
    ):
        with pytest.raises(InputError, match=message):
            run("0.mkv", "1.mkv", **options)
    assert {row.state for row in run("0.mkv", "1.mkv").values()} == {"done"}


def test_workers_that_cannot_begin_are_no_video_s_fault(run, tmp_path, monkeypatch):
    monkeypatch.setattr("chronomask.fleet.workers.MOST_FAILURES", 2)
    with pytest.raises(InputError, match="no worker can begin: the process ended with exit code 7"):
        run("0.mkv", "1.mkv", open_segmenter=open_never)
    assert {row.attempts for row in read_rows(tmp_path / "out")} == {1}


def test_a_worker_that_hangs_is_ended_and_its_neighbours_go_on(run, expected, tmp_path):
    began = time.monotonic()
    rows = run("0.mkv", "lullaby.mkv", "1.mkv", "2.mkv", "3.mkv", stall=1.0)
    assert time.monotonic() - began < 30
    assert contents(tmp_path / "out") == expected
    assert (rows["lullaby"].state, rows["lullaby"].attempts) == ("failed", 1)
    assert rows["lullaby"].error == "no frame came for 1 s, and the process that worked on it was ended (--stall)"


def test_our_own_faults_are_told_in_a_line_and_kept_in_full(run, tmp_path):
    rows = run("0.mkv", open_segmenter=open_broken, attempts=2)
    assert "ZeroDivisionError" in rows["0"].error
    assert rows["0"].attempts == 2
    assert "Traceback" in (tmp_path / "out/.batch/errors/0.txt").read_text()
    assert run("0.mkv")["0"].state == "done"
    assert not (tmp_path / "out/.batch/errors").exists()


def test_what_only_fsspec_reads_is_fetched(films, run, tmp_path, expected):
    rows = run(f"local://{films}/0.mkv", f"local://{films}/1.mkv")
    assert {row.error for row in rows.values()} == {""}
    assert (
        json.loads((tmp_path / "out/1/tracks.json").read_text())["annotations"]
        == (json.loads(expected["1/tracks.json"])["annotations"])
    )
    assert not list((tmp_path / "out/.batch/fetched").iterdir())


def test_where_a_batch_may_not_write(films, run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        run("0.mkv")
    with pytest.raises(InputError, match=r"holds mine\.txt, which is not replaced"):
        run("0.mkv", overwrite=True)
    for out in (films, films / "out", films.parent):
        with pytest.raises(InputError, match=r"which is read|is read too"):
            batch(films, out)
    with pytest.raises(InputError, match="workers -1: must be 1 or more"):
        batch(films, tmp_path / "x", workers=-1)
    assert not (tmp_path / "x").exists()


def alive(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


KILLED = """
import sys, time
sys.path[:0] = {paths!r}
from chronomask.segmenter import load
from fleet.stand_in import open_slowly
load.load = open_slowly
from chronomask.fleet.batch import batch
if __name__ == "__main__":
    batch({films!r}, {out!r}, workers=2)
"""


def test_whoever_is_killed_and_whenever_the_same_call_completes_it(run, films, expected, tmp_path):
    """Driver and workers; no worker outlives its driver. Many more kills: python -m tests.robustness.kills."""
    out, names = tmp_path / "out", [f"{number}.mkv" for number in range(4)]
    script = tmp_path / "script.py"
    given = [str(films / name) for name in names]
    script.write_text(KILLED.format(paths=[p for p in sys.path if p], films=given, out=str(out)))
    process = subprocess.Popen([sys.executable, script])
    while not (out / FOLDER / LOG).exists() or not any(row.state == "running" for row in read_rows(out)):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.5)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    assert len(workers) >= 2
    deadline = time.monotonic() + 10
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    rows = run(*names)
    assert {row.state for row in rows.values()} == {"done"}
    assert contents(out) == expected
    assert not list(out.rglob(".partial"))


def test_ten_thousand_of_which_all_but_few_are_done(tmp_path):
    """Work begins within three seconds, in less than 200 MB."""
    place, out = tmp_path / "videos", tmp_path / "out"
    place.mkdir()
    rows = []
    for number in range(10_000):
        path = place / f"{number}.mp4"
        path.touch()
        there = path.stat()
        rows.append(
            Row(str(number), str(path), f"{there.st_size} {there.st_mtime_ns}", "done", "0" * 64, 1, 9.5, 99, 3)
        )
    script = tmp_path / "script.py"
    script.write_text(LONG.format(paths=[p for p in sys.path if p], place=str(place), out=str(out)))
    command = [sys.executable, script]
    subprocess.run(command, capture_output=True, check=True)
    (out / "done").mkdir()
    (out / "done/tracks.json").touch()
    [header, *_], _ = read_lines(out / FOLDER / LOG)
    manifest = Manifest(out / FOLDER, header, overwrite=False)
    for row in rows[20:]:
        manifest.set(row)
        (out / row.name).symlink_to("done")
    manifest.close()
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, megabytes, given = found.stdout.split()
    assert given == "2"
    assert float(seconds) < 3
    assert float(megabytes) < 200


LONG = """
import sys, time
began = time.process_time()
sys.path[:0] = {paths!r}
from chronomask.fleet import batch as room

class Nobody:
    def __init__(self, *_): self.given = 0
    def free(self): return 2 - self.given
    def give(self, task): self.given += 1
    def close(self): pass
    def reports(self, seconds):
        status = open("/proc/self/status").read()  # getrusage counts in what the parent had
        used = int(status.split("VmHWM:")[1].split()[0]) / 1024
        print(time.process_time() - began, used, self.given)
        raise SystemExit(0)

room.LocalWorkers = Nobody
room.write_table = lambda *_: None
room.batch({place!r}, {out!r})
"""
