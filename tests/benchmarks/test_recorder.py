from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from recorder import Recorder

import chronomask
from chronomask import Segmenter
from chronomask.video import open_source

SAMPLE = Path(__file__).parents[2] / "examples" / "sample.mp4"


@pytest.fixture(scope="module")
def recorder():
    return Recorder(chronomask.load("lite", engine="openvino", precision="float32").engine)


def results(segmenter, frames):
    images = [frame.image for frame in islice(open_source(SAMPLE), frames)]
    return [result for image in images for result in segmenter.push(image)] + segmenter.flush()


def test_what_was_said_is_said_again_without_asking(recorder):
    segmenter = Segmenter(recorder, chronomask.SegmentConfig())
    said = results(segmenter, 10)
    recorder.playing, engine, recorder._engine = True, recorder._engine, None
    again = results(segmenter, 10)
    assert all(len(result.masks) for result in said)
    for one, other in zip(said, again, strict=True):
        assert np.array_equal(one.masks, other.masks)
        assert one.scores.tolist() == other.scores.tolist()
    recorder.silent = True
    assert [len(result.masks) for result in results(segmenter, 10)] == [0] * 10
    with pytest.raises(KeyError):
        results(segmenter, 11)  # the clip of the last frame is a new one
    recorder.playing, recorder.silent, recorder._engine = False, False, engine


def test_what_was_said_is_not_changed(recorder):
    features = recorder.encode(np.zeros((8, 3, 32, 32), np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        recorder.decode(features)[:] = 0


def test_the_finest_level_is_kept_for_prompts():
    recorder = Recorder(chronomask.load("lite", engine="openvino", precision="float32").engine, fine=True)
    frames = np.zeros((8, 3, 32, 32), np.uint8)
    said = [recorder.fine(frame) for frame in recorder.encode(frames)]
    recorder.playing = True
    again = [recorder.fine(frame) for frame in recorder.encode(frames)]
    assert said[0] is not None
    assert np.array_equal(said, again)
