"""The evaluation commands: files, exit codes, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from chronomask.cli import main

CASE = Path(__file__).parent / "evaluation/cases/case-1"
TRUTH, RESULTS = CASE / "instances.json", CASE / "results.json"


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_evaluate_writes_the_official_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", TRUTH, RESULTS, "--json", tmp_path / "scores.json") == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    official = json.loads((CASE / "official.json").read_text())
    assert scores.keys() == official.keys() | {"per_category"}
    assert all(scores[key] == pytest.approx(official[key], abs=1e-6) for key in official)
    printed = capsys.readouterr().out
    assert printed.index("AP50") < printed.index("AR10") < printed.index("AR100")


def test_evaluate_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", TRUTH, RESULTS, "--report", tmp_path / "report.html", "--davis", "many") == 0
    assert "missed" in capsys.readouterr().out
    assert (tmp_path / "report.html").read_text().lstrip().lower().startswith("<!doctype html")


def test_evaluate_leaves_out_low_scores_of_what_knows_no_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--davis", "one", "--tracking", "--json", tmp_path / "scores.json")
    assert run("evaluate", TRUTH, RESULTS, *options) == 0
    weak, every = (sum(row["score"] < most for row in json.loads(RESULTS.read_text())) for most in (0.5, 2))
    said = f"J and F are of all {every} results together, {weak} of them with a score below 0.5"
    assert said in capsys.readouterr().err
    usual = json.loads((tmp_path / "scores.json").read_text())
    assert run("evaluate", TRUTH, RESULTS, *options, "--min-score", "1.1", "--overwrite") == 0
    said = capsys.readouterr()
    assert "of results from 1.1 on" in " ".join(said.out.split())
    assert "J and F are of all" not in said.err
    nothing = json.loads((tmp_path / "scores.json").read_text())
    assert usual["AP"] == nothing["AP"]
    assert usual["davis"]["J"] > nothing["davis"]["J"]
    assert usual["tracking"]["HOTA"] > nothing["tracking"]["HOTA"] == 0
    assert run("evaluate", TRUTH, RESULTS, "--min-score", "0.5") == 2


def _with_unknown_video(tmp_path: Path) -> Path:
    results = json.loads(RESULTS.read_text())
    results[2]["video_id"] = 9999
    path = tmp_path / "unknown.json"
    path.write_text(json.dumps(results))
    return path


def test_evaluate_names_the_place_of_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.json"
    text.write_text("{not json")
    for results, named in (
        (tmp_path / "none.json", "none.json"),
        (text, "text.json"),
        (_with_unknown_video(tmp_path), "9999"),
    ):
        before = sorted(tmp_path.iterdir())
        assert run("evaluate", TRUTH, results, "--json", tmp_path / "scores.json") == 2
        assert named in capsys.readouterr().err
        assert sorted(tmp_path.iterdir()) == before
    assert run("evaluate", TRUTH, RESULTS, "--frames", tmp_path) == 2
    assert "--report" in capsys.readouterr().err


def test_evaluate_leaves_nothing_behind_when_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chronomask.evaluation.ap.evaluation_json", interrupted)
    assert run("evaluate", TRUTH, RESULTS, "--json", tmp_path / "scores.json") == 130
    assert list(tmp_path.iterdir()) == []


def test_validate_tells_errors_by_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", TRUTH) == 0
    assert run("validate", RESULTS, "--against", TRUTH) == 0
    assert run("validate", _with_unknown_video(tmp_path), "--against", TRUTH) == 2
    assert "9999" in capsys.readouterr().out


def test_compare_prints_one_row_a_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nothing = tmp_path / "nothing.json"
    nothing.write_text("[]")
    assert run("compare", TRUTH, RESULTS, nothing, "--style", "markdown", "--resamples", "20") == 0
    printed = capsys.readouterr().out
    shared = os.path.commonpath([RESULTS, nothing])
    for path in (RESULTS, nothing):  # called by what their paths have of their own
        assert f"| {path.with_suffix('').relative_to(shared).as_posix()} |" in printed


def test_submit_packs_the_plain_list(tmp_path: Path) -> None:
    assert run("submit", RESULTS, "--out", tmp_path / "results.zip", "--against", TRUTH) == 0
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert archive.namelist() == ["results.json"]
        assert len(json.loads(archive.read("results.json"))) == len(json.loads(RESULTS.read_text()))
    assert run("submit", _with_unknown_video(tmp_path), "--out", tmp_path / "bad.zip", "--against", TRUTH) == 2
    assert not (tmp_path / "bad.zip").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("predict", TRUTH, "--frames", ".", "--out", "OUT"),
        ("evaluate", TRUTH, RESULTS, "--json", "OUT"),
        ("evaluate", TRUTH, RESULTS, "--report", "OUT"),
        ("submit", RESULTS, "--out", "OUT"),
        ("submit", RESULTS, "--against", TRUTH, "--out", "OUT"),
        ("dataset", "info", TRUTH, "--json", "OUT"),
        ("calibrate", TRUTH, RESULTS, "--out", "OUT"),
        ("edit", RESULTS, "delete:1", "--out", "OUT"),
        ("convert", RESULTS, "OUT", "--to", "coco", "--against", TRUTH),
    ],
    ids=lambda command: " ".join(word for word in command if isinstance(word, str)),
)
def test_no_command_replaces_what_is_there_or_what_it_reads(
    command: tuple[str | Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.png"
    out.write_text("mine")
    assert run(*(out if word == "OUT" else word for word in command)) == 2
    assert "mine.png: exists already; name another file, or say --overwrite" in capsys.readouterr().err
    inputs = [word for word in command if isinstance(word, Path)]
    for link in (False, True):
        for path in inputs:
            named, again = tmp_path / f"{link}-{path.name}", tmp_path / f"again-{link}-{path.name}"
            shutil.copy(path, named)
            if link:
                again.symlink_to(named)
            words = [
                (again if link else named) if word == path else named if word == "OUT" else word for word in command
            ]
            assert run(*words, "--overwrite") == 2
            assert f"{named}: is read too" in capsys.readouterr().err
            assert named.read_bytes() == path.read_bytes()


def _of_one_class(folder: Path, name: str) -> tuple[Path, Path]:
    """Annotations whose only class is called so, and results equal to them."""
    content = json.loads(TRUTH.read_text())
    first = content["categories"][0]["id"]
    content["categories"] = [{"id": first, "name": name}]
    content["annotations"] = [{**entry, "category_id": first} for entry in content["annotations"]]
    (folder / "truth [b].json").write_text(json.dumps(content))
    results = [{**entry, "score": 0.5} for entry in content["annotations"]]
    (folder / "results :dog:.json").write_text(json.dumps(results))
    return folder / "truth [b].json", folder / "results :dog:.json"


@pytest.mark.parametrize("name", ["[/b]", "[b]x[/i]", ":dog:"])
def test_names_are_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    truth, results = _of_one_class(tmp_path, name)
    options = ("--davis", "many", "--tracking", "--report", tmp_path / "report.html")
    assert run("evaluate", truth, results, *options) == 0
    assert name in capsys.readouterr().out
    assert run("compare", truth, results, "--resamples", "2") == 0
    assert ":dog:" in capsys.readouterr().out
    assert run("validate", truth) == 0
    assert "[b].json" in "".join(capsys.readouterr().out.split("\n"))


def test_names_that_are_no_utf8(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of files: printed as they can be. In a file: refused, for no other would hold them."""
    truth = Path(shutil.copy(TRUTH, tmp_path / os.fsdecode(b"caf\xe9.json")))
    assert run("evaluate", truth, RESULTS) == 0
    assert run("validate", truth) == 0
    assert r"caf\udce9.json" in capsys.readouterr().out
    truth, _ = _of_one_class(tmp_path, "a\ud800b")
    assert run("convert", truth, tmp_path / "out.json", "--to", "youtube-vis") == 2
    assert "which is no UTF-8; rename what is called so" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_what_cannot_be_scored_is_said_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("evaluate", TRUTH, RESULTS, "--classes", ",") == 2
    assert "--classes ',': names no class" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "trackeval", None)
    assert run("evaluate", tmp_path / "none.json", RESULTS, "--tracking") == 2
    assert "chronomask[trackeval]" in capsys.readouterr().err


def test_a_file_without_problems_has_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", TRUTH) == 0
    assert "place" not in capsys.readouterr().out
