"""What is public, and that it says what it means."""

import inspect

import numpy as np
import pytest
from PIL import Image

import chronomask
from chronomask.outputs.choice import Outputs
from chronomask.prompts import check_prompts
from chronomask.results import CodedMasks
from chronomask.segmenter.clips import check_image
from chronomask.video import Selection
from untyped import untyped

EMPTY = chronomask.FrameResult(0, 0.0, (), CodedMasks((), (4, 5)))


def test_the_public_names():
    assert dir(chronomask) == sorted(chronomask.__all__)
    for name in chronomask.__all__:
        value = getattr(chronomask, name)
        assert name == "__version__" or inspect.getdoc(value)


@pytest.mark.parametrize(
    ("slip", "told"),
    [
        (lambda: Outputs(cutout="mp4"), "cutout 'mp4': must be one of webm, mov, matte, png"),
        (lambda: Outputs(masks="jpg"), "masks 'jpg': must be one of png"),
        (lambda: Selection(start="0:30"), "start '0:30': must be 0 seconds"),
        (lambda: Selection(end="0:30"), "end '0:30': must lie behind the start"),
        (lambda: Selection(every=1.5), "every 1.5: must be a whole number, 1 or more"),
        (lambda: check_prompts([(0, 20, 30)], None), r"points: must be a list of .*, not \[\(0, 20, 30\)\]"),
        (lambda: check_prompts(chronomask.Point(20, 30), None), r"points: must be a list of .*, not Point\(x=20"),
        (lambda: check_image("a.jpg"), "a frame is an array, .*, not str"),
        (lambda: chronomask.load(config={"score": 0.3}), "config: must be a chronomask.SegmentConfig, not dict"),
        (lambda: EMPTY.plot(np.zeros((4, 5, 3))), "image: is float64 of shape"),
        (lambda: EMPTY.plot("a.jpg"), "image: is <U5 of shape"),
    ],
)
def test_slips_of_callers_are_told(slip, told):
    with untyped(), pytest.raises(chronomask.InputError, match=told):
        slip()


def test_pictures_of_pillow_are_drawn_on():
    assert EMPTY.plot(Image.new("RGB", (5, 4), "red")).getpixel((0, 0)) == (255, 0, 0)
