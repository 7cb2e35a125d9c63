import json

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as peer

from chronomask import rle
from chronomask.errors import InputError

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20))
fast = settings(max_examples=60, deadline=None)


@st.composite
def mask_pairs(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20))
    return draw(hnp.arrays(bool, shape)), draw(hnp.arrays(bool, shape))


def peer_encode(mask):
    return peer.encode(np.asfortranarray(mask.astype(np.uint8)))


@given(masks)
@fast
def test_encoding_equals_pycocotools(mask):
    ours, theirs = rle.encode(mask), peer_encode(mask)
    assert ours == {"size": list(mask.shape), "counts": theirs["counts"].decode()}
    assert json.loads(json.dumps(ours)) == ours
    np.testing.assert_array_equal(rle.decode(ours), mask)
    assert rle.area(ours) == mask.sum() == peer.area(theirs)
    assert rle.bbox(ours) == tuple(peer.toBbox(theirs))


@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 4)))
@fast
def test_a_map_of_ids_is_encoded_as_its_masks_are(id_map):
    ids = sorted(set(id_map.ravel().tolist()) - {0})
    assert list(rle.encode_ids(id_map).items()) == [(number, rle.encode(id_map == number)) for number in ids]


@given(masks, st.data())
@fast
def test_runs_of_no_length_are_taken_out(mask, data):
    counts = rle.run_lengths(rle.encode(mask)["counts"]).tolist()
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(counts) - 1))
        split = data.draw(st.integers(0, counts[place]))
        counts[place : place + 1] = [split, 0, counts[place] - split]
    odd = rle.from_run_lengths(counts, *mask.shape)
    assert rle.canonical(odd["counts"], *mask.shape) == rle.encode(mask)["counts"]
    # As they are read, whatever the format: with such runs COCO's code would take other masks for the same.
    for written in (odd, {"size": [*mask.shape], "counts": counts}):
        assert rle.from_annotation(written, *mask.shape) == rle.encode(mask)


@given(mask_pairs())
@fast
def test_iou_and_union_equal_pycocotools(pair):
    ours, theirs = [rle.encode(m) for m in pair], [peer_encode(m) for m in pair]
    np.testing.assert_allclose(rle.iou(ours, ours[:1]), peer.iou(theirs, theirs[:1], [0]))
    np.testing.assert_array_equal(rle.decode(rle.union(ours)), pair[0] | pair[1])


def test_many_are_measured_as_one_is():
    draw = np.random.default_rng(0)
    some = [rle.encode(draw.random((7, 5)) < share) if share < 0.9 else None for share in draw.random(1100)]
    assert list(rle.areas(some)) == [None if mask is None else rle.area(mask) for mask in some]
    assert list(rle.bboxes(some)) == [None if mask is None else list(rle.bbox(mask)) for mask in some]
    assert list(rle.areas([None, None])) == [None, None]
    assert list(rle.bboxes([])) == []


@given(masks)
@fast
def test_run_lengths_are_the_runs_of_the_column_major_mask(mask):
    flat = mask.ravel(order="F")
    expected = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]]))
    expected = np.concatenate([[0], expected]) if flat[0] else expected
    runs = rle.run_lengths(rle.encode(mask)["counts"])
    np.testing.assert_array_equal(runs, expected)
    assert rle.from_run_lengths(runs, *mask.shape) == rle.encode(mask)
    assert rle.from_annotation({"size": list(mask.shape), "counts": runs.tolist()}, *mask.shape) == rle.encode(mask)


def test_long_runs():
    mask = np.zeros((2000, 3000), dtype=bool)
    mask[700:1500, 5:2990] = True
    assert rle.run_lengths(rle.encode(mask)["counts"]).sum() == mask.size


@given(st.lists(st.floats(-5, 25), min_size=6, max_size=16).filter(lambda p: len(p) % 2 == 0))
@fast
def test_polygons_equal_pycocotools(polygon):
    ours = rle.from_annotation([polygon], 18, 21)
    theirs = peer.merge(peer.frPyObjects([polygon], 18, 21))
    assert ours == {"size": theirs["size"], "counts": theirs["counts"].decode()}


def test_several_polygons_are_united():
    squares = [[1, 1, 4, 1, 4, 4, 1, 4], [6, 6, 9, 6, 9, 9, 6, 9]]
    assert rle.area(rle.from_annotation(squares, 10, 10)) == 18


@given(st.text(max_size=12))
@fast
def test_any_text_is_decoded_or_refused(text):
    try:
        made = rle.from_annotation({"size": [4, 5], "counts": text}, 4, 5)
    except InputError:
        return
    assert rle.decode(made).shape == (4, 5)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "not None"),
        ([], "empty"),
        ([[1, 2, 3, 4]], r"not \[1, 2, 3, 4\]"),
        ([[1, 2, 3, 4, 5, 6, 7]], "flat list"),
        ([1, 2, 3, 4, 5, 6], "flat list .* not 1"),
        ([[1, 2, 3, 4, 5, float("nan")]], "coordinate nan"),
        ([[1, 2, 3, 4, 5, "6"]], "coordinate '6'"),
        ([[1, 2, 3, 4, 5, 1e9]], "coordinate 1000000000.0"),
        ({"size": [5, 4], "counts": [20]}, r"size \[5, 4\], the image is \[4, 5\]"),
        ({"counts": [20]}, "size None"),
        ({"size": [4, 5]}, "counts None"),
        ({"size": [4, 5], "counts": [10, 9]}, "add up to 19, not to 4 x 5 = 20"),
        ({"size": [4, 5], "counts": [30, -10]}, "negative run length"),
        ({"size": [4, 5], "counts": [10.5, 9.5]}, "whole numbers"),
        ({"size": [4, 5], "counts": "d\n"}, "no compressed run lengths"),
        ({"size": [4, 5], "counts": "hello"}, "no compressed run lengths|add up"),
        ({"size": [4, 5], "counts": "\ud800"}, "no compressed run lengths"),
        ({"size": [4, 5], "counts": "oooooooooooooo0"}, "more than 40 bits"),
    ],
)
def test_refused_segmentations(segmentation, message):
    with pytest.raises(InputError, match=message):
        rle.from_annotation(segmentation, 4, 5)


def test_union_of_unequal_sizes():
    with pytest.raises(InputError, match="one size"):
        rle.union([rle.encode(np.ones((2, 3), dtype=bool)), rle.encode(np.ones((3, 2), dtype=bool))])
