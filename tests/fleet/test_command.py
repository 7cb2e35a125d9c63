"""chronomask batch: what it prints, its exit codes, and what machines read of it."""

import json
import re
import urllib.error
import urllib.request

import pytest

from chronomask.cli import main
from chronomask.errors import InputError
from chronomask.fleet.manifest import FOLDER, Manifest, Row
from chronomask.fleet.metrics import prometheus, served
from chronomask.fleet.schedule import Standing
from films import film, moving_square
from fleet.stand_in import open_colour


def test_lines_of_json_and_the_exit_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("chronomask.segmenter.load.load", open_colour)
    film(tmp_path / "a.mkv", moving_square(5), "ffv1")
    (tmp_path / "b.mkv").write_text("none")
    out = tmp_path / "out"
    assert main(["batch", f"{tmp_path}/*.mkv", "--out", str(out), "--log-json", "--workers", "1"]) == 2
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [(line["name"], line["state"]) for line in lines] == [
        ("a", "running"),
        ("a", "done"),
        ("b", "running"),
        ("b", "failed"),
    ]
    assert (lines[1]["frames"], lines[1]["tracks"]) == (5, 1)
    assert "2 videos (1 done, 1 failed), 5 frames, 1 tracks in" in printed.err
    [error] = [line for line in printed.err.splitlines() if "b.mkv" in line]
    assert error.startswith(f"chronomask: {tmp_path}/b.mkv")
    (tmp_path / "b.mkv").unlink()
    assert main(["batch", f"{tmp_path}/*.mkv", "--out", str(out)]) == 0
    assert "1 videos (1 done)" in capsys.readouterr().out
    # What nobody asks for any more has not failed.
    assert main(["batch", "--status", str(out)]) == 0
    assert "2 videos (1 done, 1 left out)" in capsys.readouterr().out


@pytest.mark.parametrize("piece", ["0", "20"])
def test_of_a_damaged_video_what_can_be_decoded_is_done_and_said(tmp_path, monkeypatch, capsys, piece):
    monkeypatch.setattr("chronomask.segmenter.load.load", open_colour)
    whole = film(tmp_path / "whole.mkv", moving_square(60), "ffv1").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 3 // 5])
    out = tmp_path / "out"
    assert main(["batch", str(tmp_path / "cut.mkv"), "--out", str(out), "--workers", "2", "--piece", piece]) == 0
    [line] = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    frames = json.loads((out / "cut/tracks.json").read_text())["videos"][0]["length"]
    assert 20 < frames < 50
    assert re.fullmatch(rf"chronomask: warning: .*cut\.mkv: .*; {frames} frames were segmented", line)


def test_status(tmp_path, capsys):
    assert main(["batch", "--status", str(tmp_path)]) == 2
    assert "holds no batch" in capsys.readouterr().err
    (tmp_path / FOLDER).mkdir()
    manifest = Manifest(tmp_path / FOLDER, {}, overwrite=False)
    manifest.set(Row("a", "a.mp4", "1 2", "done", frames=1200, tracks=3))
    manifest.set(Row("b", "b.mp4", "1 2", "running"))
    manifest.set(Row("c", "c.mp4", "1 2", "failed", attempts=3, error="it is damaged"))
    manifest.close()
    assert main(["batch", "--status", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{tmp_path}: nobody is at work; 3 videos (1 done, 1 running, 1 failed), 1,200 frames, 3 tracks",
        "interrupted: b.mp4",
    ]
    assert printed.err == "chronomask: c.mp4: it is damaged (3 attempts)\n"


def test_no_out(capsys):
    assert main(["batch", "a.mp4"]) == 2
    assert "name a folder for the results by --out" in capsys.readouterr().err


def test_prometheus():
    standing = Standing(10, done=4, failed=1, frames=70, running={"a": 5, "b": 0})
    with served(0) as metrics:
        address = f"http://127.0.0.1:{metrics.port}"
        metrics.standing = standing
        with urllib.request.urlopen(f"{address}/metrics") as answer:
            text = answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address)
        with pytest.raises(InputError, match=f"metrics_port {metrics.port}: "), served(metrics.port):
            pass
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    states = {"done": 4, "failed": 1, "running": 2, "waiting": 3}
    assert {f'chronomask_batch_videos{{state="{state}"}}': str(count) for state, count in states.items()}.items() <= (
        values.items()
    )
    assert values["chronomask_batch_frames_total"] == "75"
    assert float(values["chronomask_batch_seconds"]) >= 0
    assert prometheus(standing).count("# TYPE") == 3
