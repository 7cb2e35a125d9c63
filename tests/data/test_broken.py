"""Every way in which annotation files and images are broken in practice: the error names file, entry and value."""

import json
import re

import pytest
import torch
from PIL import Image

from chronomask.data.annotation_file import CocoImages, YtvisVideos
from chronomask.errors import InputError
from data.files import NETWORK, box, textured, write_stills, write_videos

HEIGHT, WIDTH = 20, 30
INSIDE = [[2, 3, 12, 3, 12, 9, 2, 9]]


@pytest.fixture
def stills(tmp_path):
    """Two images of two objects each; image 0 has annotations 0 and 1."""
    objects = [(1, box(HEIGHT, WIDTH, 0, 0, 9, 9), {}), (17, INSIDE, {})]
    return write_stills(tmp_path, [(textured(HEIGHT, WIDTH), objects)] * 2)


@pytest.fixture
def videos(tmp_path):
    """Two videos of three frames and one object; video 1 has annotation 1."""
    frames = [textured(HEIGHT, WIDTH)] * 3
    return write_videos(tmp_path, [(frames, [(18, [box(HEIGHT, WIDTH, 0, 0, 9, 9)] * 3, {})])] * 2)


def opened(path, **options):
    form, folder = (YtvisVideos, "JPEGImages") if path.name == "videos.json" else (CocoImages, "images")
    return form(path, path.parent / folder, NETWORK, **options)


def changed(path, key, position, **fields):
    """Sets fields of one row of the file; None removes them."""
    content = json.loads(path.read_text())
    row = content[key][position]
    row.update(fields)
    content[key][position] = {name: value for name, value in row.items() if value is not None}
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("row", "fields", "cause"),
    [
        (("images", 1), {"id": 0}, r"images\[1\].id: 0 is the id of an earlier entry too"),
        (("images", 1), {"id": "1"}, r"images\[1\].id: '1' is no whole number"),
        (("images", 1), {"id": None}, r"images\[1\].id: missing"),
        (("images", 0), {"file_name": 5}, r"images\[0\].file_name: 5 is no text"),
        (("images", 0), {"file_name": None}, r"images\[0\].file_name: missing"),
        (("images", 0), {"height": 20.5}, r"images\[0\].height: 20\.5 is no whole number from 1"),
        (("images", 0), {"width": 0}, r"images\[0\].width: 0 is no whole number from 1"),
        (("images", 0), {"labelled_classes": "dog"}, r"images\[0\].labelled_classes: 'dog' is no list"),
        (
            ("images", 0),
            {"labelled_classes": ["dgo"]},
            r"images\[0\].labelled_classes: 'dgo' is the name of no category",
        ),
        (("annotations", 1), {"id": 0}, r"annotations\[1\].id: 0 is the id of an earlier entry too"),
        (("annotations", 1), {"image_id": 9}, r"annotations\[1\].image_id: 9 is no known image"),
        (("annotations", 1), {"category_id": 7}, r"annotations\[1\].category_id: 7 is no known category"),
        (("annotations", 1), {"category_id": "cat"}, r"annotations\[1\].category_id: 'cat' is no whole number"),
        (("annotations", 1), {"segmentation": None}, r"annotations\[1\].segmentation: missing"),
        (("annotations", 1), {"segmentation": []}, r"annotations\[1\].segmentation: \[\] holds no mask"),
        (("annotations", 1), {"iscrowd": 2}, r"annotations\[1\].iscrowd: 2 is neither 0 nor 1"),
        (("annotations", 1), {"area": "big"}, r"annotations\[1\].area: 'big' is no number of pixels"),
        (("categories", 1), {"id": 1}, r"categories\[1\].id: 1 is the id of an earlier entry too"),
        (("categories", 1), {"name": 5}, r"categories\[1\].name: 5 is no text"),
    ],
)
def test_broken_rows_of_stills(stills, row, fields, cause):
    changed(stills, *row, **fields)
    with pytest.raises(InputError, match=rf"stills\.json: {cause}"):
        opened(stills)
    reader = opened(stills, skip_broken=True)
    assert re.search(cause, reader.skipped[0])
    # What is left is sound.
    for index in range(len(reader)):
        reader.load(index)


@pytest.mark.parametrize(
    ("row", "fields", "cause"),
    [
        (("videos", 1), {"file_names": None}, r"videos\[1\].file_names: missing"),
        (("videos", 1), {"file_names": []}, r"videos\[1\].file_names: 0 names for a video of 3 frames"),
        (("videos", 1), {"file_names": [1, 2, 3]}, r"videos\[1\].file_names: 1 is no text"),
        (("videos", 1), {"length": 4}, r"videos\[1\].file_names: 3 names for a video of 4 frames"),
        (("annotations", 1), {"segmentations": None}, r"annotations\[1\].segmentations: missing"),
        (
            ("annotations", 1),
            {"segmentations": [None]},
            r"annotations\[1\].segmentations: 1 masks for a video of 3 frames",
        ),
        (("annotations", 1), {"areas": [1, "2", 3]}, r"annotations\[1\].areas\[1\]: '2' is no number of pixels"),
        (("annotations", 1), {"areas": 5}, r"annotations\[1\].areas: 5 is no list"),
    ],
)
def test_broken_rows_of_videos(videos, row, fields, cause):
    changed(videos, *row, **fields)
    with pytest.raises(InputError, match=rf"videos\.json: {cause}"):
        opened(videos)
    reader = opened(videos, skip_broken=True)
    assert len(reader.skipped) == 1
    assert len(reader) == (1 if row[0] == "videos" else 2)


