"""What `dataset info` counts, and that it finds every fault."""

import json

import numpy as np
import pytest

from chronomask.data.info import Areas, ClassCount, dataset_info, info_tables
from chronomask.errors import InputError
from data.files import box, textured, write_stills, write_videos, write_voc


@pytest.fixture
def stills(tmp_path):
    objects = [
        (1, box(120, 130, 0, 0, 100, 100), {}),
        (17, box(120, 130, 0, 105, 20, 125), {}),
        (99, [[100, 101, 128, 101, 128, 118, 100, 118]], {"area": None}),
        (1, box(120, 130, 105, 0, 119, 60), {"iscrowd": 1}),
    ]
    partial = (textured(60, 90), [], {"labelled_classes": ["cat"]})
    return write_stills(tmp_path, [(textured(120, 130), objects), (textured(60, 90), []), partial])


def test_stills_are_counted(stills):
    info = dataset_info(stills)
    assert (info.form, info.entries, info.frames, info.lengths) == ("COCO-form stills", 3, 3, (1, 1, 1))
    assert (info.instances, info.masks, info.crowds, info.classless) == (3, 3, 1, 0)
    assert (info.partial, info.empty, info.unseen) == (1, 2, 0)
    assert info.sizes == ((90, 60, 2), (130, 120, 1))
    assert info.areas == Areas(small=2, medium=0, large=1, unknown=0)
    assert info.classes == (
        ClassCount("cat", 1, 0, 1, lite="cat"),
        ClassCount("person", 1, 1, 1, lite="person"),
        ClassCount("unicorn", 1, 0, 1, lite="object"),
    )
    assert info.problems == ()


def test_without_pixels_only_the_file_is_looked_at(stills):
    for image in (stills.parent / "images").iterdir():
        image.write_text("no image")
    info = dataset_info(stills, pixels=False)
    assert (info.problems, info.unseen) == ((), None)
    assert info.areas == Areas(small=1, medium=0, large=1, unknown=1)
    assert len(dataset_info(stills).problems) == 3


def test_videos_are_counted(tmp_path):
    mask, hidden = box(48, 64, 8, 8, 40, 40), np.zeros((48, 64), bool)
    objects = [(18, [mask, None, mask], {}), (1, [mask] * 3, {"merged": True}), (1, [hidden] * 3, {})]
    frames = [textured(48, 64)] * 3
    info = dataset_info(write_videos(tmp_path, [(frames, objects), (frames[:2], [])]))
    assert (info.form, info.entries, info.frames, info.lengths) == ("YouTube-VIS-form videos", 2, 5, (2, 2.5, 3))
    assert (info.instances, info.masks, info.classless, info.empty) == (3, 8, 1, 1)
    # One has no pixel in its masks, and of two equal masks one hides the other.
    assert info.unseen == 2
    assert info.areas == Areas(small=2, medium=1, large=0, unknown=0)


def test_voc_is_counted(tmp_path):
    objects = np.zeros((40, 50), np.uint8)
    objects[5:20, 5:20] = 1
    root = write_voc(tmp_path / "VOC2012", {"a": (textured(40, 50), objects, objects * 18, None)})
    info = dataset_info(root)
    assert (info.form, info.instances, info.problems) == ("Pascal VOC stills", 1, ())
    assert info.classes == (ClassCount("sofa", 1, 0, 1, lite="couch"),)


def test_every_fault_is_found_and_named(stills):
    content = json.loads(stills.read_text())
    content["annotations"][1]["category_id"] = 4
    content["annotations"][2]["segmentation"] = {"size": [120, 130], "counts": [5]}
    content["images"][2]["file_name"] = "nowhere.png"
    stills.write_text(json.dumps(content))
    (stills.parent / "images/stills-1.png").write_text("no image")
    problems = dataset_info(stills).problems
    assert len(problems) == 4
    for fault in ("annotations[1].category_id: 4", "annotations[2].segmentation", "stills-1.png", "nowhere.png"):
        assert sum(fault in problem for problem in problems) == 1
    assert all(str(stills.parent) in problem for problem in problems)


def test_nothing_usable_is_a_problem_and_no_data_set_an_error(tmp_path):
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps({"categories": [], "images": [], "annotations": []}))
    assert "no still and no video" in dataset_info(empty).problems[0]
    with pytest.raises(InputError, match=r"none\.json"):
        dataset_info(tmp_path / "none.json")


def test_tables_hold_the_whole_and_the_classes(stills):
    whole, classes = info_tables(dataset_info(stills))
    assert "130x120 (1)" in "".join(whole.columns[1].cells)
    assert list(classes.columns[0].cells) == ["cat", "person", "unicorn"]
