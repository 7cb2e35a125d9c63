"""What the network says of a frame, as arrays and as a picture."""

import numpy as np
import pytest
from PIL import Image

from chronomask.engines.engine import Attentive
from chronomask.engines.opening import torch_engine
from chronomask.errors import InputError
from chronomask.runs.explain import explain, explain_to_file
from chronomask.segmenter.explaining import ClipExplainer
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import open_source
from model.networks import network_of, tiny
from segmenter.colour import CATEGORIES, COLOURS, ColourEngine, moving_objects, settings


@pytest.fixture
def segmenter():
    return Segmenter(ColourEngine(4), settings(4, 2))


def test_the_maps_are_of_the_frame_and_the_instances_of_the_clip(segmenter):
    video = moving_objects(12)
    found = ClipExplainer(segmenter, video[6:10], first=6).frame(8)
    assert found.heat.shape == found.owners.shape == found.deviation.shape == (12, 16)
    assert found.embedding.shape == (12, 16, 3)
    assert found.foreground is None
    assert found.attention == {}
    assert [instance.name for instance in found.instances] == [category.name for category in CATEGORIES]
    for number, (instance, colour) in enumerate(zip(found.instances, COLOURS.values(), strict=True)):
        assert (video[instance.frame][int(instance.y), int(instance.x)] == colour).all()
        inside = (video[8] == colour).all(2)[2::4, 2::4]
        np.testing.assert_array_equal(found.owners == number, inside)
        assert found.membership[number][inside].min() > 0.99
        assert len(np.unique(found.embedding[inside], axis=0)) == 1
    np.testing.assert_array_equal(found.owners == -1, (video[8] == 0).all(2)[2::4, 2::4])


def test_a_pixel_is_told_at_the_size_of_the_source(segmenter):
    found = ClipExplainer(segmenter, moving_objects(4)).frame(0)
    red, nobody = found.at(10, 30), found.at(60, 4)
    assert (red.owner, nobody.owner) == (0, -1)
    assert red.heat == pytest.approx(1)
    assert nobody.heat == 0
    assert red.membership[0] == pytest.approx(1)
    assert red.colour != nobody.colour
    for place in ((64, 0), (0, -1)):
        with pytest.raises(InputError, match="lies outside the frame, which is 64x48"):
            found.at(*place)


def test_a_frame_of_another_clip_is_refused(segmenter):
    with pytest.raises(InputError, match="frame 10: is not in this clip, which has 6 to 9"):
        ClipExplainer(segmenter, moving_objects(4), first=6).frame(10)


def test_attention_is_told_by_level():
    engine = torch_engine(network_of(tiny(channels=8)), 4)
    assert isinstance(engine, Attentive)
    images = np.random.default_rng(0).integers(0, 256, (3, 70, 100, 3), np.uint8)
    explainer = ClipExplainer(Segmenter(engine, settings(4, 2)), images)
    found = explainer.frame(2)
    assert list(found.attention) == [4, 8, 16, 32]
    for stride, weights in found.attention.items():
        assert weights.shape == tuple(-(-side // stride) for side in explainer.clip.pictures[0].shape[1:])
        assert 0 <= weights.min() <= weights.max() <= 1


def test_the_frame_that_is_shown_at_a_time_is_explained(segmenter):
    video = moving_objects(12)
    for time, number in ((0.0, 0), (0.039, 0), (0.2, 5), (0.239, 5), (0.479, 11)):
        found = explain(segmenter, open_source(video), time)
        assert found.frame == number
        np.testing.assert_array_equal(found.picture, video[number].transpose(2, 0, 1))


def test_a_picture_is_written(segmenter, tmp_path):
    explain_to_file(segmenter, open_source(moving_objects(12)), 0.2, tmp_path / "why.png")
    with Image.open(tmp_path / "why.png") as picture:
        assert picture.width == 1440
    with pytest.raises(InputError, match=r"why\.png: exists already"):
        explain_to_file(segmenter, open_source(moving_objects(12)), 0.2, tmp_path / "why.png")


@pytest.mark.parametrize(
    ("time", "name", "cause"),
    [
        (9.0, "a.png", "time 9: lies after the end of frames, at about 0.48 s"),
        (0.5, "a.png", "time 0.5: lies after the end of frames: the last frame is at 0.440 s"),
        (0.0, "a.txt", r"a\.txt: a picture ends in \.png"),
    ],
)
def test_what_cannot_be_explained_is_refused(segmenter, tmp_path, time, name, cause):
    with pytest.raises(InputError, match=cause):
        explain_to_file(segmenter, open_source(moving_objects(12)), time, tmp_path / name)
    assert not list(tmp_path.iterdir())
