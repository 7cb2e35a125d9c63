"""SA-V: frames that are annotated, objects of two files, and damaged variants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.cli import main
from chronomask.errors import InputError
from chronomask.formats.convert import read, write


def mask(*pixels: int) -> rle.Rle:
    drawn = np.zeros((4, 6), bool)
    drawn.flat[list(pixels)] = True
    return rle.encode(drawn)


def annotated(kind: str = "manual", **change: Any) -> dict[str, Any]:
    """Three annotated frames of ten; the second object comes into sight in the last."""
    return {
        "video_id": "sav_000007",
        "video_duration": 10 / 24,
        "video_frame_count": 10.0,
        "video_height": 4.0,
        "video_width": 6.0,
        "video_resolution": 24.0,
        "video_environment": "Indoor",
        "video_split": "train",
        "masklet": [[mask(0, 1), mask()], [mask(1), mask()], [mask(2), mask(8, 9, 10)]],
        "masklet_id": [0, 1],
        "masklet_type": [kind] * 2,
        "masklet_num": 2,
        **change,
    }


def written(folder: Path, content: dict[str, Any], kind: str = "manual") -> Path:
    file = folder / f"{content['video_id']}_{kind}.json"
    file.write_text(json.dumps(content))
    return file


def test_the_annotated_frames_are_those_of_the_video(tmp_path: Path) -> None:
    file = read(written(tmp_path, annotated()))
    (video,) = file.videos
    assert (video.name, video.width, video.height, video.length, video.fps) == ("sav_000007", 6, 4, 3, 6.0)
    assert file.info == {"source": {"every": 4}}
    assert [track.id for track in file.tracks] == [1, 2]
    assert file.tracks[1].segmentations == (None, None, mask(8, 9, 10))
    assert file.notes == ("3 of 10 frames are annotated: the others are left out, as no frames at all",)


def test_what_is_written_says_what_the_published_files_say(tmp_path: Path) -> None:
    write(read(written(tmp_path, annotated())), tmp_path / "out", "sa-v")
    content = json.loads((tmp_path / "out/sav_000007_manual.json").read_text())
    kept = ("video_id", "video_height", "video_width", "video_resolution", "masklet", "masklet_id", "masklet_type")
    assert {key: content[key] for key in kept} == {key: annotated()[key] for key in kept}
    assert (content["video_frame_count"], content["video_duration"]) == (3.0, 0.5)
    assert content["masklet_size_abs"] == [4 / 3, 3.0]
    assert content["masklet_visibility_changes"] == [0, 0]
    assert content["masklet_first_appeared_frame"] == [0, 2]
    assert content["masklet_size_bucket"] == ["small", "small"]


def test_objects_of_both_files_are_those_of_one_video(tmp_path: Path) -> None:
    written(tmp_path, annotated())
    written(tmp_path, annotated("auto", masklet=[[None, mask(3)]] * 3), "auto")
    file = read(tmp_path)
    assert len(file.videos) == 1
    assert [track.id for track in file.tracks] == [1, 2, 3, 4]
    assert file.tracks[2].segmentations == (None, None, None)
    assert file.notes[0] == "sav_000007: the objects of sav_000007_auto.json are counted on from 3"
    written(tmp_path, annotated("auto", video_width=8), "auto")
    with pytest.raises(InputError, match=r"_auto\.json: video_id: 'sav_000007' has another size, length or rate"):
        read(tmp_path)


def test_a_data_set_takes_the_annotated_frames_of_the_video(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(10):
        Image.new("L", (6, 4), 20 * number).save(tmp_path / f"frames/{number}.png")
    source = written(tmp_path, annotated())
    out, video = tmp_path / "set", tmp_path / "frames"
    assert main(["convert", str(source), str(out), "--to", "dataset", "--video", str(video)]) == 0
    levels = [np.asarray(Image.open(image))[0, 0, 0] for image in sorted((out / "JPEGImages/1").iterdir())]
    assert levels == [0, 80, 160]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video_id": None}, "video_id: None is no text"),
        ({"video_width": 6.5}, "video_width: 6.5 is no whole number from 1 to"),
        ({"video_height": "4"}, "video_height: '4' is no finite number"),
        ({"video_duration": 0}, "video_duration: 0 is not above 0"),
        ({"video_frame_count": 17.0}, "masklet: 3 frames of a video of 17: neither each nor every fourth"),
        ({"masklet": {}}, "masklet: {} is no list"),
        ({"masklet": [[mask(1), mask()]] * 2 + [[mask(1)]]}, r"masklet\[2\]: 1 masks: must be .* each of 2 masklet_id"),
        ({"masklet": [[mask(1), mask()]] * 2 + [7]}, r"masklet\[2\]: 7: must be"),
        ({"masklet": [[mask(1), 5]] * 3}, r"masklet\[0\]\[1\]: .*5"),
        (
            {"masklet": [[mask(1), {**mask(1), "size": [6, 4]}]] * 3},
            r"masklet\[0\]\[1\]: segmentation has size \[6, 4\]",
        ),
        ({"masklet_id": [0, 0]}, r"masklet_id\[1\]: 0 is no whole number from 0 that is there once"),
        ({"masklet_id": ["a", 0]}, r"masklet_id\[0\]: 'a' is no whole number"),
    ],
)
def test_damaged(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(annotated(**change)))
    with pytest.raises(InputError, match=message) as caught:
        read(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("key", ["video_id", "video_frame_count", "video_height", "masklet_id"])
def test_missing(tmp_path: Path, key: str) -> None:
    content = annotated()
    del content[key]
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"a\.json: {key}: missing"):
        read(tmp_path / "a.json")


def validation_set(root: Path) -> Path:
    """A video of nine frames. The first object is out of sight in frame 4, the second was drawn in frame 4 alone."""
    for number, frame, level in ((0, 0, 1), (0, 4, 0), (1, 4, 255)):
        folder = root / f"Annotations_6fps/sav_000009/{number:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4), level).save(folder / f"{frame:05d}.png")
    (root / "JPEGImages_24fps/sav_000009").mkdir(parents=True)
    for frame in range(9):
        (root / f"JPEGImages_24fps/sav_000009/{frame:05d}.jpg").touch()
    return root


def test_validation_sets(tmp_path: Path) -> None:
    file = read(validation_set(tmp_path))
    assert file == read(tmp_path / "Annotations_6fps")
    (video,) = file.videos
    assert (video.name, video.length) == ("sav_000009", 2)
    assert video.file_names == ("sav_000009/00000.jpg", "sav_000009/00004.jpg")
    assert [(track.id, [m is not None for m in track.segmentations]) for track in file.tracks] == [
        (1, [True, False]),
        (2, [False, True]),
    ]
    assert file.notes == ("2 of 9 frames are annotated: the others are left out, as no frames at all",)


def test_damaged_validation_sets(tmp_path: Path) -> None:
    video = validation_set(tmp_path) / "Annotations_6fps/sav_000009"
    Image.new("L", (5, 4)).save(video / "001/00004.png")
    with pytest.raises(InputError, match=r"sav_000009/001: is 5x4, but 000 is 6x4"):
        read(tmp_path)
    (video / "001/00004.png").unlink()
    with pytest.raises(InputError, match=r"sav_000009/001: holds no \.png files"):
        read(tmp_path)
    (video / "001").rename(video / "one")
    with pytest.raises(InputError, match=r"sav_000009/one: .* by its number, not 'one'"):
        read(tmp_path)
