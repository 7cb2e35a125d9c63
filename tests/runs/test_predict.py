"""A whole data set: ids of the data set, one entry a frame, and continuing behind finished videos."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chronomask.categories import LITE, OVIS, YTVIS_2019, Category
from chronomask.config import ClusterConfig, SegmentConfig
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_tracks
from chronomask.results import TrackInfo
from chronomask.runs.log import Log
from chronomask.runs.predict import predict
from chronomask.segmenter.segmenter import Segmenter
from segmenter.colour import COLOURS, ColourEngine


@pytest.fixture
def segmenter() -> Segmenter:
    """Takes what is red for a person, and what is blue for a car."""
    config = SegmentConfig(score=0.0, max_tracks=4, cluster=ClusterConfig(minimum_pixels=1))
    return Segmenter(ColourEngine(categories=LITE), config)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three videos of five small frames."""
    videos = []
    for number in range(1, 4):
        names = [f"v{number}/{frame:05d}.png" for frame in range(5)]
        for frame, name in enumerate(names):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            image = np.full((36, 50, 3), 10 * number, np.uint8)
            image[5:20, 5 * frame : 5 * frame + 15] = COLOURS["red"]
            image[24:36, 4:24] = COLOURS["blue"]
            Image.fromarray(image).save(tmp_path / name)
        videos.append({"id": 10 * number, "width": 50, "height": 36, "length": 5, "file_names": names})
    # The data set numbers its classes in its own way.
    categories = [{"id": 7, "name": "person"}, {"id": 8, "name": "dog"}, {"id": 0, "name": "object"}]
    (tmp_path / "instances.json").write_text(json.dumps({"videos": videos, "categories": categories}))
    return tmp_path


def change(data: Path, **fields: object) -> None:
    """Writes other fields into the annotation file."""
    file = data / "instances.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def run(segmenter: Segmenter, data: Path, out: Path, overwrite: bool = False) -> int:
    return predict(segmenter, data / "instances.json", data, out, overwrite=overwrite)


def test_predictions_carry_the_ids_of_the_data_set(segmenter: Segmenter, data: Path) -> None:
    found = run(segmenter, data, data / "out/tracks.json")
    tracks = read_tracks(data / "out/tracks.json")
    assert found == len(tracks.tracks)
    assert [track.id for track in tracks.tracks] == list(range(1, 7))
    # A car, of which the data set knows nothing, is an object.
    found = sorted((track.video_id, track.category_id) for track in tracks.tracks)
    assert found == [(video, category) for video in (10, 20, 30) for category in (0, 7)]
    assert all(len(track.segmentations) == 5 for track in tracks.tracks)
    assert len(read_tracks(data / "out/results.json").tracks) == 6
    assert sorted(path.name for path in (data / "out").iterdir()) == ["results.json", "tracks.json"]


def test_a_data_set_without_object_gets_the_best_of_its_classes(segmenter: Segmenter, data: Path) -> None:
    with_object = run(segmenter, data, data / "with/tracks.json")
    change(data, categories=json.loads((data / "instances.json").read_text())["categories"][:2])
    assert run(segmenter, data, data / "without/tracks.json") == with_object
    assert {track.category_id for track in read_tracks(data / "without/tracks.json").tracks} <= {7, 8}


@pytest.mark.parametrize(
    ("categories", "name", "number"),
    [
        ([Category(5, "Tennis_racket")], "tennis racket", 5),
        (YTVIS_2019, "car", 6),  # its sedan
        (OVIS, "bus", 25),
        (OVIS, "truck", 25),
    ],
)
def test_classes_become_the_categories_that_mean_them(
    segmenter: Segmenter,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    categories: Sequence[Category],
    name: str,
    number: int,
) -> None:
    allowed: list[str] = []

    def all_of_that_name(self: Segmenter, names: dict[str, Category]) -> list[TrackInfo]:
        allowed.extend(names)
        [category] = [category for category in self.categories if category.name == name]
        return [replace(info, category=category) for info in self.tracks]

    monkeypatch.setattr(Segmenter, "named", all_of_that_name)
    videos = json.loads((data / "instances.json").read_text())["videos"][:1]
    change(data, videos=videos, categories=[{"id": c.id, "name": c.name} for c in categories])
    run(segmenter, data, data / "out/tracks.json")
    assert {track.category_id for track in read_tracks(data / "out/tracks.json").tracks} == {number}
    assert name in allowed
    assert not {"fork", "mouse"} & set(allowed)  # COCO's mouse is none of the animals


def test_a_partial_run_of_another_data_set_is_refused(segmenter: Segmenter, data: Path) -> None:
    log = data / "out/tracks.json.partial/videos.jsonl"
    log.parent.mkdir(parents=True)
    Log(log, {"info": {}, "instances_sha256": "0"}, overwrite=False).close()
    with pytest.raises(InputError, match=r"checkpoint_sha256 None, .* give the same, or start anew by --overwrite"):
        run(segmenter, data, data / "out/tracks.json")
    assert run(segmenter, data, data / "out/tracks.json", overwrite=True) == 6
    assert sorted(path.name for path in (data / "out").iterdir()) == ["results.json", "tracks.json"]


