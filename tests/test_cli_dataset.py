"""The commands dataset info, preview and synthesize: files, exit codes, messages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from chronomask.cli import main
from data.files import small_set


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def stills(tmp_path: Path) -> Path:
    return small_set(tmp_path)[0]


def test_info_tells_faults_by_its_exit_code(stills: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = stills.parent / "info.json"
    assert run("dataset", "info", stills, "--json", report) == 0
    printed = capsys.readouterr()
    assert "70x50 (2)" in printed.out
    assert "problems: 0" in printed.out
    content = json.loads(report.read_text())
    assert (content["entries"], content["instances"], content["problems"]) == (2, 4, [])
    (stills.parent / "images/stills-1.png").unlink()
    assert run("dataset", "info", stills) == 2
    assert "stills-1.png" in capsys.readouterr().err
    assert run("dataset", "info", stills, "--no-pixels") == 0
    assert run("dataset", "info", stills, "--skip-broken") == 0
    printed = capsys.readouterr()
    assert "stills-1.png" in printed.err
    assert "problems: 1, left out" in printed.out


def test_preview_draws_entries_and_clips(stills: Path, tmp_path: Path) -> None:
    assert run("dataset", "preview", stills, "--out", tmp_path / "a.png", "--count", "1", "--width", "400") == 0
    assert run("dataset", "preview", f"{stills},partial", "--out", tmp_path / "b.png", "--count", "1") == 0
    options = ("--as-trained", "--count", "2", "--data.height", "64", "--data.width", "96", "--data.length", "3")
    assert run("dataset", "preview", stills, "--out", tmp_path / "c.jpg", *options) == 0
    with Image.open(tmp_path / "c.jpg") as sheet:
        assert sheet.width == 1280
    assert run("dataset", "preview", tmp_path / "videos.json", "--out", tmp_path / "d.mp4", "--width", "320") == 0
    assert (tmp_path / "d.mp4").stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--out", "a.gif"], "a.gif"),
        (["--entries", "nobody"], "nobody"),
        (["--entries", "stills-0.png", "--as-trained"], "--entries stills-0.png"),
        (["--count", "0"], "--count 0"),
        (["--width", "9"], "--width 9"),
        (["--fps", "nan"], "--fps nan"),
    ],
)
def test_preview_names_what_cannot_be_done(
    stills: Path, options: list[str], named: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stills.parent)
    before = sorted(stills.parent.rglob("*"))
    assert run("dataset", "preview", stills, "--out", "a.png", *options) == 2
    assert named in capsys.readouterr().err
    assert sorted(stills.parent.rglob("*")) == before


def test_synthesized_videos_go_through_predict_and_evaluate(
    stills: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made"
    size = ("--length", "4", "--height", "64", "--width", "96")
    assert run("dataset", "synthesize", stills, out, *size, "--smallest", "50", "--quality", "80") == 0
    assert "2 videos, 4 instances, 0 ignored" in capsys.readouterr().out
    assert run("validate", out / "instances.json") == 0
    assert run("dataset", "info", out) == 0
    found = tmp_path / "found/tracks.json"
    assert run("predict", out / "instances.json", "--frames", out / "JPEGImages", "--out", found) == 0
    assert run("evaluate", out / "instances.json", found) == 0
    assert run("dataset", "synthesize", stills, out, *size) == 2
    assert "exists already" in capsys.readouterr().err


def test_synthesize_checks_its_settings_first(stills: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("dataset", "synthesize", stills, stills.parent / "made", "--quality", "300") == 2
    assert "quality 300" in capsys.readouterr().err
    assert not (stills.parent / "made").exists()


def test_names_are_no_markup(stills: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stills.write_text(stills.read_text().replace('"person"', '"[/b] :dog:"'))
    assert run("dataset", "info", stills) == 0
    assert "[/b] :dog:" in capsys.readouterr().out


def test_info_does_without_pytorch(stills: Path) -> None:
    command = [sys.executable, str(Path(__file__).parent / "without.py"), "torch,cv2", "dataset", "info", str(stills)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
