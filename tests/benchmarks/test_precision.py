import numpy as np
import pytest
from precision import Pair, Tracks, agrees, loaded, partners, tracks_of

from chronomask import InputError, rle
from chronomask.annotations.masks import Masks
from chronomask.categories import Category
from chronomask.results import TrackInfo
from chronomask.video import open_source
from films import film, moving_square

CAT, DOG = Category(17, "cat"), Category(18, "dog")


def tracks(*spans, category=CAT, score=0.6):
    """Tracks of two frames that have a mask in the first, the columns of the spans."""
    tubes = []
    for start, stop in spans:
        mask = np.zeros((4, 20), bool)
        mask[:, start:stop] = True
        tubes.append(Masks.of([rle.encode(mask), None], 4, 20))
    return Tracks([TrackInfo(number, category, score, 0.9) for number in range(1, len(spans) + 1)], tubes)


def found(one, other):
    return [(pair.track, pair.partner, round(pair.iou, 6)) for pair in partners("v", "way", one, other, 0.5)]


def test_partners_are_assigned_one_to_one():
    pairs = found(tracks((0, 8), (10, 20)), tracks((10, 19), (0, 8)))
    assert pairs == [("1 cat 0.60", "2 cat 0.60", 1.0), ("2 cat 0.60", "1 cat 0.60", 0.9)]


def test_a_track_without_partner():
    pairs = found(tracks((0, 8), (0, 7)), tracks((0, 8)))
    assert pairs == [("1 cat 0.60", "1 cat 0.60", 1.0), ("2 cat 0.60", "none", 0.0)]
    assert found(tracks((0, 8)), tracks()) == [("1 cat 0.60", "none", 0.0)]
    assert found(tracks((0, 8)), tracks((8, 16))) == [("1 cat 0.60", "none", 0.0)]


def test_weak_tracks_need_no_partner_but_may_be_one():
    weak = tracks((0, 8), score=0.4)
    assert found(weak, tracks()) == []
    assert found(tracks((0, 8)), weak) == [("1 cat 0.60", "1 cat 0.40", 1.0)]


@pytest.mark.parametrize(
    ("other", "good"), [(tracks((0, 8)), True), (tracks((0, 8), category=DOG), False), (tracks((0, 7)), False)]
)
def test_two_ways_agree_on_partners_classes_and_masks(other, good, capsys):
    assert agrees(partners("v", "way", tracks((0, 8)), other, 0.5), 0.97) == good
    assert f"of its class: {other.infos[0].category == CAT}" in capsys.readouterr().out


def test_the_mean_counts_and_not_every_track(capsys):
    pairs = [Pair("v", "way", "1 cat 0.60", "1 cat 0.60", True, True, iou) for iou in (1.0, 0.95)]
    assert agrees(pairs, 0.97)
    assert not agrees(pairs, 0.98)
    assert agrees([], 0.97)


def test_a_way_is_an_engine_and_a_precision(tmp_path):
    segmenter = loaded("lite", "openvino/float32")
    assert (segmenter.engine.info.name, segmenter.engine.info.precision) == ("openvino", "float32")
    source = open_source(film(tmp_path / "film.mp4", moving_square(12)))
    infos, tubes = tracks_of(segmenter, source, 3)
    assert len(infos) == len(tubes)
    with pytest.raises(InputError, match="precision bfloat16"):
        loaded("lite", "onnxruntime/bfloat16")
