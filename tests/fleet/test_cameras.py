"""Several live sources at once with one engine: each gets its share, and none gets late."""

import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from chronomask.cli import main
from chronomask.errors import InputError
from chronomask.fleet.cameras import follow
from chronomask.outputs.choice import Outputs
from chronomask.runs.live import Live
from chronomask.runs.segment import Summary
from chronomask.video import Frame
from fleet.stand_in import open_colour, open_slowly
from runs.cameras import Camera, SilentCamera
from segmenter.colour import moving_objects

NOTHING = Outputs(overlay=False)


class Paced(Camera):
    """Gives so many frames a second, for so many seconds."""

    live = True

    def __init__(self, name, rate, seconds):
        super().__init__(moving_objects(round(rate * seconds)))
        self.name, self.rate = name, rate

    def __iter__(self):
        began = time.monotonic()
        for index, image in enumerate(self.images):
            time.sleep(max(0.0, began + index / self.rate - time.monotonic()))
            yield Frame(index, index / self.rate, image)


class Told:
    """Remembers how late every stream was."""

    def __init__(self):
        self.delays = {}

    def __call__(self, source):
        def progress(items, task, total):
            for item in items:
                self.delays.setdefault(source.name, []).append(source.delay)
                yield item

        return progress


def test_equal_shares_of_the_newest_frames(tmp_path):
    """Two streams of which each wants more than there is, and one that wants little: it loses nothing."""
    segmenter = open_slowly(seconds=0.01)
    lives = [Live(Paced("a", 200, 3)), Live(Paced("b", 400, 3)), Live(Paced("slow", 10, 3))]
    told = Told()
    found = dict(follow(segmenter, lives, [tmp_path / live.name for live in lives], outputs=NOTHING, progress=told))
    assert all(isinstance(summary, Summary) for summary in found.values())
    frames = {live.name: found[live].frames for live in lives}
    assert lives[0].dropped > 100
    assert lives[1].dropped > 100
    assert 0.7 < frames["a"] / frames["b"] < 1.4
    assert frames["slow"] >= 24  # of 30; none where the machine has nothing else to do
    # At most four frames wait, so that the oldest of them came not long before.
    assert max(np.median(delays) for delays in told.delays.values()) < 0.5
    for live in lives:
        entry = json.loads((tmp_path / live.name / "tracks.json").read_text())["videos"][0]
        assert entry["length"] == frames[live.name]


def test_one_that_fails_does_not_end_the_others(tmp_path):
    lives = [Live(Camera(moving_objects(3), InputError("unplugged"))), Live(Paced("good", 50, 0.5), buffer=25)]
    found = dict(follow(open_colour(), lives, [tmp_path / "a", tmp_path / "b"], outputs=NOTHING))
    assert str(found[lives[0]]) == "unplugged"
    assert found[lives[1]].frames == 25


def test_a_fault_of_ours_does_not_end_the_others(tmp_path, monkeypatch, capsys):
    cameras = {"a": Camera(moving_objects(3), RuntimeError("ours")), "b": Paced("good", 50, 0.3)}
    monkeypatch.setattr("chronomask.segmenter.load.load", open_colour)
    monkeypatch.setattr("chronomask.video.open_source", lambda text, *_: cameras[text[-1]])
    monkeypatch.setattr(Camera, "live", True)
    with pytest.raises(RuntimeError, match="ours"):
        main(["segment", "rtsp://a", "rtsp://b", "--live", "--out", str(tmp_path), "--no-overlay"])
    assert (tmp_path / "good/tracks.json").exists()
    assert "good:" in capsys.readouterr().out


def test_ctrl_c_ends_all_and_keeps_what_came(tmp_path, ctrl_c):
    begun = threading.Barrier(3, timeout=20)
    cameras = [SilentCamera(moving_objects(6), begun.wait) for _ in range(2)]
    lives = [Live(camera, buffer=6) for camera in cameras]

    def press():
        begun.wait()
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    found = dict(follow(open_colour(), lives, [tmp_path / "a", tmp_path / "b"], outputs=NOTHING))
    for camera in cameras:
        camera.silence_over.set()
    assert [found[live].frames for live in lives] == [6, 6]


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("chronomask.segmenter.load.load", open_colour)
    monkeypatch.setattr("chronomask.video.open_source", lambda text, *_: Paced(text[-1], 50, 0.3))
    command = ["segment", "rtsp://a", "rtsp://b", "--out", str(tmp_path), "--no-overlay"]
    assert main(command) == 2
    assert "several cameras or streams: follow all of them at once by --live" in capsys.readouterr().err
    assert main([*command, "--live"]) == 0
    printed = capsys.readouterr().out
    assert {"a:", "b:"} <= set(printed.splitlines())
    assert (tmp_path / "a/tracks.json").exists()
    assert (tmp_path / "b/recording.mp4").exists()


def test_files_are_not_live(capsys, monkeypatch):
    monkeypatch.setattr("chronomask.video.open_source", lambda text, *_: Camera(moving_objects(3)))
    assert main(["segment", "a.mp4", "b.mp4", "--live"]) == 2
    assert "live: memory is a file; --live is for cameras and streams alone" in capsys.readouterr().err
