import json
from dataclasses import replace

import numpy as np
import pytest

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.categories import Category
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_tracks, write_results, write_tracks

VIDEO = VideoEntry(1, "kätzchen", width=6, height=4, length=3, fps=25.0)
FOLDER = VideoEntry(2, "frames", width=5, height=3, length=2, fps=12.5, file_names=("a/1.jpg", "a/2.jpg"))
CATEGORIES = (Category(0, "object"), Category(17, "cat"))


def square(height, width):
    mask = np.zeros((height, width), dtype=bool)
    mask[1:3, 2:5] = True
    return rle.encode(mask)


TRACKS = (
    Track(1, 1, 17, 0.5, (None, square(4, 6), None)),
    Track(2, 2, 0, 1.0, (square(3, 5), rle.encode(np.zeros((3, 5), dtype=bool)))),
)


def test_tracks_come_back(tmp_path):
    path, tracks = tmp_path / "tracks.json", (TRACKS[0], replace(TRACKS[1], class_score=0.75))
    write_tracks(path, (VIDEO, FOLDER), CATEGORIES, iter(tracks), {"version": "0.1.0"})
    assert read_tracks(path) == TracksFile(tracks, (VIDEO, FOLDER), CATEGORIES, {"version": "0.1.0"})


def test_tracks_file_is_a_youtube_vis_annotation_file(tmp_path):
    path = tmp_path / "tracks.json"
    write_tracks(path, (VIDEO, FOLDER), CATEGORIES, TRACKS, {})
    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(content) == ["info", "videos", "categories", "annotations"]
    assert content["videos"][0] == {"id": 1, "name": "kätzchen", "width": 6, "height": 4, "length": 3, "fps": 25.0}
    assert content["videos"][1]["file_names"] == ["a/1.jpg", "a/2.jpg"]
    first = content["annotations"][0]
    assert list(first) == ["id", "video_id", "category_id", "score", "segmentations", "iscrowd", "areas", "bboxes"]
    assert first["areas"] == [None, 6, None]
    assert first["bboxes"] == [None, [2.0, 1.0, 3.0, 2.0], None]
    assert content["annotations"][1]["areas"] == [6, 0]


def test_results_come_back_numbered_from_one(tmp_path):
    path = tmp_path / "results.json"
    write_results(path, (VIDEO, FOLDER), TRACKS)
    assert set(json.loads(path.read_text())[0]) == {"video_id", "category_id", "score", "segmentations"}
    file = read_tracks(path)
    assert file.tracks == TRACKS
    assert [(video.id, video.width, video.height, video.length) for video in file.videos] == [
        (1, 6, 4, 3),
        (2, 5, 3, 2),
    ]


def test_nothing_found(tmp_path):
    write_tracks(tmp_path / "tracks.json", (VIDEO,), CATEGORIES, (), {})
    write_results(tmp_path / "results.json", (VIDEO,), ())
    assert read_tracks(tmp_path / "tracks.json").tracks == ()
    assert read_tracks(tmp_path / "results.json").tracks == ()


@pytest.mark.parametrize(
    ("track", "message"),
    [
        (Track(0, 1, 17, 0.5, (None,) * 3), "below 1"),
        (Track(1, 9, 17, 0.5, (None,) * 3), "video_id 9"),
        (Track(1, 1, 18, 0.5, (None,) * 3), "category_id 18"),
        (Track(1, 1, 17, float("nan"), (None,) * 3), "score nan"),
        (Track(1, 1, 17, 0.5, (None,) * 2), "2 segmentations, video kätzchen 3 frames"),
        (Track(1, 1, 17, 0.5, (square(6, 4), None, None)), r"size \[6, 4\]"),
    ],
)
def test_wrong_tracks_are_not_written(tmp_path, track, message):
    with pytest.raises(ValueError, match=message):
        write_tracks(tmp_path / "tracks.json", (VIDEO,), CATEGORIES, (track,), {})
    assert list(tmp_path.iterdir()) == []


def test_an_id_used_twice(tmp_path):
    with pytest.raises(ValueError, match="used twice"):
        write_results(tmp_path / "results.json", (VIDEO,), (TRACKS[0], TRACKS[0]))


GOOD_RESULT = {"video_id": 1, "category_id": 17, "score": 0.5, "segmentations": [None, dict(square(4, 6)), None]}


