"""`convert` and `edit` as a stranger meets them: exit codes, files, messages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.formats.tubes import CAT, DOG, plain_file

from chronomask.cli import main
from chronomask.data.annotation_file import YtvisVideos
from chronomask.errors import InputError
from chronomask.formats.convert import read, write
from chronomask.formats.training_data import write_dataset


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    file = plain_file()
    first, second = file.tracks
    path = tmp_path / "tracks.json"
    write(replace(file, tracks=(replace(first, score=0.4), second), categories=(CAT, DOG)), path)
    return path


def test_convert_says_what_is_lost_and_where_it_wrote(
    tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("convert", tracks, tmp_path / "davis", "--to", "davis") == 0
    printed = capsys.readouterr()
    assert printed.out == f"2 tracks of 1 video: {tmp_path / 'davis'}\n"
    assert "lost: classes: 2 tracks written without a class: cat" in printed.err
    assert "lost: scores: 1 score left out" in printed.err
    assert len(list((tmp_path / "davis/clip").glob("*.png"))) == 3
    assert run("convert", tmp_path / "davis", tmp_path / "back.json", "--fps", "10") == 0
    assert capsys.readouterr().err == ""
    back = read(tmp_path / "back.json")
    assert back.videos[0].fps == 10
    assert [t.segmentations for t in back.tracks] == [t.segmentations for t in plain_file().tracks]


def test_convert_overwrites_only_its_own(tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("convert", tracks, out, "--to", "labelme") == 0
    assert run("convert", tracks, out, "--to", "labelme") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run("convert", tracks, out, "--to", "labelme", "--overwrite") == 0
    (out / "clip/photo.jpg").touch()
    assert run("convert", tracks, out, "--to", "labelme", "--overwrite") == 2
    assert "holds clip/photo.jpg, which is not replaced" in capsys.readouterr().err
    assert run("convert", tracks, tmp_path, "--to", "davis", "--overwrite") == 2
    assert "holds" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "tracks.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing.json", "out", "--to", "davis"), "nothing.json: no such file"),
        (("tracks.json", "out"), "which format"),
        (("tracks.json", "out.txt", "--to", "mots-text"), "name a folder"),
        (("tracks.json", "out", "--to", "davis", "--size", "7"), "must be WIDTHxHEIGHT"),
        (("tracks.json", "out", "--to", "davis", "--fps", "nan"), "fps nan: must be above 0"),
        (("tracks.json", "out", "--to", "davis", "--length", "-5"), "length -5: must be 1 frame or more"),
        (("tracks.json", "out", "--to", "davis", "--video", "a.mp4"), "a.mp4: no such file"),
        (("tracks.json", "out", "--to", "dataset"), "0 videos given, the tracks are of 1: clip"),
    ],
)
def test_convert_refuses(
    tracks: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tracks.parent)
    assert run("convert", *arguments) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tracks.parent.iterdir()] == ["tracks.json"]


def test_a_data_set_to_train_on(tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for index in range(3):
        Image.fromarray(np.full((7, 9, 3), 80 * index, np.uint8)).save(frames / f"{index}.png")
    out = tmp_path / "set"
    assert run("edit", tracks, "relabel:2=dog", "--out", tmp_path / "edited.json") == 0
    assert run("convert", tmp_path / "edited.json", out, "--to", "dataset", "--video", frames) == 0
    videos = YtvisVideos(out / "instances.json", out / "JPEGImages", (CAT, DOG))
    clip = videos.load(0, (0, 1, 2))
    assert clip.class_ids.tolist() == [0, 1]
    assert clip.masks.sum((2, 3)).tolist() == [[6, 6, 6], [0, 15, 0]]
    assert clip.frames[2].float().mean() == pytest.approx(160, abs=2)

    (frames / "3.png").write_bytes((frames / "0.png").read_bytes())
    capsys.readouterr()
    assert run("convert", tracks, tmp_path / "more", "--to", "dataset", "--video", frames) == 2
    assert "more than the 3 frames" in capsys.readouterr().err
    assert not (tmp_path / "more").exists()


def grey_frames(folder: Path, count: int) -> Path:
    """Images of the size of the tracks; the i-th has the grey 20 * i."""
    folder.mkdir()
    for index in range(count):
        Image.fromarray(np.full((7, 9, 3), 20 * index, np.uint8)).save(folder / f"{index}.png")
    return folder


def greys(folder: Path) -> list[int]:
    """Which of the `grey_frames` a data set holds."""
    means = [np.asarray(Image.open(file)).mean() for file in sorted((folder / "JPEGImages").rglob("*.jpg"))]
    return [round(mean / 20) for mean in means]


@pytest.mark.parametrize(
    ("fps", "noted", "count", "expected"),
    [
        (10.0, {"fingerprint": "x", "start": 0.2, "end": 0.5, "every": 1}, 9, [2, 3, 4]),
        (5.0, {"fingerprint": "x", "start": 0.2, "end": None, "every": 2}, 8, [2, 4, 6]),
        (None, {"fingerprint": "x", "start": 0.08, "end": None, "every": 2}, 8, [2, 4, 6]),
        # Of a camera the recording is left, which holds the selected frames alone.
        (10.0, {"fingerprint": None, "start": 5.0, "end": 8.0, "every": 10}, 3, [0, 1, 2]),
    ],
)
def test_a_data_set_has_the_frames_that_the_tracks_are_of(
    tmp_path: Path, fps: float | None, noted: dict[str, object], count: int, expected: list[int]
) -> None:
    file = plain_file()
    file = replace(file, videos=(replace(file.videos[0], fps=fps),), info={"source": noted})
    write_dataset(file, [grey_frames(tmp_path / "frames", count)], tmp_path / "set")
    assert greys(tmp_path / "set") == expected


def test_a_data_set_replaces_none_but_a_data_set(tmp_path: Path) -> None:
    frames, photographs = grey_frames(tmp_path / "frames", 3), tmp_path / "photographs"
    photographs.mkdir()
    write_dataset(plain_file(), [frames], photographs, overwrite=True)  # empty
    write_dataset(plain_file(), [frames], photographs, overwrite=True)
    (photographs / "instances.json").unlink()
    with pytest.raises(InputError, match=r"photographs: holds no instances\.json"):
        write_dataset(plain_file(), [frames], photographs, overwrite=True)
    assert greys(photographs) == [0, 1, 2]


def test_edit_in_the_order_given(tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "edited.json"
    assert run("edit", tracks, "split:1@1", "merge:2+3", "class:robot", "relabel:2=robot", "--out", out) == 0
    assert "merge:2+3: several are seen in 1 frame, from 1 to 1" in capsys.readouterr().err
    file = read(out)
    assert [(track.id, track.category_id) for track in file.tracks] == [(1, 17), (2, 19)]
    assert file.info["edits"] == ["split:1@1", "merge:2+3", "class:robot", "relabel:2=robot"]
    assert run("edit", out, "delete:2", "--out", out) == 2
    assert run("edit", out, "delete:2", "--out", out, "--overwrite") == 2
    assert "edited.json: is read too" in capsys.readouterr().err
    assert run("edit", tracks, "delete:2", "--out", out, "--overwrite") == 0
    assert 2 not in [track.id for track in read(out).tracks]


def test_edit_says_which_tracks_got_other_numbers(
    tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(tracks.read_text())
    content["annotations"][0]["id"] = 0
    tracks.write_text(json.dumps(content))
    assert run("edit", tracks, "relabel:2=dog", "--out", tmp_path / "edited.json") == 0
    assert "lost: track ids: 1 track numbered anew: 0 → 1" in capsys.readouterr().err


def test_edit_writes_nothing_when_an_operation_fails(
    tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("edit", tracks, "delete:1", "delete:1", "--out", tmp_path / "edited.json") == 2
    assert "delete:1: there is no track 1; the file's are 2" in capsys.readouterr().err
    assert run("edit", tracks, "--out", tmp_path / "edited.json") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["tracks.json"]


def test_help_teaches_the_operations(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("edit", "--help")
    printed = capsys.readouterr().out
    assert all(spelling in printed for spelling in ("delete:3", "relabel:2=dog", "merge:1+4", "split:5@120"))
    with pytest.raises(SystemExit):
        run("convert", "--help")
    assert "mots-png" in capsys.readouterr().out
