"""The process that does one task: what it says when that goes wrong."""

import errno
import json
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from chronomask.errors import OutOfMemory
from chronomask.segmenter import load as loading
from chronomask.web.child import said_of
from chronomask.web.jobs import CHILD
from chronomask.web.tasks import segment
from films import film
from segmenter.colour import segmenter_of, settings


def _said(**request):
    """What a child says last, how it ends, and the last line of its errors. Its input stays open meanwhile."""
    pipe = subprocess.PIPE
    child = subprocess.Popen(CHILD, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    child.stdin.write(json.dumps(request) + "\n")
    child.stdin.flush()
    lines, errors = child.stdout.read().splitlines(), child.stderr.read().splitlines()
    code = child.wait()
    child.stdin.close()
    child.stdout.close()
    child.stderr.close()
    return json.loads(lines[-1]) if lines else {}, code, errors[-1] if errors else ""


def test_an_error_of_ours_is_told_in_its_own_words():
    assert _said(task="thumbs", folder="/tmp") == (
        {},
        1,
        "TypeError: thumbs() missing 2 required positional arguments: 'media_file' and 'wanted'",
    )


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        cv2.error("OpenCV: Failed to allocate 99 bytes in function 'OutOfMemoryError'"),
        OutOfMemory("out of memory. Lower batch"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_too_little_memory_is_said_whoever_met_it(error):
    assert said_of(error, None).startswith("this machine has too little memory for it; end other programs")
    assert said_of(error, 2**32).startswith("it needs more than the 4.0 GiB of memory that are allowed")


def test_what_is_no_users_fault_is_not_told():
    assert said_of(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None) is None
    assert said_of(OSError(errno.EIO, "Input/output error"), 2**32) is None


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux alone")
def test_a_video_takes_no_more_memory_than_is_allowed(tmp_path):
    path = film(tmp_path / "large.mp4", [np.zeros((4320, 7680, 3), np.uint8)] * 2, preset="ultrafast")
    given = {"name": "large", "model": "lite", "score": 0.1, "times": None, "again": False}
    said, code, _ = _said(task="segment", source=str(path), folder=str(tmp_path / "out"), memory=300 << 20, **given)
    assert said["error"].startswith("it needs more than the 0.3 GiB of memory that are allowed for what a browser sent")
    assert code == 0


def test_no_folder_of_the_server_is_told(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "mine.json").write_text('{"annotations": 3}')
    tracks = tmp_path / "tracks.json"
    tracks.write_text('{"videos": [], "categories": [], "annotations": []}')
    said, _, _ = _said(
        task="score",
        truth=str(tmp_path / "truth" / "mine.json"),
        tracks=str(tracks),
        video="x",
        folder=str(tmp_path / "score"),
    )
    assert said == {"error": "truth/mine.json: categories: missing"}


def test_who_cancels_keeps_what_was_found_or_what_was_there(tmp_path, video, monkeypatch):
    monkeypatch.setattr(loading, "load", lambda name, config: segmenter_of(settings(4, 2, score=config.score)))

    def cancelled(items, task, total):
        for number, item in enumerate(items):
            if number == 12:
                signal.raise_signal(signal.SIGINT)
            yield item

    given = {"source": str(video), "name": "x", "model": "lite", "score": 0.1, "times": None}
    first = segment(cancelled, folder=str(tmp_path / "run-1"), again=False, **given)
    assert (first["complete"], 0 < first["length"] < 20) == (False, True)
    with pytest.raises(KeyboardInterrupt):
        segment(cancelled, folder=str(tmp_path / "run-2"), again=True, **given)
    assert [path.name for path in tmp_path.iterdir()] == ["run-1"]
