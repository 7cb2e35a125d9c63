"""COCO json as CVAT and others write it for videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.formats.tubes import plain_file

from chronomask import rle
from chronomask.cli import main
from chronomask.data.sources import open_reader
from chronomask.errors import InputError
from chronomask.formats.convert import read, write

CASE = Path(__file__).with_name("cases") / "coco-cvat-track-id"


def changed(path: Path, name: str, change: Callable[[dict[str, Any]], object]) -> Path:
    content = json.loads((CASE / name).read_text())
    change(content)
    (path / "changed.json").write_text(json.dumps(content))
    return path / "changed.json"


def lefts(path: Path) -> list[tuple[int, list[int | None]]]:
    """Of every track its video, and where its mask begins in each frame."""
    return [
        (track.video_id, [None if mask is None else int(rle.bbox(mask)[0]) for mask in track.segmentations])
        for track in read(path).tracks
    ]


def test_the_track_ids_of_cvat() -> None:
    assert lefts(CASE / "track_id_attr.json") == [(1, [5, 6, 7])]


def test_shapes_outside_are_out_of_sight(tmp_path: Path) -> None:
    file = changed(tmp_path, "track_id_attr.json", lambda c: c["annotations"][1]["attributes"].update(outside=True))
    assert lefts(file) == [(1, [5, None, 7])]


def test_masks_that_datumaro_flags_are_objects_if_one_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = changed(tmp_path, "track_id_attr.json", lambda c: [a.update(iscrowd=1) for a in c["annotations"]])
    assert main(["convert", str(source), str(tmp_path / "a.json")]) == 0
    assert "note: 3 masks of tracks are crowds, as Datumaro and CVAT flag every mask" in capsys.readouterr().err
    assert main(["convert", str(source), str(tmp_path / "b.json"), "--crowds-as-objects"]) == 0
    assert "note" not in capsys.readouterr().err
    assert [track.crowd for name in "ab" for track in read(tmp_path / f"{name}.json").tracks] == [True, False]


def test_boxes_and_masks_that_are_written_agree_as_fiftyone_and_datumaro_need_it(tmp_path: Path) -> None:
    """FiftyOne cuts the mask out by the box; Datumaro keeps no further field but `attributes`."""
    write(plain_file(), tmp_path / "coco.json", "coco")
    content = json.loads((tmp_path / "coco.json").read_text())
    for annotation in content["annotations"]:
        left, top, width, height = (round(value) for value in annotation["bbox"])
        mask = rle.decode(annotation["segmentation"])
        assert mask[top : top + height, left : left + width].sum() == mask.sum() == annotation["area"]
    ids = [(annotation["instance_id"], annotation["attributes"]["track_id"]) for annotation in content["annotations"]]
    assert set(ids) == {(1, 1), (2, 2)}


def test_a_track_id_of_the_attributes_must_be_a_number(tmp_path: Path) -> None:
    file = changed(tmp_path, "track_id_attr.json", lambda c: c["annotations"][1]["attributes"].update(track_id="a"))
    with pytest.raises(InputError, match=r"annotations\[1\]\.attributes\.track_id: 'a' is no whole number"):
        read(file)
    file = changed(tmp_path, "track_id_attr.json", lambda c: c["annotations"][1].pop("attributes"))
    with pytest.raises(InputError, match=r"annotations\[1\]\.track_id: missing, and so is instance_id"):
        read(file)


def test_folders_are_videos_where_nothing_else_says_it(tmp_path: Path) -> None:
    file = read(CASE / "two_vids_noid.json")
    assert [(video.id, video.name, video.length) for video in file.videos] == [(1, "vid0", 3), (2, "vid1", 3)]
    assert lefts(CASE / "two_vids_noid.json") == [(1, [5, 6, 7]), (2, [5, 6, 7])]

    def one_video(content: dict[str, Any]) -> None:
        content["videos"] = [{"id": 4, "name": "both"}]
        for number, annotation in enumerate(content["annotations"]):
            annotation["track_id"] = 1 + number // 3

    assert [(v.id, v.name, v.length) for v in read(changed(tmp_path, "two_vids_noid.json", one_video)).videos] == [
        (4, "both", 6)
    ]


def test_videos_by_the_id_at_every_image(tmp_path: Path) -> None:
    def ids(content: dict[str, Any]) -> None:
        for number, image in enumerate(content["images"]):
            image["video_id"] = 7 + number % 2

    assert lefts(changed(tmp_path, "two_vids_noid.json", ids)) == [(7, [5, 7, 6]), (8, [6, 5, 7])]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["images"][0].update(video_id=1), r"images\[1\]\.video_id: missing, though 1 of the images have"),
        (lambda c: c.update(videos=[{"id": 1}, {"id": 2}]), r"videos\[0\]\.id: 1 is the video_id of no image"),
        (
            lambda c: c["images"][4].update(frame_id=1),
            r"images\[3\]\.frame_id: missing, though other images of its video have",
        ),
    ],
)
def test_what_only_some_images_say(tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(changed(tmp_path, "two_vids_noid.json", change))


def test_the_case_of_frames_with_and_without_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(CASE / "frame_some.json"), str(tmp_path / "t.json")]) == 2
    assert (
        "frame_some.json: images[1].frame_id: missing, though other images of its video have one"
        in capsys.readouterr().err
    )


def test_boxes_are_said_in_one_sentence(tmp_path: Path) -> None:
    def boxes(content: dict[str, Any]) -> None:
        content["annotations"][0]["segmentation"] = []
        del content["annotations"][2]["segmentation"]

    file, sentence = changed(tmp_path, "track_id_attr.json", boxes), "annotations: 2 of 3 are boxes without a mask"
    with pytest.raises(InputError, match=sentence):
        read(file)
    with pytest.raises(InputError, match=sentence):
        open_reader(file, None, images=tmp_path)
    broken = open_reader(file, None, images=tmp_path, skip_broken=True)
    assert broken.skipped == [f"{file}: {sentence} (segmentation)"]
    assert [len(broken.instances(index)) for index in range(3)] == [0, 1, 0]


def test_boxes_of_videos_too(tmp_path: Path) -> None:
    video = {"id": 1, "width": 64, "height": 48, "length": 2}
    annotation = {"id": 1, "video_id": 1, "category_id": 1, "iscrowd": 0, "bboxes": [[1, 1, 5, 5], None]}
    content = {"videos": [video], "categories": [{"id": 1, "name": "cat"}], "annotations": [annotation]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"annotations: 1 of 1 are boxes without a mask \(segmentations\)"):
        read(tmp_path / "a.json")


def test_areas_that_nobody_states_are_those_of_the_masks(tmp_path: Path) -> None:
    path = changed(tmp_path, "track_id_attr.json", lambda c: [entry.pop("area", None) for entry in c["annotations"]])
    assert [track.areas for track in read(path).tracks] == [None]  # and not 0, by which every object would be small
