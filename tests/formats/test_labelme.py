"""LabelMe as people use it: without group ids, with every shape that has an area, with holes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.formats.tubes import plain_file

from chronomask import rle
from chronomask.annotations.records import TracksFile
from chronomask.cli import main
from chronomask.data.info import dataset_info
from chronomask.errors import InputError
from chronomask.formats.assumed import Assumed
from chronomask.formats.convert import read, write
from chronomask.formats.joining import joined
from chronomask.formats.polygons import filled, outlines

CASE = Path(__file__).with_name("cases") / "labelme-null-group"


def square(label: str, left: float, group: int | None = None, **change: Any) -> dict[str, Any]:
    points = [[left, 2], [left + 10, 2], [left + 10, 12], [left, 12]]
    return {"label": label, "points": points, "group_id": group, "shape_type": "polygon", **change}


def folder(path: Path, *frames: Sequence[dict[str, Any]]) -> TracksFile:
    for number, shapes in enumerate(frames):
        content = {"imagePath": f"{number}.jpg", "imageHeight": 20, "imageWidth": 60, "shapes": list(shapes)}
        (path / f"{number}.json").write_text(json.dumps(content))
    return read(path)


def lefts(file: TracksFile) -> list[list[int | None]]:
    """Of every track, where its mask begins in each frame."""
    return [[None if mask is None else int(rle.bbox(mask)[0]) for mask in t.segmentations] for t in file.tracks]


def test_the_case_without_group_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(CASE / "frames"), str(tmp_path / "t.json")]) == 0
    note = "note: frames: 6 shapes without group_id joined by label and overlap: 2 tracks\n"
    assert note in capsys.readouterr().err
    file = read(tmp_path / "t.json")
    names = {category.id: category.name for category in file.categories}
    assert [names[track.category_id] for track in file.tracks] == ["car", "dog"]
    assert lefts(file) == [[5, 6, 7], [30, 31, 32]]


def pictures(path: Path, *sizes: tuple[int, int]) -> Path:
    """One dog in each of some photographs of these widths and heights, numbered by nobody."""
    path.mkdir()
    for number, (width, height) in enumerate(sizes):
        Image.new("RGB", (width, height)).save(path / f"{number}.jpg")
        content = {
            "imagePath": f"{number}.jpg",
            "imageHeight": height,
            "imageWidth": width,
            "shapes": [square("dog", 2)],
        }
        (path / f"{number}.json").write_text(json.dumps(content))
    return path


def test_photographs_are_stills(tmp_path: Path) -> None:
    mixed, equal = pictures(tmp_path / "mixed", (60, 20), (50, 30)), pictures(tmp_path / "equal", (60, 20), (60, 20))
    for source, frames in ((mixed, 1), (equal, 2), (f"{equal},stills", 1), (f"{mixed},stills", 1)):
        info = dataset_info(Path(source))
        assert (info.entries, info.lengths, info.problems) == (2 // frames, (frames, frames, frames), ())
        assert (info.instances, info.masks) == (2 // frames, 2)
        said = "2 pictures read as stills" if frames == 1 else "2 pictures read as frames of one video; if they are sep"
        assert said in " ".join(info.notes)
    write(read(equal), tmp_path / "other.json")
    with pytest.raises(InputError, match="stills is for LabelMe folders"):
        dataset_info(Path(f"{tmp_path / 'other.json'},stills"))


def test_photographs_become_stills_of_coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    equal = pictures(tmp_path / "equal", (60, 20), (60, 20))
    assert main(["convert", str(equal), str(tmp_path / "coco.json"), "--to", "coco", "--stills"]) == 0
    assert f"names of pictures are relative to {equal}; where they are needed, say --images" in capsys.readouterr().err
    assert main(["convert", str(equal), str(equal / "coco.json"), "--to", "coco", "--stills"]) == 0
    assert "names of pictures" not in capsys.readouterr().err
    (equal / "coco.json").unlink()
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["0.jpg", "1.jpg"]
    assert len({annotation["image_id"] for annotation in content["annotations"]}) == 2
    assert dataset_info(tmp_path / "coco.json", images=equal).entries == 2


def test_sizes_differ_in_no_video_whose_tracks_are_numbered(tmp_path: Path) -> None:
    path = pictures(tmp_path / "mixed", (60, 20), (50, 30))
    for file in path.glob("*.json"):
        file.write_text(file.read_text().replace('"group_id": null', '"group_id": 1'))
    with pytest.raises(InputError, match=r"width and height are \(50, 30\), of an earlier frame of mixed \(60, 20\)"):
        read(path)


def test_the_case_of_a_circle() -> None:
    file = read(CASE / "circle")
    assert file.notes == ()
    for mask in file.tracks[0].segmentations:
        assert mask is not None
        assert rle.bbox(mask) == (15, 15, 10, 10)
        assert rle.area(mask) == pytest.approx(np.pi * 25, abs=4)


def test_objects_of_one_label_are_told_apart_by_overlap(tmp_path: Path) -> None:
    frames = [[square("dog", 5), square("dog", 12)], [square("dog", 14), square("dog", 7)], [square("dog", 9)]]
    assert lefts(folder(tmp_path, *frames)) == [[5, 7, 9], [12, 14, None]]


def test_the_best_sum_counts_and_not_the_first_come() -> None:
    def masks(*lefts: int) -> list[tuple[str, rle.Rle]]:
        pixels = np.arange(40)
        return [("dog", rle.encode(np.tile((pixels >= left) & (pixels < left + 10), (4, 1)))) for left in lefts]

    # Greedily 3 goes on as 5 (IoU 0.67), which leaves 9 and 0 (0.05) to each other.
    assert joined([masks(3, 9), masks(0, 5)]) == [[0, 1], [0, 1]]
    assert joined([masks(3, 12), masks(4, 0)]) == [[0, 1], [0, 2]]


def test_labels_are_never_joined_and_a_gap_begins_a_track(tmp_path: Path) -> None:
    frames = [[square("dog", 5)], [square("cat", 5)], [square("dog", 5)], [square("dog", 16)]]
    found = lefts(folder(tmp_path, *frames))
    assert found == [[5, None, None, None], [None, 5, None, None], [None, None, 5, None], [None, None, None, 16]]


def test_groups_keep_their_ids_beside_shapes_without(tmp_path: Path) -> None:
    file = folder(tmp_path, [square("dog", 5, 7), square("cat", 30)], [square("cat", 31), square("dog", 40, 7)])
    assert [track.id for track in file.tracks] == [7, 8]
    assert lefts(file) == [[5, 40], [30, 31]]
    assert file.notes == (f"{tmp_path.name}: 2 shapes without group_id joined by label and overlap: 1 track",)


def test_old_files_have_no_group_ids_and_no_kinds(tmp_path: Path) -> None:
    shape = square("dog", 5)
    del shape["group_id"], shape["shape_type"]
    assert lefts(folder(tmp_path, [shape])) == [[5]]


def test_a_size_that_is_null_is_that_of_the_pictures(tmp_path: Path) -> None:
    content = {"imagePath": "0.jpg", "imageHeight": None, "imageWidth": None, "shapes": [square("dog", 5)]}
    (tmp_path / "0.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"0\.json: .* has no size; give --size WIDTHxHEIGHT, or its video or frames"):
        read(tmp_path, "labelme")
    assert lefts(read(tmp_path, "labelme", Assumed(size=(60, 20)))) == [[5]]


@pytest.mark.parametrize("kind", ["oriented_rectangle", "rotation", "rectangle"])
def test_rectangles_of_four_corners(tmp_path: Path, kind: str) -> None:
    file = folder(tmp_path, [square("dog", 5, shape_type=kind)])
    assert rle.area(file.tracks[0].segmentations[0] or {}) == 100


def test_shapes_without_an_area_are_left_out_and_counted(tmp_path: Path) -> None:
    point = {"label": "eye", "points": [[3, 3]], "group_id": None, "shape_type": "point"}
    file = folder(tmp_path, [square("dog", 5, 1), point], [point])
    assert lefts(file) == [[5, None]]
    assert file.notes == ("2 shapes without an area (points, lines) left out",)


def test_holes_go_there_and_back(tmp_path: Path) -> None:
    mask = np.zeros((7, 9), bool)
    mask[0:7, 1:9], mask[1:4, 2:5], mask[2, 3], mask[5, 6:8] = True, False, True, False
    before = plain_file()
    track = before.tracks[0]
    file = type(before)((type(track)(1, 1, 17, 1.0, (rle.encode(mask), None, None)),), before.videos, before.categories)
    losses = write(file, tmp_path / "out", "labelme")
    assert not any("exact pixels" in loss for loss in losses)
    np.testing.assert_array_equal(rle.decode(read(tmp_path / "out").tracks[0].segmentations[0] or {}), mask)


def test_outlines_of_any_mask_are_exact_before_they_are_simplified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chronomask.formats.polygons.TOLERANCE", 0)
    for seed in range(20):
        mask = np.random.default_rng(seed).random((17, 23)) > 0.02 * seed + 0.3
        np.testing.assert_array_equal(rle.decode(filled(outlines(mask), 17, 23)), mask)
