"""From clicks and masks to the pixels of an object, with heads whose weights are known."""

from dataclasses import replace

import numpy as np
import pytest

from chronomask.config import ClusterConfig
from chronomask.tracking import relations
from chronomask.tracking.cluster import cluster
from chronomask.tracking.heads import Head, Heads
from chronomask.tracking.outputs import Sight
from chronomask.tracking.prompted import Clicks, Cue, cut_out
from chronomask.tracking.scene import Scene
from tracking.heads import by_membership, linear
from tracking.outputs import random_outputs

PICTURES = [np.full((3, 52, 72), 7, np.uint8)] * 4


def scene(seed=0, fine=5):
    random = np.random.default_rng(seed)
    outputs = random_outputs(seed)
    looks = random.normal(size=(4, 6, 4, 6)).astype(np.float32)
    level = random.normal(size=(4, fine, 16, 20)).astype(np.float16) if fine else None
    tubes = cluster(outputs, ClusterConfig(minimum_pixels=1))
    return Scene(Sight(outputs, looks, level), PICTURES, tubes, ("y", "x"), ClusterConfig())


@pytest.fixture(scope="module")
def some():
    return scene()


def test_a_click_is_a_seed_of_eq_7(some):
    place = (1, 6, 9)
    near = relations.around(place)
    outputs = some.sight.outputs
    mean = outputs.embedding[(slice(None), *near)].mean((1, 2))
    spread = np.exp(outputs.log_variance[(slice(None), *near)]).mean((1, 2))
    distance = ((outputs.embedding - mean[:, None, None, None]) ** 2 / spread[:, None, None, None]).sum(0)
    found = dict(zip(relations.CLICKED, relations.of_click(some, place), strict=True))
    np.testing.assert_allclose(found["membership"], np.maximum(-distance / 2, -10), rtol=1e-4, atol=1e-4)
    assert found["distance"][0, 6, 9] == found["distance"][3, 6, 9] == 0


@pytest.mark.parametrize("fine", [5, 0])
def test_the_features_have_their_names_and_are_numbers(fine):
    known = scene(fine=fine)
    inside = known.owners == 0
    clicks = relations.of_click(known, (0, 5, 5))
    masks = relations.of_mask(known, inside, ~inside, [(0, 5, 5)], [(3, 9, 12)])
    assert (len(clicks), len(masks)) == (len(relations.CLICKED), len(relations.KNOWN))
    assert np.isfinite(clicks).all()
    assert np.isfinite(masks).all()


def test_the_classifier_tells_what_the_looks_tell():
    random = np.random.default_rng(3)
    known = scene()
    inside = random.random(known.shape) < 0.5
    known.sight.fine[:, 0, :13, :18] = inside  # one channel knows all
    told = Cue(inside.copy(), ~inside)
    told.inside[2:] = told.outside[2:] = False
    found = dict(zip(relations.KNOWN, relations.of_mask(known, *told), strict=True))["classifier"]
    assert found[2:][inside[2:]].mean() > 0.5
    assert found[2:][~inside[2:]].mean() < -0.5


def test_clicks_gather_what_the_head_says_and_objects_are_disjoint(some):
    levels = cut_out(some, {}, {1: Clicks(((0, 6, 6),)), 2: Clicks(((0, 6, 7),))}, by_membership())
    assert sorted(levels) == [1, 2]
    assert not ((levels[1] > 0.5) & (levels[2] > 0.5)).any()
    alone = cut_out(some, {}, {1: Clicks(((0, 6, 6),))}, by_membership())[1]
    assert ((levels[1] > 0.5) <= (alone > 0.5)).all()


def test_clicks_are_obeyed_whatever_the_heads_say(some):
    for bias, answer in ((30.0, True), (-30.0, False)):
        sure = Heads(linear(relations.CLICKED, bias), linear(relations.KNOWN, bias))
        level = cut_out(some, {}, {1: Clicks(((0, 6, 6),), ((1, 9, 12),))}, sure)[1]
        assert level[0, 6, 6] > 0.5
        assert level[1, 9, 12] < 0.5
        assert (level[3, 2, 2] > 0.5) == answer


def test_a_box_bounds_its_frame_and_no_other(some):
    everything = Heads(linear(relations.CLICKED, 30.0), linear(relations.KNOWN, 30.0))
    level = cut_out(some, {}, {1: Clicks(boxes=((2, 3, 4, 9, 12),))}, everything)[1] > 0.5
    assert level[2, 3:9, 4:12].all()
    assert level[2].sum() == 6 * 8
    assert level[0].all()


def test_what_is_nowhere_is_left_out(some):
    nowhere = Cue(np.zeros(some.shape, bool), np.ones(some.shape, bool))
    assert cut_out(some, {3: nowhere}, {}, by_membership()) == {}
    assert cut_out(some, {}, {3: Clicks(outside=((0, 1, 1),))}, by_membership()) == {}


def test_heads_are_written_down_and_read_again():
    random = np.random.default_rng(0)
    layers = [random.normal(size=shape).astype(np.float32) for shape in ((4, 3), (1, 4))]
    biases = [random.normal(size=len(layer)).astype(np.float32) for layer in layers]
    heads = Heads(Head(tuple(layers), tuple(biases)), linear(("a", "b"), 1.0, b=2.0))
    again = Heads.of(heads.arrays())
    features = random.normal(size=(3, 2, 2, 2)).astype(np.float32)
    np.testing.assert_array_equal(again.clicked(features), heads.clicked(features))
    hidden = np.maximum(np.tensordot(layers[0], features, 1) + biases[0][:, None, None, None], 0)
    raw = np.tensordot(layers[1], hidden, 1)[0] + biases[1]
    np.testing.assert_allclose(heads.clicked(features), 1 / (1 + np.exp(-raw)), rtol=1e-5)


def test_a_second_click_takes_the_whole_of_what_is_missed():
    parts = scene()
    parts.sight.outputs.embedding[:] = 0
    parts.sight.fine[:] = 0
    parts.sight.fine[:, :, :, 8:] = 40  # the object's other half, which the heads do not see
    parts.sight.fine[:, :, :, 14:] = -40  # what is not the object
    nothing = Heads(linear(relations.CLICKED, -1.0), linear(relations.KNOWN, -1.0))
    first = ((0, 6, 3),)
    assert (cut_out(parts, {}, {1: Clicks(first)}, nothing)[1] > 0.5).sum() <= 9, "around the click alone"
    both = cut_out(parts, {}, {1: Clicks((*first, (2, 6, 11)))}, nothing)[1] > 0.5
    assert both[:, :, 8:14].all()
    assert not both[:, :, 14:].any()


def test_an_object_is_not_in_shots_in_which_nothing_is_known_of_it(some):
    heads = by_membership()
    whole = cut_out(some, {}, {1: Clicks(((1, 6, 9),))}, heads)[1]
    cut = cut_out(replace(some, cuts=(1, 3)), {}, {1: Clicks(((1, 6, 9),))}, heads)[1]
    assert whole[[0, 3]].any()
    np.testing.assert_array_equal(cut, np.where(np.array([False, True, True, False])[:, None, None], whole, 0))
