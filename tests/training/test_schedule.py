from dataclasses import replace

import pytest
import torch

from chronomask.config import TrainConfig, paper_recipe
from chronomask.training.schedule import build_optimizer, clip_gradients, rate_share, set_rates
from model.networks import network_of, tiny


@pytest.fixture(scope="module")
def network():
    return network_of(tiny(channels=8))


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 1e-3), (59_999, 1e-3), (60_000, 1e-3), (110_000, 1e-4), (160_000, 1e-5)]
)
def test_the_papers_schedule_in_the_optimisers_own_groups(network, step, rate):
    """Section 5.3: 1e-3, from 60k iterations on decaying exponentially by 1e-2 over 100k; SGD with momentum 0.9."""
    config = paper_recipe()
    optimizer = build_optimizer(network, config)
    assert set_rates(optimizer, step, config) == pytest.approx(rate)
    assert isinstance(optimizer, torch.optim.SGD)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters()))
    for group in optimizer.param_groups:
        assert group["lr"] == pytest.approx(rate)
        assert group["momentum"] == 0.9
        assert group["weight_decay"] == 1e-4
        assert group["dampening"] == 0
        assert not group["nesterov"]


def test_the_papers_rate_follows_the_closed_form_and_stays_at_its_end():
    config = paper_recipe()
    for step in range(60_000, 160_000, 7919):
        assert rate_share(step, config) == pytest.approx(0.01 ** ((step - 60_000) / 100_000))
    assert rate_share(170_000, config) == pytest.approx(0.01)


def test_a_cosine_warms_up_and_falls_to_nothing():
    config = TrainConfig(steps=100, warmup=10)
    rates = [rate_share(step, config) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001
    assert rate_share(100, config) == pytest.approx(0)
    assert rate_share(0, TrainConfig(steps=5, warmup=0)) == 1


def test_the_backbone_has_its_own_rate_or_none(network):
    config = TrainConfig(backbone_rate=0.1, warmup=0)
    optimizer = build_optimizer(network, config)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert set_rates(optimizer, 0, config) == 1e-3
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-3, 1e-4])
    frozen = build_optimizer(network, replace(config, backbone_rate=0.0)).param_groups
    assert len(frozen) == 1
    assert len(frozen[0]["params"]) == len(optimizer.param_groups[0]["params"])


def test_gradients_are_clipped_group_by_group():
    weights = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [weight]} for weight in weights], lr=1.0)
    weights[0].grad, weights[1].grad = torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])
    assert clip_gradients(optimizer, 0.0) == pytest.approx(5)
    assert weights[0].grad.tolist() == [3, 4]
    assert clip_gradients(optimizer, 1.0) == pytest.approx(5)
    assert weights[0].grad.tolist() == pytest.approx([0.6, 0.8], abs=1e-4)
    assert weights[1].grad.tolist() == pytest.approx([0.3, 0.4])
