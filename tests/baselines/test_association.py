"""The tracking head of MaskTrack R-CNN: learning, gradients, checkpoints."""

from unittest import mock

import numpy as np
import pytest
import torch

from baselines.clips import batch_of, film, thin_backbone
from chronomask.baselines.association import association_of, load_association, pooled
from chronomask.errors import InputError
from chronomask.model.checkpoint import save_network
from chronomask.model.network import Network
from model.networks import network_of, tiny


def thin_head(seed=0):
    torch.manual_seed(seed)
    with mock.patch("chronomask.model.network.build_backbone", side_effect=lambda *_: thin_backbone()):
        network = association_of(Network(tiny(channels=8)))
    network.freeze_backbone()
    return network.train()


def test_it_learns_who_is_who_and_others_gain():
    network, held_out = thin_head(), batch_of(*(film(length=2, objects=3, seed=k) for k in range(900, 906)))
    before = network(held_out)
    optimizer = torch.optim.AdamW(network.head.parameters(), lr=1e-2)
    for step in range(40):
        optimizer.zero_grad()
        network(batch_of(*(film(length=2, objects=3, seed=3 * step + k) for k in range(3))))["loss"].backward()
        optimizer.step()
    after = network(held_out)
    assert after["loss"].item() < 0.7 * before["loss"].item()
    assert after["right"].item() > before["right"].item()


def test_gradients_reach_the_head_alone():
    network = thin_head()
    network(batch_of(film(length=2)))["loss"].backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    assert reached == {name for name, _ in network.named_parameters() if name.startswith("head.")}


def test_what_was_not_there_before_is_new():
    """With a head of zeros all choices are equally likely: the loss is the logarithm of their number."""
    network, clip = thin_head(), film(length=2, objects=2)
    for p in network.head.parameters():
        torch.nn.init.zeros_(p)
    assert network(batch_of(clip))["loss"].item() == pytest.approx(np.log(3), rel=1e-5)
    clip.masks[0, 0] = False
    terms = network(batch_of(clip))
    assert terms["loss"].item() == pytest.approx(np.log(2), rel=1e-5)
    assert terms["right"].item() == 0.5  # argmax is "new", which is right for one of two
    clip.masks[:] = False
    assert network(batch_of(clip))["loss"].item() == 0


def test_features_are_means_over_masks():
    features = torch.arange(2 * 3 * 4, dtype=torch.float32).reshape(2, 3, 4)
    masks = torch.zeros(2, 12, 16, dtype=torch.bool)
    masks[0, :4, :4] = True  # one cell
    masks[1, 4:8, 2:6] = True  # half of each of two
    expected = torch.stack([features[:, 0, 0], (features[:, 1, 0] + features[:, 1, 1]) / 2])
    torch.testing.assert_close(pooled(features, masks), expected)


def test_a_head_is_the_same_when_it_is_loaded(tmp_path):
    network = association_of(network_of(tiny(channels=8)))
    save_network(tmp_path / "h.safetensors", network, half=False)
    loaded, features = load_association(tmp_path / "h.safetensors"), np.ones((2, 8), np.float32)
    assert loaded.config == network.config
    np.testing.assert_array_equal(loaded.embedded(features), network.embedded(features))
    save_network(tmp_path / "n.safetensors", network_of(tiny(channels=8)), half=False)
    with pytest.raises(InputError, match=r"n\.safetensors: not a checkpoint of kind chronomask-association-1"):
        load_association(tmp_path / "n.safetensors")
    with pytest.raises(InputError, match="features of detections have 3 numbers, this head reads 8"):
        loaded.embedded(np.ones((2, 3), np.float32))