def test_rows_that_are_no_objects(stills):
    content = json.loads(stills.read_text())
    content["annotations"].append(7)
    stills.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"annotations\[4\]: 7 is no object"):
        opened(stills)
    assert len(opened(stills, skip_broken=True).skipped) == 1


def test_an_image_that_lost_an_annotation_has_no_known_background(stills):
    changed(stills, "annotations", 1, category_id=7)
    reader = opened(stills, skip_broken=True)
    assert [len(reader.instances(index)) for index in range(2)] == [1, 2]
    assert reader.load(0).unknown.all()
    assert not reader.load(1).unknown.any()


def test_images_of_one_id_are_both_left_out(stills):
    changed(stills, "images", 1, id=0)
    reader = opened(stills, skip_broken=True)
    assert len(reader) == 0
    # The annotations of the id that is gone are no fault of their own; those of id 1 are now nobody's.
    assert [message.split(": ")[1] for message in reader.skipped] == [
        "images[1].id",
        "annotations[2].image_id",
        "annotations[3].image_id",
    ]


@pytest.mark.parametrize(
    ("segmentation", "cause"),
    [
        ("oval", "segmentation must be a list of polygons or run lengths"),
        ([[1, 2, 3]], "a polygon must be a flat list"),
        ([[1, 2, 3, 4, 5, "6"]], "a polygon has the coordinate '6'"),
        ([[1, 2, 3, 4, 5, float("nan")]], "a polygon has the coordinate nan"),
        (
            [*INSIDE, [40, 3, 52, 3, 52, 9, 40, 9]],
            "a polygon lies outside the frame of 30x20 pixels: x 40 to 52",
        ),
        ([[2, -9, 12, -9, 12, -3]], "a polygon lies outside the frame"),
        ({"size": [HEIGHT, WIDTH], "counts": [HEIGHT, 5]}, "add up to 25, not to 20 x 30"),
        ({"size": [HEIGHT, WIDTH], "counts": [-5, 605]}, "negative run length"),
        ({"size": [HEIGHT, WIDTH], "counts": [0.5, 599.5]}, "neither text nor a list of whole numbers"),
        ({"size": [HEIGHT, WIDTH], "counts": "no rle"}, "no compressed run lengths"),
        ({"size": [WIDTH, HEIGHT], "counts": [600]}, r"has size \[30, 20\], the image is \[20, 30\]"),
        ({"counts": [600]}, "has size None"),
        ({"size": [HEIGHT, WIDTH]}, "has counts None"),
    ],
)
def test_broken_masks_are_found_when_they_are_loaded(stills, segmentation, cause):
    changed(stills, "annotations", 1, segmentation=segmentation)
    reader = opened(stills)
    with pytest.raises(InputError, match=rf"stills\.json: annotations\[1\].segmentation: .*{cause}"):
        reader.load(0)
    reader.load(1)


def test_broken_masks_of_videos_name_the_frame(videos):
    masks = [None, {"size": [HEIGHT, WIDTH], "counts": "no rle"}, None]
    changed(videos, "annotations", 0, segmentations=masks)
    reader = opened(videos)
    with pytest.raises(
        InputError, match=r"videos\.json: annotations\[0\].segmentations\[1\]: counts are no compressed"
    ):
        reader.load(0, [0, 1])
    assert not reader.load(0, [0, 2]).masks.any()


def test_polygons_are_clipped_at_the_frame(stills):
    changed(stills, "annotations", 1, segmentation=[[-50, 3, 12, 3, 12, 90, -50, 90]])
    masks = opened(stills).load(0).masks[:, 0]
    first = torch.from_numpy(box(HEIGHT, WIDTH, 0, 0, 9, 9))
    assert torch.equal(masks[0], first)
    assert torch.equal(masks[1], torch.from_numpy(box(HEIGHT, WIDTH, 3, 0, 20, 12)) & ~first)


def test_unusable_images_are_named(tmp_path, stills):
    reader = opened(stills)
    first, second = (tmp_path / "images" / f"stills-{number}.png" for number in range(2))
    first.unlink()
    with pytest.raises(InputError, match=r"stills-0\.png: cannot be read as an image: .*No such file"):
        reader.load(0)
    Image.new("RGB", (31, HEIGHT)).save(second)
    with pytest.raises(InputError, match=r"stills-1\.png: 31x20 pixels, the annotations say 30x20"):
        reader.load(1)
    second.write_text("no image")
    with pytest.raises(InputError, match=r"stills-1\.png: cannot be read as an image"):
        reader.load(1)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_truncated_images_are_named(tmp_path, stills, suffix, kept):
    path = tmp_path / "images" / f"cut.{suffix}"
    Image.fromarray(textured(HEIGHT, WIDTH)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    changed(stills, "images", 0, file_name=path.name)
    with pytest.raises(InputError, match=rf"cut\.{suffix}: cannot be read as an image"):
        opened(stills).load(0)