def whole_file(**change):
    annotation = {"id": 1, **GOOD_RESULT, **change}
    video = {"id": 1, "width": 6, "height": 4, "length": 3, "file_names": ["deer/0.jpg", "deer/1.jpg", "deer/2.jpg"]}
    return {"videos": [video], "categories": [{"id": 17, "name": "cat"}], "annotations": [annotation]}


def with_video(**change):
    content = whole_file()
    content["videos"][0] |= change
    return content


def test_video_without_a_name_is_known_by_its_folder(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(whole_file()))
    read = read_tracks(tmp_path / "a.json")
    assert read.videos[0].name == "deer"
    assert read.videos[0].fps is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (3, "is needed, this is 3"),
        ({}, "bad.json: categories: missing"),
        ([3], r"results\[0\]: 3 is no object"),
        ([{**GOOD_RESULT, "score": "high"}], r"results\[0\].score: 'high' is no finite number"),
        ([{**GOOD_RESULT, "category_id": 1.5}], "category_id: 1.5 is no whole number"),
        ([{**GOOD_RESULT, "segmentations": None}], "segmentations: None is no list, one mask a frame"),
        (
            [{**GOOD_RESULT, "segmentations": [[[1, 2, 3, 4, 5, 6]]]}],
            r"results\[0\].segmentations\[0\]: run lengths with a size \[height, width\] are needed",
        ),
        ([{**GOOD_RESULT, "segmentations": [{"size": [2, 2], "counts": [3]}]}], "add up to 3"),
        ([{"video_id": 1}], r"results\[0\].category_id: missing"),
        (whole_file(video_id=4), r"annotations\[0\].video_id: 4 is no known video"),
        (whole_file(segmentations=[None]), "1 masks for a video of 3 frames"),
        (whole_file(id="x"), "id: 'x' is no whole number"),
        (with_video(length=4), r"videos\[0\].file_names: 3 names for a video of 4 frames"),
        (with_video(fps="fast"), r"videos\[0\].fps: 'fast' is no finite number"),
        (whole_file(segmentations=[{"size": [6, 4], "counts": "x"}, None, None]), r"\[0\]: .* the image is \[4, 6\]"),
    ],
)
def test_refused_files_name_file_entry_and_field(tmp_path, content, message):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        read_tracks(path)
    assert str(path) in str(caught.value)


def test_no_json(tmp_path):
    (tmp_path / "bad.json").write_text('{"videos": [')
    with pytest.raises(InputError, match=r"not json: .*line 1"):
        read_tracks(tmp_path / "bad.json")
    with pytest.raises(InputError, match="no such file"):
        read_tracks(tmp_path / "none.json")


def test_lvvis_written_on_windows(tmp_path):
    """LV-VIS (haochenheheda/LVVIS): its own reader splits the names of frames at backslashes."""
    square = [[1, 1, 4, 1, 4, 3, 1, 3]]
    names = ["00012\\00000.jpg", "00012\\00001.jpg"]
    annotation = {"id": 3, "video_id": 12, "category_id": 1196, "iscrowd": 0, "avg_area": 6.0}
    content = {
        "info": {"description": "LV-VIS"},
        "licenses": [],
        "videos": [{"id": 12, "width": 8, "height": 6, "length": 2, "file_names": names, "license": 1}],
        "categories": [{"id": 1196, "name": "zucchini", "freq": "rare", "partition": 2}],
        "annotations": [{**annotation, "segmentations": [square, None], "areas": [6.0, None], "bboxes": [None, None]}],
    }
    (tmp_path / "val_instances.json").write_text(json.dumps(content))
    file = read_tracks(tmp_path / "val_instances.json")
    assert (file.videos[0].name, file.videos[0].file_names) == ("00012", ("00012/00000.jpg", "00012/00001.jpg"))
    assert file.categories == (Category(1196, "zucchini"),)
    assert [mask and rle.area(mask) for mask in file.tracks[0].segmentations] == [6, None]
    content["annotations"][0]["category_id"] = 1197
    (tmp_path / "val_instances.json").write_text(json.dumps(content))
    with pytest.raises(
        InputError, match=r"val_instances\.json: annotations\[0\]\.category_id: 1197 is no known category"
    ):
        read_tracks(tmp_path / "val_instances.json")
