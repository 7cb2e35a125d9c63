import pytest
import torch

from chronomask.categories import Category
from chronomask.config.training import fine_tune_recipe
from chronomask.engines.models import bundled_weights
from chronomask.model.checkpoint import load_network
from chronomask.training import known_objects as module
from chronomask.training.class_head import with_classes
from chronomask.training.known_objects import fit_among_others, gather_known_objects, known_objects
from chronomask.training.schedule import build_optimizer

MINE = (Category(1, "my giraffe"), Category(2, "my pizza"))


@pytest.fixture(scope="module")
def lite():
    return load_network(bundled_weights("lite"))


@pytest.fixture
def known(lite):
    return known_objects(lite)


def named(known, *names):
    """The features of all known objects of these classes, and which of the names each has."""
    index = {
        category.name: number for number, category in enumerate(load_network(bundled_weights("lite")).config.categories)
    }
    rows = [(known.classes == index[name]).nonzero()[:, 0] for name in names]
    ids = torch.cat([torch.full((len(some),), number) for number, some in enumerate(rows)])
    return known.features[torch.cat(rows)], ids


@torch.no_grad()
def said(network, features):
    return network.class_head.scores(features[:, :, None, None])[:, :, 0, 0].softmax(1)


def test_they_belong_to_the_bundled_weights(lite, known):
    assert len(known.classes.unique()) > 80
    right = said(lite, known.features).argmax(1) == known.classes
    assert right.float().mean() > 0.4  # many are small; by chance it would be one in a hundred


def test_networks_that_see_otherwise_have_none(lite):
    other, _ = with_classes(lite, MINE)
    assert known_objects(other) is not None
    with torch.no_grad():
        other.class_head.fine.weight[0, 0] += 1
    assert known_objects(other) is None


def test_a_users_classes_are_told_from_each_other_and_from_all_else(lite, known, monkeypatch):
    features, ids = named(known, "giraffe", "pizza")
    monkeypatch.setattr(module, "objects_of", lambda *some: (features, ids))
    monkeypatch.setattr(module, "ClipMixture", lambda *some: None)
    network, _ = with_classes(lite, MINE, others=True)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fit_among_others(network, known, [], fine_tune_recipe().data)
    assert (said(network, features).argmax(1) == ids).all()
    others = known.but_for(known.seen_in(features, ids))
    assert len(others) <= len(known.features) - len(features)
    assert (said(network, others).argmax(1) == len(MINE)).float().mean() > 0.95
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"class_head.scores.weight", "class_head.scores.bias"}


def test_what_a_users_class_is_a_kind_of_is_no_other(known):
    features, ids = named(known, "zebra")
    others = known.but_for(known.seen_in(features, ids))
    assert not any((others == row).all(1).any() for row in features)
    assert len(others) >= len(known.features) - 20


def test_all_that_is_known_may_be_the_users(lite, known, monkeypatch):
    monkeypatch.setattr(module, "objects_of", lambda *some: (known.features, known.classes))
    monkeypatch.setattr(module, "ClipMixture", lambda *some: None)
    network, names = with_classes(lite, lite.config.categories, others=True)
    fit_among_others(network, known, [], fine_tune_recipe().data, steps=2)
    assert len(names) == len(lite.config.categories)


def test_training_leaves_such_a_head_alone(lite):
    network, _ = with_classes(lite, MINE, others=True)
    trained = {id(p) for group in build_optimizer(network, fine_tune_recipe()).param_groups for p in group["params"]}
    assert not trained & {id(parameter) for parameter in network.class_head.parameters()}
    plain, _ = with_classes(lite, MINE)
    trained = {id(p) for group in build_optimizer(plain, fine_tune_recipe()).param_groups for p in group["params"]}
    assert {id(parameter) for parameter in plain.class_head.parameters()} <= trained


def test_so_many_of_every_class_are_gathered(lite, monkeypatch):
    features, ids = torch.randn(9, 256), torch.tensor([3, 3, 3, 7, 7, 3, 3, 7, 90])
    monkeypatch.setattr(module, "objects_of", lambda *some: (features, ids))
    monkeypatch.setattr(module, "ClipMixture", lambda *some: None)
    arrays = gather_known_objects(lite, [], fine_tune_recipe().data, views=1, each=2, seed=0)
    assert sorted(arrays["classes"].tolist()) == [3, 3, 7, 7, 90]
    for feature, number in zip(arrays["features"], arrays["classes"], strict=True):
        assert any(torch.equal(torch.from_numpy(feature), row) for row in features[ids == int(number)].half())
