"""BURST: frames that are annotated, classes that are searched for, what its evaluator reads, and damaged variants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.formats.tubes import plain_file
from trackeval.datasets.burst_helpers import format_converter

from chronomask import rle
from chronomask.errors import InputError
from chronomask.formats.convert import read, write

HAND = rle.encode(np.eye(4, dtype=bool))["counts"]
NAMES = {1: "cat", 2: "dog", 3: "fork", 4: "sofa"}


def sequence(**change: Any) -> dict[str, Any]:
    """Two annotated frames of seven at 30 a second. A person drew track 1, a program track 2."""
    return {
        "id": 12,
        "dataset": "LaSOT",
        "seq_name": "cat-3",
        "width": 4,
        "height": 4,
        "fps": 30,
        "all_image_paths": [f"{number:08d}.jpg" for number in range(1, 8)],
        "annotated_image_paths": ["00000001.jpg", "00000007.jpg"],
        "neg_category_ids": [3, 900],
        "not_exhaustive_category_ids": [2],
        "track_category_ids": {"1": 1, "2": 2},
        "segmentations": [
            {"1": {"rle": HAND, "is_gt": True, "score": -1}, "2": {"rle": HAND, "is_gt": False, "score": 0.5}},
            {"2": {"rle": HAND, "is_gt": False, "score": 0.75}},
        ],
        **change,
    }


def written(folder: Path, *sequences: dict[str, Any], **change: Any) -> Path:
    categories = [{"id": number, "name": name, "synset": f"{name}.n.01"} for number, name in NAMES.items()]
    file = folder / "all_classes.json"
    file.write_text(json.dumps({"sequences": sequences, "categories": categories, "split": "val", **change}))
    return file


def test_annotated_frames_and_classes(tmp_path: Path) -> None:
    file = read(written(tmp_path, sequence()))
    (video,) = file.videos
    assert (video.id, video.name, video.length, video.fps) == (12, "LaSOT/cat-3", 2, 5.0)
    assert video.file_names == ("LaSOT/cat-3/00000001.jpg", "LaSOT/cat-3/00000007.jpg")
    assert video.labelled_classes == ("cat", "fork")  # not every dog has a track, and nobody looked for sofas
    assert [(track.id, track.category_id, track.score) for track in file.tracks] == [(1, 1, 1.0), (2, 2, 0.625)]
    assert [mask is not None for mask in file.tracks[0].segmentations] == [True, False]
    assert file.info == {"split": "val"}
    assert file.notes == ("2 of 7 frames are annotated: the others are left out, as no frames at all",)


def test_classes_survive(tmp_path: Path) -> None:
    file = read(written(tmp_path, sequence()))
    write(file, tmp_path / "back.json", "burst")
    assert read(tmp_path / "back.json") == file
    (back,) = json.loads((tmp_path / "back.json").read_text())["sequences"]
    kept = ("dataset", "seq_name", "annotated_image_paths", "not_exhaustive_category_ids", "track_category_ids")
    assert {key: back[key] for key in kept} == {key: sequence()[key] for key in kept}
    assert back["neg_category_ids"] == [3]


def test_track_ids_repeat_from_sequence_to_sequence(tmp_path: Path) -> None:
    file = read(written(tmp_path, sequence(), sequence(id=13, seq_name="cat-4")))
    assert [track.id for track in file.tracks] == [1, 2, 3, 4]
    assert file.notes[-1] == "track ids repeat from video to video: 4 tracks counted from 1"


def test_the_evaluator_of_burst_reads_what_is_written(tmp_path: Path) -> None:
    file = read(written(tmp_path, sequence()))
    write(file, tmp_path / "back.json", "burst")
    content = json.loads((tmp_path / "back.json").read_text())
    truth = format_converter.GroundTruthBURSTFormatToTAOFormatConverter(content).convert()
    assert [image["file_name"][-24:] for image in truth["images"]] == [f"LaSOT/cat-3/{n:08d}.jpg" for n in (1, 7)]
    found = format_converter.PredictionBURSTFormatToTAOFormatConverter(truth, content, False).convert()
    assert [(one["image_id"], one["track_id"], one["category_id"]) for one in found] == [
        (0, 1, 1),
        (0, 2, 2),
        (1, 2, 2),
    ]
    assert [one["score"] for one in found] == [1.0, 0.625, 0.625]


def test_paths_outside_the_folder_of_the_sequence(tmp_path: Path) -> None:
    file = plain_file()
    (tmp_path / "a.json").write_text("{}")
    write(file, tmp_path / "a.json", "burst", overwrite=True)
    content = json.loads((tmp_path / "a.json").read_text())
    content["sequences"][0]["annotated_image_paths"][0] = content["sequences"][0]["all_image_paths"][0] = "../x/1.jpg"
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert (read(tmp_path / "a.json").videos[0].file_names or ("",))[0] == "x/1.jpg"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "12"}, "id: '12' is no whole number"),
        ({"width": 0}, "width: 0 is no whole number from 1"),
        ({"seq_name": ""}, "seq_name: '' is no text"),
        ({"fps": "30"}, "fps: '30' is no finite number"),
        ({"annotated_image_paths": []}, "annotated_image_paths: is empty"),
        ({"annotated_image_paths": ["1.jpg", "2.jpg"]}, "annotated_image_paths: '1.jpg' is none of all_image_paths"),
        ({"segmentations": [{}]}, "segmentations: 1 frames, of 2 annotated_image_paths"),
        ({"segmentations": [{}, 3]}, r"segmentations\[1\]: 3 is no object"),
        ({"segmentations": [{}, {"1": "?"}]}, r"segmentations\[1\]\.1: '\?' is no object"),
        ({"segmentations": [{}, {"7": {"rle": HAND}}]}, r"segmentations\[1\]\.7: is no track of track_category_ids"),
        ({"segmentations": [{}, {"1": {}}]}, r"segmentations\[1\]\.1\.rle: missing"),
        ({"segmentations": [{}, {"1": {"rle": 3}}]}, r"segmentations\[1\]\.1\.rle: 3 is no text"),
        ({"segmentations": [{}, {"1": {"rle": HAND[:2]}}]}, r"segmentations\[1\]\.1\.rle: run lengths .* add up"),
        (
            {"segmentations": [{"2": {"rle": HAND, "score": "x"}}, {}]},
            r"segmentations\[0\]\.2\.score: 'x' is no finite",
        ),
        ({"track_category_ids": None}, "track_category_ids: missing"),
        ({"track_category_ids": [1]}, r"track_category_ids: \[1\] is no object"),
        ({"track_category_ids": {"a": 1}}, "track_category_ids: 'a' is no whole number"),
        ({"track_category_ids": {"1": 1, "2": 9}}, "track_category_ids.2: 9 is no known category"),
        ({"neg_category_ids": ["cat"]}, "neg_category_ids: 'cat' is no whole number"),
    ],
)
def test_damaged(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = written(tmp_path, sequence(**change))
    with pytest.raises(InputError, match=rf"all_classes\.json: sequences\[0\]\.{message}"):
        read(file)


def test_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sequences\[1\]\.id: 12 is the id of an earlier entry too"):
        read(written(tmp_path, sequence(), sequence()))
    with pytest.raises(InputError, match=r"categories\[0\]\.id: 'a' is no whole number"):
        read(written(tmp_path, sequence(), categories=[{"id": "a", "name": "cat"}]))
    with pytest.raises(InputError, match=r"sequences: \{\} is no list"):
        read(written(tmp_path, sequences={}))
