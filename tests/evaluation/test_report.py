from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from track_builders import HEIGHT, WIDTH, annotation, mask, random_case, result, truth_file

from chronomask.annotations.content import Source
from chronomask.errors import InputError
from chronomask.evaluation.ap import evaluate
from chronomask.evaluation.coverage import left_aside
from chronomask.evaluation.report import Report, draw_report
from chronomask.evaluation.validate import read_results, read_truth

BOX = mask((5, 5, 10, 10))


class Checker(HTMLParser):
    """Notes the tags left open and everything that a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.loads += [value for key, value in attrs if key in ("src", "href") and value is not None]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value for key, value in attrs if key in ("src", "href") and value is not None]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(path: Path) -> str:
    text = path.read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert all(source.startswith("data:image/jpeg;base64,") for source in checker.loads)
    assert "<script" not in text
    assert "@import" not in text
    return text


def write_report(path: Path, truth: Source, results: Source, frames: Path | None = None) -> Report:
    """As `evaluate --report` does it."""
    notes: list[str] = []
    annotated = read_truth(truth)
    found = read_results(results, annotated, notes.append)
    notes += left_aside(annotated, found)
    return draw_report(path, ("results", "truth"), annotated, found, frames, notes=notes)


def test_thirty_videos_in_one_small_file(tmp_path: Path) -> None:
    truth, results = random_case(5, videos=32)
    rng = np.random.default_rng(0)
    for video in truth["videos"]:
        for name in video["file_names"]:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / name)
    report = write_report(tmp_path / "report.html", truth, results, tmp_path)
    text = checked(report.path)
    assert report.videos == 30 == text.count("<section class='video'>")
    assert report.path.stat().st_size < 5e6
    assert f"<b>{100 * evaluate(truth, results).scores.AP:.1f}</b>AP<" in text
    shares = [float(share) for share in re.findall(r"<small>([\d.]+) % of its objects", text)]
    assert shares == sorted(shares)


def test_names_from_files_are_only_text(tmp_path: Path) -> None:
    truth = truth_file([annotation([mask((5, 5, 10, 10))])])
    truth["categories"][0]["name"] = "<script>alert(1)</script>"
    truth["videos"][0]["name"] = "'><img src=x>"
    report = write_report(tmp_path / "report.html", truth, [result([mask((5, 5, 10, 10))])])
    checked(report.path)


def test_nothing_to_show(tmp_path: Path) -> None:
    checked(write_report(tmp_path / "a.html", truth_file([], {1: 2}), []).path)
    checked(write_report(tmp_path / "b.html", truth_file([annotation([None, mask((1, 1, 5, 5))])]), []).path)


def test_a_missing_frame_is_named_and_leaves_no_file(tmp_path: Path) -> None:
    truth = truth_file([annotation([mask((5, 5, 10, 10))])])
    with pytest.raises(InputError, match=r"00000\.jpg: no such file"):
        write_report(tmp_path / "report.html", truth, [], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_frames_are_found_by_the_name_of_the_video(tmp_path: Path) -> None:
    truth, results = random_case(1, videos=1)
    (video,) = truth["videos"]
    length = len(video.pop("file_names"))
    video["name"] = "boat"
    (tmp_path / "boat").mkdir()
    for t in range(length):
        Image.new("RGB", (WIDTH, HEIGHT), (9 * t, 0, 0)).save(tmp_path / "boat" / f"{t}.png")
    with_frames = write_report(tmp_path / "a.html", truth, results, tmp_path).path.read_text()
    assert with_frames != write_report(tmp_path / "b.html", truth, results).path.read_text()
    (tmp_path / "boat" / "0.png").unlink()
    with pytest.raises(InputError, match=f"holds {length - 1} pictures, .*; without frames .* drawn on grey"):
        write_report(tmp_path / "c.html", truth, results, tmp_path)


def test_what_does_not_count_is_said_on_the_page(tmp_path: Path) -> None:
    found = [result([BOX]), result([BOX], category_id=2)]
    truth = truth_file([annotation([BOX]), annotation([BOX], iscrowd=1)])
    text = checked(write_report(tmp_path / "report.html", truth, found).path)
    assert "1 of 2 results left out: no annotation is of the class &#x27;class2&#x27;" in text
    assert "<small>1 object, 1 result</small>" in text
    assert "(crowd: need not be found)" in text
