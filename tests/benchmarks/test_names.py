import json

import numpy as np
import pytest
from names import binned, interval, named, plot

from chronomask import rle


def track(number, category, columns, **fields):
    mask = np.zeros((8, 40), bool)
    mask[:, slice(*columns)] = True
    shape = {"size": [8, 40], "counts": rle.encode(mask)["counts"]}
    return {"id": number, "video_id": 1, "category_id": category, "segmentations": [shape], **fields}


@pytest.fixture
def files(tmp_path):
    """A dog, a cat and something else; results of all three, a weak one and one where nothing is."""
    video = {"id": 1, "name": "v", "width": 40, "height": 8, "length": 1, "file_names": ["v/0.jpg"]}
    categories = [{"id": 0, "name": "object"}, {"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}]
    true = [track(1, 18, (0, 10)), track(2, 17, (10, 20)), track(3, 0, (20, 30))]
    found = [
        track(1, 18, (0, 9), score=0.9, class_score=0.8),
        track(2, 18, (10, 20), score=0.9, class_score=0.4),
        track(3, 17, (20, 30), score=0.9, class_score=0.7),
        track(4, 18, (30, 40), score=0.9, class_score=0.6),
    ]
    for name, annotations in (("truth", true), ("found", found)):
        content = {"videos": [video], "categories": categories, "annotations": annotations}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path / "truth.json", tmp_path / "found.json"


def test_a_name_is_right_where_the_object_found_is_called_so(files):
    assert sorted(named(*files, 0.5)) == [(0.4, False), (0.8, True)]
    assert named(*files, 0.95) == []


def test_an_object_has_no_name(files):
    truth, found = files
    content = json.loads(found.read_text())
    content["annotations"][0]["category_id"] = 0
    found.write_text(json.dumps(content))
    assert named(truth, found, 0.5) == [(0.4, False)]


def test_bins_have_as_many_tracks_as_are_asked_for():
    pairs = [(k / 50, k % 2 == 0) for k in range(50)]
    bins = binned(pairs, 20)
    assert [one.count for one in bins] == [25, 25]
    assert bins[0].said == pytest.approx(np.mean([said for said, _ in pairs[:25]]))
    assert bins[0].right == 13 / 25
    assert [one.count for one in binned(pairs[:5], 20)] == [5]


def test_the_interval_is_wilsons():
    assert interval(9, 10) == pytest.approx((0.596, 0.982), abs=0.001)
    assert interval(0, 5)[0] == pytest.approx(0, abs=1e-9)


def test_the_plot_marks_every_bin():
    assert plot(binned([(0.2, True), (0.9, False)], 1)).count("<circle") == 2
