"""Whatever computes the network, in float32 users get the same tracks; in bfloat16 nearly the same."""

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from chronomask.config import SegmentConfig
from chronomask.device import processor_features
from chronomask.engines.models import model_files
from chronomask.engines.opening import open_engine
from chronomask.segmenter.segmenter import Segmenter
from engines.videos import VIDEOS, iou, tubes_of

pytestmark = pytest.mark.network

SMALL = {"short_side": 192, "long_side": 336, "score": 0.0}
"""About the size that the bundled weights were trained at."""


def resized(size, length):
    return [np.asarray(Image.fromarray(image).resize(size)) for image in VIDEOS["sample"]()[:length]]


CASES = {
    **{name: (images, SMALL) for name, images in VIDEOS.items()},
    "shrunk and padded": (lambda: resized((200, 120), 9), {"short_side": 98}),
    "shorter than a clip": (lambda: resized((120, 154), 5), {}),
    "of little latency": (lambda: resized((160, 96), 11), {"latency": 1, "overlap": 6}),
}


@cache
def engine(name, precision="float32"):
    return open_engine(model_files("lite"), 8, device="cpu", engine=name, precision=precision)


@cache
def found(name, case, precision="float32"):
    images, changes = CASES[case]
    return tubes_of(Segmenter(engine(name, precision), SegmentConfig(**changes)), images())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("one", "other"), list(combinations(("openvino", "onnxruntime", "torch"), 2)))
def test_every_engine_finds_the_tracks_of_every_other(one, other, case):
    (ours, tracks), (theirs, expected) = found(one, case), found(other, case)
    assert tracks.keys() == expected.keys()
    assert tracks
    for number, mask in theirs.items():
        assert iou(ours[number], mask) > 0.99
        assert tracks[number].category == expected[number].category
        assert tracks[number].score == pytest.approx(expected[number].score, abs=1e-3)


@pytest.mark.skipif(
    not {"amx_bf16", "avx512_bf16"} & set(processor_features()), reason="this processor does not compute in bfloat16"
)
@pytest.mark.parametrize(("name", "case"), [*(("openvino", case) for case in VIDEOS), ("torch", "sample")])
def test_bfloat16_finds_every_sure_track_of_float32_and_no_other(name, case):
    exact, rounded = (found(name, case, precision) for precision in ("float32", "bfloat16"))
    assert max(track.score for track in exact[1].values()) >= 0.5
    for (tubes, tracks), (others, named) in ((exact, rounded), (rounded, exact)):
        sure = [number for number, track in tracks.items() if track.score >= 0.5]
        partners = {number: max(others, key=lambda n, mask=tubes[number]: iou(mask, others[n])) for number in sure}
        assert np.mean([iou(tubes[number], others[partners[number]]) for number in sure]) >= 0.97
        for number, partner in partners.items():
            assert tracks[number].category == named[partner].category
