"""Damaged files of every format: the error names file, entry, field and value."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.formats.tubes import JSON, plain_file

from chronomask import rle
from chronomask.errors import InputError
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Format
from chronomask.formats.convert import read, write


def written(tmp_path: Path, format: Format) -> Path:
    path = tmp_path / ("tracks.json" if format in JSON else format)
    write(plain_file(), path, format)
    return path


def replaced(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def refused(path: Path, format: Format, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(path, format)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 17001 17 7 9", "line 1: must hold frame, id, class, height, width and run lengths"),
        ("x 17001 17 7 9 d1", "line 1.frame: 'x' is no whole number from 0"),
        ("0 17001 17 -7 9 d1", "line 1.height: '-7' is no whole number from 1"),
        ("0 5 17 7 9 o1\n1 5 18 7 9 o1", "id 5 is of class 17, and of class 18"),
        ("0 17001 17 7 9 d1", "line 1.counts: run lengths of a segmentation add up to 52, not to 7 x 9 = 63"),
        ("0 17001 17 0 9 d1", "line 1.height: 0 is no whole number from 1"),
        ("0 17001 17 7 9 o1\n0 17001 17 7 9 o1", "line 2.id: 17001 is in frame 0 already"),
        ("0 17001 17 7 9 o1\n1 17001 17 9 7 o1", r"line 2.height: a mask of \[9, 7\] .* at first \[7, 9\]"),
        ("0 17001 17 7 9 ö", "cannot be read as text"),
        ("1000000000000 17001 17 7 9 o1", "line 1.frame: 1000000000000 > 10000000"),
        (f"0 {'9' * 5000} 17 7 9 o1", "line 1.id: '9{56}... is no whole number"),
        ("0 17001 17 7 1000000 o1", "line 1.width: 1000000 > 32768"),
        ("", "holds no text file with a mask"),
    ],
)
def test_mots_text(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "clip.txt").write_text(line + "\n", encoding="utf-8")
    refused(tmp_path / "clip.txt", "mots-text", message)


def test_mots_text_of_the_challenge_counts_from_one(tmp_path: Path) -> None:
    mask = rle.encode(np.eye(3, dtype=bool))
    (tmp_path / "gt.txt").write_text(f"1 2001 2 3 3 {mask['counts']}\n4 10000 10 3 3 {mask['counts']}\n")
    file = read(tmp_path / "gt.txt", assumed=Assumed(first_frame=1, length=6))
    assert file.videos[0].length == 6
    assert [(c.id, c.name) for c in file.categories] == [(1, "car"), (2, "pedestrian")]
    assert [(t.id, t.category_id, t.crowd) for t in file.tracks] == [(1, 2, False), (2, 2, True)]
    assert file.tracks[0].segmentations == (mask, *[None] * 5)
    with pytest.raises(InputError, match=r"line 1\.frame: 1 is no whole number from 2"):
        read(tmp_path / "gt.txt", assumed=Assumed(first_frame=2))
    with pytest.raises(InputError, match="has masks in 4 frames, more than the 3 of --length"):
        read(tmp_path / "gt.txt", assumed=Assumed(first_frame=1, length=3))


@pytest.mark.parametrize("format", ["davis", "mots-png"])
def test_png(tmp_path: Path, format: Format) -> None:
    file = written(tmp_path, format) / "clip/00001.png"
    good = file.read_bytes()
    file.write_bytes(good[:40])
    refused(file.parent.parent, format, "00001.png: cannot be read as an image")
    Image.new("RGB", (9, 7)).save(file)
    refused(file.parent.parent, format, "00001.png: must be .* its pixels are of the kind 'RGB'")
    Image.fromarray(np.zeros((8, 9), np.uint8 if format == "davis" else np.uint16)).save(file)
    refused(file.parent.parent, format, "00001.png: is 9x8, but 00000.png is 9x7")
    file.parent.rename(tmp_path / "elsewhere")
    refused(tmp_path / format, format, "neither the folder nor a sub-folder holds .png files")


def test_davis_reads_grey_masks_of_one_object(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 3), 255, np.uint8)).save(tmp_path / "0.png")
    file = read(tmp_path)
    assert [(track.id, rle.area(track.segmentations[0] or {})) for track in file.tracks] == [(255, 6)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"images":[{"id":1', '"images":[{"id":"1"', r"images\[0\].id: '1' is no whole number"),
        ('"images":[{"id":1', '"images":[{"id":2', r"images\[1\].id: 2 is the id of an earlier entry"),
        ('"file_name":"clip/00000.jpg"', '"file":1', r"images\[0\].file_name: missing"),
        ('"image_id":2', '"image_id":9', r"annotations\[1\].image_id: 9 is no known image"),
        ('"image_id":2', '"image_id":1', r"annotations\[1\].track_id: 1 is that of an earlier annotation of the frame"),
        ('"category_id":17', '"category_id":4', r"annotations\[0\].category_id: 4 is no known category"),
        (
            '"instance_id":1,"attributes":{"track_id":1}',
            '"object":1',
            r"annotations\[0\].track_id: missing, and so is instance_id",
        ),
        ('"size":[7,9]', '"size":[9,7]', r"annotations\[0\].segmentation: segmentation has size \[9, 7\]"),
        ('"score":1.0', '"score":"high"', r"annotations\[0\].score: 'high' is no finite number"),
    ],
)
def test_coco(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = written(tmp_path, "coco")
    replaced(file, old, new)
    refused(file, "coco", message)


def test_coco_frames_of_one_video(tmp_path: Path) -> None:
    file = written(tmp_path, "coco")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"annotations": []}))
    replaced(file, '"width": 9, "height": 7}', '"width": 8, "height": 7}')
    refused(file, "coco", r"images\[1\].width: width and height are \(9, 7\), of an earlier frame of clip \(8, 7\)")
    content = json.loads(file.read_text())
    content["images"] = [{**image, "width": 9} for image in content["images"]]
    content["images"][1].pop("frame_id")
    file.write_text(json.dumps(content))
    refused(file, "coco", r"images\[1\].frame_id: missing, though other images of its video have one")
    content["images"] = []
    file.write_text(json.dumps(content))
    refused(file, "coco", "images: is empty")


def test_coco_of_others(tmp_path: Path) -> None:
    """No videos, frames by file name, `track_id`, polygons and no scores."""
    content = {
        "images": [{"id": n, "file_name": f"a/{n}.jpg", "width": 8, "height": 6} for n in (10, 9)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"image_id": 9, "track_id": 5, "category_id": 1, "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]},
            {"image_id": 10, "track_id": 5, "category_id": 1, "segmentation": [[1, 1, 4, 1, 4, 4, 1, 4]]},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    file = read(tmp_path / "a.json")
    assert (file.videos[0].name, file.videos[0].file_names) == ("a", ("a/9.jpg", "a/10.jpg"))
    assert (file.tracks[0].id, file.tracks[0].score) == (5, 1.0)
    assert [rle.area(mask or {}) for mask in file.tracks[0].segmentations] == [6, 9]


SHAPE = {"label": "cat", "group_id": 1, "shape_type": "polygon", "points": [[1, 1], [4, 1], [4, 3]]}


def picture(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.full((height, width), 255, np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def labelme(folder: Path, *shapes: dict, **change: object) -> Path:
    content = {"imagePath": "0.jpg", "imageHeight": 6, "imageWidth": 8, "shapes": list(shapes), **change}
    (folder / "0.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group_id": "a"}, "group_id: 'a' is no whole number"),
        ({"label": 3}, "label: 3 is no text"),
        ({"points": [[1, 1], [4, 1]]}, "a polygon of 2 points; it needs 3"),
        ({"points": [[1, 1], [4, 1], 3]}, r"points: 3 is no pair \[x, y\] of numbers"),
        ({"points": [[1, 1], [4, 1], [4, "x"]]}, r"points: \[4, 'x'\] is no pair \[x, y\] of numbers"),
        ({"shape_type": "ellipse"}, "shape_type: 'ellipse' is not known; known are polygon,"),
        ({"shape_type": "circle", "points": [[1, 1]]}, "a circle of 1 points; it needs 2"),
        (
            {"shape_type": "circle", "points": [[1, 1], [1e9, 1]]},
            r"points: \[1000000000.0, 1\] is no pair \[x, y\] of numbers up to 1,000,000",
        ),
        ({"shape_type": "mask", "mask": "?"}, "mask: no PNG in base64"),
        ({"shape_type": "mask", "mask": "é"}, "mask: no PNG in base64"),
        ({"shape_type": "mask", "mask": picture(8, 2)}, r"a mask of 8x2 at \(1, 1\) leaves the frame"),
    ],
)
def test_labelme(tmp_path: Path, change: dict, message: str) -> None:
    refused(labelme(tmp_path, {**SHAPE, **change}), "labelme", rf"0.json: shapes\[0\].*{message}")


def test_labelme_files(tmp_path: Path) -> None:
    refused(labelme(tmp_path, imageWidth=0), "labelme", "imageWidth: 0 is no whole number from 1")
    wide = {"imageWidth": 30000, "imageHeight": 30000}
    refused(labelme(tmp_path, **wide), "labelme", "imageWidth: 30000x30000 pixels are more than the 134,217,728")
    refused(labelme(tmp_path, shapes=None), "labelme", "shapes: None is no list")
    refused(labelme(tmp_path, SHAPE, {**SHAPE, "label": "dog"}), "labelme", r"shapes\[1\].label: is 'dog', .* 'cat'")


def test_labelme_rectangles_and_masks_of_one_group_are_one_mask(tmp_path: Path) -> None:
    rectangle = {**SHAPE, "shape_type": "rectangle", "points": [[0, 0], [2, 2]]}
    mask = {**SHAPE, "shape_type": "mask", "points": [[5, 1], [7, 2]], "mask": picture(3, 2)}
    file = read(labelme(tmp_path, rectangle, mask))
    assert file.videos[0].file_names == ("0.jpg",)
    assert rle.area(file.tracks[0].segmentations[0] or {}) == 4 + 6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<annotations>", "<annotation>", "no xml file"),
        ('<track id="1"', "<image/><track ", "is CVAT for images"),
        ("<size>3</size>", "", "has no <size>.* give --length"),
        ("<width>9</width>", "", "clip has no size; give --size"),
        ('label="cat"', "", "track 1.label: missing"),
        ('<mask frame="1"', '<mask frame="3"', "track 1.frame: 3 is none of the task's 3 frames"),
        ('<mask frame="1"', '<mask frame="0"', "track 1.frame: 0 holds two shapes"),
        ('rle="0, 6"', 'rle="0, 5"', r"track 1.frame 0.rle: adds up to 5, not to 3 x 2 = 6"),
        ('rle="0, 6"', 'rle="0, x"', r"track 1.frame 0.rle: holds what is no run length: .*x'"),
        ('left="1"', 'left="7"', r"track 1.frame 0.left: a mask of 3x2 at \(7, 1\) leaves the frame of 9x7"),
        ('<mask frame="0"', '<points frame="0"', "1 <points> of its 5 shapes have no mask"),
        ('<mask frame="0"', '<polygon points="1,1;2,2" frame="0"', "track 1.frame 0.points: a polygon must be"),
        ('<mask frame="0"', '<polygon points="1,1;2" frame="0"', r"track 1.frame 0.points: \[2\] is no pair"),
        ('<mask frame="0"', '<polygon points="1;y" frame="0"', r"track 1.frame 0.points: \[1\] is no pair"),
        (
            '<mask frame="0"',
            '<polygon points="1,1;2,2;1e309,3" frame="0"',
            r"track 1.frame 0.points: \[inf, 3\] is no pair",
        ),
        ("<size>3</size>", "<size>1e12</size>", "size: 1000000000000 > 10000000"),
        ("<width>9</width>", f"<width>{10**6}</width>", "original_size.width: 1000000 > 32768"),
    ],
)
def test_cvat(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = written(tmp_path, "cvat") / "clip.xml"
    replaced(file, old, new)
    refused(file, "cvat", message)


def test_cvat_polygons_hold_until_the_next_shape(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        """<annotations><meta><task><size>4</size><start_frame>10</start_frame><frame_filter>step=2</frame_filter>
        <original_size><width>8</width><height>6</height></original_size></task></meta>
        <track id="0" label="cat">
          <polygon frame="10" outside="0" points="1.0,1.0;4.0,1.0;4.0,3.0;1.0,3.0"/>
          <polygon frame="14" outside="1" points="1.0,1.0;4.0,1.0;4.0,3.0;1.0,3.0"/>
        </track></annotations>"""
    )
    file = read(tmp_path / "a.xml")
    assert (file.videos[0].name, file.categories[0].id) == ("a", 17)
    assert [mask and rle.area(mask) for mask in file.tracks[0].segmentations] == [6, 6, None, None]
    assert file.tracks[0].id == 1


def test_folders_of_nothing_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no .png, .json, .xml or .txt files, .* convert --from"):
        read(tmp_path)
    (tmp_path / "a.xml").touch()
    (tmp_path / "b.json").touch()
    with pytest.raises(InputError, match=r"holds .json and .xml files, .* convert --from"):
        read(tmp_path)
    (tmp_path / "film.mp4").touch()
    with pytest.raises(InputError, match="format not recognised"):
        read(tmp_path / "film.mp4")
    (tmp_path / "tracks.json").touch()
    with pytest.raises(InputError, match=r"is the folder of a run; name .*tracks.json"):
        read(tmp_path)


def test_youtube_vis_without_scores_is_sure(tmp_path: Path) -> None:
    file = written(tmp_path, "youtube-vis")
    content = json.loads(file.read_text())
    for annotation in content["annotations"]:
        del annotation["score"]
    file.write_text(json.dumps(content))
    assert read(file) == plain_file()
    content["annotations"][1]["id"] = 1
    file.write_text(json.dumps(content))
    refused(file, "youtube-vis", r"annotations\[1\].id: 1 is the id of an earlier entry")
    content["annotations"][1] |= {"id": 2, "category_id": 3}
    file.write_text(json.dumps(content))
    refused(file, "youtube-vis", r"annotations\[1\].category_id: 3 is no known category")


def test_an_interrupted_folder_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path, "davis")
    before = {file: file.read_bytes() for file in folder.rglob("*.png")}

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chronomask.formats.davis.label_maps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(plain_file(), folder, "davis", overwrite=True)
    assert {file: file.read_bytes() for file in folder.rglob("*.png")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["davis"]
