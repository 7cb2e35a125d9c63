"""What a frame is handed out as: masks in little memory, pictures, and the objects of other people's tools."""

import pickle
import tracemalloc
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.categories import OBJECT, Category
from chronomask.errors import InputError
from chronomask.results import CodedMasks, FrameResult, TrackInfo


def frame(image=None, size=(48, 64)):
    """A dog and an object of the unknown kind."""
    masks = np.zeros((2, *size), bool)
    masks[0, 4:20, 8:30] = True
    masks[1, 30:40, 40:64] = True
    infos = (TrackInfo(2, Category(18, "dog"), 0.875, 0.75), TrackInfo(5, OBJECT, 0.5, 0.25))
    return FrameResult(7, 0.28, infos, CodedMasks(tuple(rle.encode(mask) for mask in masks), size), image), masks


def test_masks_are_decoded_when_they_are_looked_at():
    result, pixels = frame()
    masks = result.masks
    assert masks.shape == (2, 48, 64)
    np.testing.assert_array_equal(masks, pixels)
    np.testing.assert_array_equal(masks[1], pixels[1])
    np.testing.assert_array_equal(masks[-1], pixels[1])
    for which in ([1], slice(1), np.array([1, 0]), result.scores > 0.6, []):
        np.testing.assert_array_equal(masks[which], pixels[which])
    np.testing.assert_array_equal(np.any(masks, axis=0), pixels.any(0))
    assert [mask.sum() for mask in masks] == [16 * 22, 10 * 24]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(result)).masks, pixels)
    with pytest.raises(IndexError):
        masks[2]


def test_frames_of_4k_need_little_memory():
    size, ids = (2160, 3840), np.zeros((2160, 3840), np.int16)
    for number in range(30):
        top, left = 200 * (number % 10), 1200 * (number // 10)
        ids[top : top + 150, left : left + 900] = number + 1
    coded = rle.encode_ids(ids)
    infos = tuple(TrackInfo(number, OBJECT, 0.9, 0.9) for number in coded)
    tracemalloc.start()
    results = [FrameResult(0, 0.0, infos, CodedMasks(tuple(coded.values()), size)) for _ in range(100)]
    assert {result.masks.shape for result in results} == {(30, 2160, 3840)}
    assert results[0].boxes[1].tolist() == [0, 200, 900, 350]
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 2**20


def test_the_fields_of_a_frame():
    result, _ = frame()
    assert result.track_ids.tolist() == [2, 5]
    assert result.category_ids.tolist() == [18, 0]
    assert result.names == ("dog", "object")
    assert result.scores.tolist() == [0.875, 0.5]
    assert result.class_scores.tolist() == [0.75, 0.25]
    assert result.boxes.tolist() == [[8, 4, 30, 20], [40, 30, 64, 40]]
    assert repr(result) == "FrameResult(7 at 0.280 s: 2 dog 0.88, 5 object 0.50)"
    assert repr(result.masks) == "CodedMasks(2 of 64x48)"
    assert [info.label for info in result.tracks] == ["2 dog 75%", "5 object"]


def test_nothing_found():
    result = FrameResult(0, 0.0, (), CodedMasks((), (48, 64)))
    assert result.masks.shape == np.asarray(result.masks).shape == (0, 48, 64)
    assert result.boxes.shape == (0, 4)
    assert repr(result) == "FrameResult(0 at 0.000 s: no tracks)"
    assert len(result.to_supervision()) == 0
    assert result.plot().size == (64, 48)


def test_pictures():
    image = np.full((48, 64, 3), 120, np.uint8)
    result, _ = frame(image)
    drawn = np.asarray(result.plot())
    assert (drawn[36:38, 44:60] != 120).any(2).all()
    assert (drawn[44:, :30] == 120).all()
    np.testing.assert_array_equal(drawn, np.asarray(frame()[0].plot(image)))
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(result._repr_png_()))), drawn)
    assert (np.asarray(frame()[0].plot())[44:, :30] == 40).all()
    with pytest.raises(InputError, match="image: is uint8 of shape"):
        result.plot(image[:40])


def test_supervision_gets_all_of_it():
    result, pixels = frame()
    detections = result.to_supervision()
    np.testing.assert_array_equal(detections.mask, pixels)
    np.testing.assert_array_equal(detections.xyxy, result.boxes)
    assert detections.tracker_id.tolist() == [2, 5]
    assert detections.class_id.tolist() == [18, 0]
    assert detections.confidence.tolist() == [0.875, 0.5]
    assert detections.data["class_name"].tolist() == ["dog", "object"]