def test_a_changed_byte_in_what_was_kept_is_noticed(
    segmenter: Segmenter, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("chronomask.runs.predict.write_results", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(segmenter, data, data / "out/tracks.json")
    log = data / "out/tracks.json.partial/videos.jsonl"
    kept = log.read_bytes()
    log.write_bytes(kept.replace(b'"category_id":7', b'"category_id":8', 1))
    with pytest.raises(InputError, match=r"videos\.jsonl: is damaged; delete its folder"):
        run(segmenter, data, data / "out/tracks.json")
    log.write_bytes(kept)
    run(segmenter, data, data / "out/tracks.json")


def test_a_killed_run_continues_behind_the_finished_videos(
    segmenter: Segmenter, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(segmenter, data, data / "whole/tracks.json")
    seen: list[str] = []
    segment = Segmenter.segment

    def killed_at_the_third(self: Segmenter, source: object, **options: bool) -> object:
        seen.append(source.name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return segment(self, source, **options)

    monkeypatch.setattr(Segmenter, "segment", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(segmenter, data, data / "cut/tracks.json")
    partial = data / "cut/tracks.json.partial/videos.jsonl"
    partial.write_bytes(partial.read_bytes() + b'{"video": 30, "tr')  # a line that was being written
    assert not (data / "cut/tracks.json").exists()
    run(segmenter, data, data / "cut/tracks.json")
    assert seen == ["v1", "v2", "v3", "v3"]
    assert (data / "cut/tracks.json").read_bytes() == (data / "whole/tracks.json").read_bytes()
    assert not partial.parent.exists()


def test_bad_data_names_its_place(segmenter: Segmenter, data: Path) -> None:
    content = json.loads((data / "instances.json").read_text())
    video = content["videos"][0]
    for fields, named in (
        ({"categories": [{"id": 1, "name": "unicorn"}]}, "categories"),
        ({"categories": [{"id": 1, "name": 5}]}, r"categories\[0\]\.name: 5 is no text"),
        ({"categories": ["person"]}, r"categories\[0\]: 'person' is no object"),
        ({"videos": [{**video, "width": 51}]}, "51x36"),
        ({"videos": [{**video, "file_names": ["v1/none.jpg"] * 5}]}, "none.jpg"),
        ({"videos": [{**video, "file_names": None}]}, r"videos\[0\]\.file_names: missing"),
        ({"videos": [{**video, "length": 4}]}, r"videos\[0\]\.file_names: 5 names for a video of 4 frames"),
        ({"videos": [{"id": 1}]}, r"videos\[0\]\.length: missing"),
        ({"videos": ["v1"]}, r"videos\[0\]: 'v1' is no object"),
        ({"videos": None}, "videos"),
    ):
        (data / "instances.json").write_text(json.dumps(content | fields))
        with pytest.raises(InputError, match=named):
            run(segmenter, data, data / "out/tracks.json")
        assert not (data / "out/tracks.json").exists()
        shutil.rmtree(data / "out/tracks.json.partial", ignore_errors=True)


def test_the_place_is_looked_at_before_the_work(
    segmenter: Segmenter, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Segmenter, "segment", lambda *_: pytest.fail("the work has begun"))
    (data / "val/results.json").mkdir(parents=True)
    (data / "file").touch()
    for out, named in (
        (data / "val", "val: it is a folder"),
        (data / "val/tracks.json", "results.json: it is a folder"),
        (data / "file/tracks.json", "cannot make the folder"),
    ):
        with pytest.raises(InputError, match=named):
            run(segmenter, data, out)
    assert not list(data.glob("*.partial"))


def test_a_full_disk_is_said_and_the_work_kept(
    segmenter: Segmenter, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("chronomask.runs.predict.write_results", full)
        with pytest.raises(InputError, match=r"tracks\.json: the disk is full.* make room and give the same"):
            run(segmenter, data, data / "out/tracks.json")
    monkeypatch.setattr(Segmenter, "segment", lambda *_: pytest.fail("the work was lost"))
    assert run(segmenter, data, data / "out/tracks.json") > 0


def test_a_data_set_need_not_say_the_length_of_its_videos(segmenter: Segmenter, data: Path) -> None:
    [video, *_] = json.loads((data / "instances.json").read_text())["videos"]
    del video["length"]
    change(data, videos=[video | {"fps": 6}])
    run(segmenter, data, data / "out/tracks.json")
    [entry] = read_tracks(data / "out/tracks.json").videos
    assert (entry.length, entry.fps) == (5, 6.0)
