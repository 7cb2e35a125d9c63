import csv
import json
from dataclasses import replace

import pytest
import torch

from chronomask.config import LossConfig, MixtureConfig, TrainConfig, model_from_json
from chronomask.data.sources import open_training_source
from chronomask.errors import InputError
from chronomask.model.checkpoint import load_network
from chronomask.training import loop
from chronomask.training.loop import MovingAverage, build_optimizer, learning_rate, train
from data.files import NETWORK, small_set
from model.networks import network_of, tiny

MODEL = tiny(channels=8, categories=NETWORK, foreground=True, decoder_activation=True)
SHORT = TrainConfig(
    steps=4,
    batch=2,
    warmup=2,
    workers=0,
    checkpoint_every=2,
    backbone_rate=0.1,
    data=MixtureConfig(length=3, height=32, width=48),
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return [open_training_source(str(path), NETWORK) for path in small_set(tmp_path_factory.mktemp("set"))[1:]]


def rows_of(folder):
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_learning_rate_warms_up_and_falls_to_nothing():
    config = TrainConfig(steps=100, warmup=10)
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001
    assert learning_rate(100, config) == pytest.approx(0)
    assert learning_rate(0, TrainConfig(steps=5, warmup=0)) == 1


def test_moving_average_forgets_the_random_start():
    network = network_of(MODEL)
    average = MovingAverage(network, 0.9)
    before = network.heat_head.bias.item()
    torch.nn.init.constant_(network.heat_head.bias, 1.0)
    average.update(network, 0)
    assert average.network.heat_head.bias.item() == pytest.approx(before * 0.1 + 0.9)
    average.update(network, 10_000)
    assert average.network.heat_head.bias.item() == pytest.approx((before * 0.1 + 0.9) * 0.9 + 0.1)
    network.squeeze[1][0].norm.running_mean.fill_(5.0)
    average.update(network, 0)
    assert average.network.squeeze[1][0].norm.running_mean.mean() > 4


def test_the_backbone_has_its_own_rate_or_none():
    network = network_of(MODEL)
    groups = build_optimizer(network, SHORT).param_groups
    assert [group["scale"] for group in groups] == [1.0, 0.1]
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    frozen = build_optimizer(network, replace(SHORT, backbone_rate=0.0)).param_groups
    assert len(frozen) == 1
    assert len(frozen[0]["params"]) == len(groups[0]["params"])


@pytest.mark.parametrize("backbone_rate", [0.1, 0.0])
def test_a_stopped_run_continues_bit_for_bit(sources, tmp_path, monkeypatch, backbone_rate):
    config = replace(SHORT, backbone_rate=backbone_rate)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    network = network_of(MODEL)
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    train(network, sources, config, whole)

    described = json.loads((whole / "config.json").read_text())
    assert model_from_json(json.dumps(described["model"])) == MODEL
    assert described["train"]["data"]["width"] == 48
    assert [row["step"] for row in rows_of(whole)] == ["0"]
    assert {"loss", "embedding", "smooth", "center", "classification", "foreground", "seconds"} <= set(
        rows_of(whole)[0]
    )
    assert {path.name for path in whole.iterdir()} == {"config.json", "log.csv", "model.safetensors", "state.pt"}
    trained = network.state_dict()
    moved = {name for name in start if not torch.equal(start[name], trained[name])}
    assert "embedding_head.weight" in moved
    assert ("backbone.conv1.weight" in moved) == (backbone_rate > 0)
    assert not any("running" in name for name in moved if name.startswith("backbone."))

    class Stopped(Exception):
        pass

    def stop(out, step, *rest):
        save(out, step, *rest)
        raise Stopped

    save = loop._save_state
    monkeypatch.setattr(loop, "_save_state", stop)
    with pytest.raises(Stopped):
        train(network_of(MODEL), sources, config, parts)
    monkeypatch.setattr(loop, "_save_state", save)
    # Even from other weights: what continues is the run in the folder.
    continued = network_of(MODEL, seed=7)
    train(continued, sources, config, parts)
    for name, tensor in trained.items():
        assert torch.equal(continued.state_dict()[name], tensor), name
    saved = [load_network(folder / "model.safetensors").state_dict() for folder in (whole, parts)]
    for name, tensor in saved[0].items():
        assert torch.equal(saved[1][name], tensor), name

    before = (parts / "model.safetensors").stat().st_mtime_ns
    train(continued, sources, config, parts)  # nothing is left to do
    assert (parts / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"config\.json: the folder holds a run with another configuration"):
        train(continued, sources, replace(config, learning_rate=0.5), parts)
    with pytest.raises(InputError, match="another configuration"):
        train(network_of(tiny(categories=NETWORK)), sources, config, parts)


def test_steps_are_logged_once_however_often_a_run_is_stopped(sources, tmp_path, monkeypatch):
    """A run that is stopped between two checkpoints does some steps twice."""
    config = replace(
        SHORT, backbone_rate=0.0, steps=21, batch=1, checkpoint_every=5, data=replace(SHORT.data, length=1)
    )
    update, stops = MovingAverage.update, [8, 14]

    def update_or_stop(average, network, step):
        update(average, network, step)
        if step in stops:
            stops.remove(step)
            raise KeyboardInterrupt

    monkeypatch.setattr(MovingAverage, "update", update_or_stop)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(network_of(MODEL), sources, config, tmp_path)
    train(network_of(MODEL), sources, config, tmp_path)
    assert [row["step"] for row in rows_of(tmp_path)] == ["0", "10", "20"]


def test_a_loss_that_is_not_finite_names_its_clips(sources, tmp_path):
    network = network_of(MODEL)
    torch.nn.init.constant_(network.embedding_head.weight, float("nan"))
    with pytest.raises(FloatingPointError, match=r"step 0: the loss is nan; clips: videos\.json: video-0, frames"):
        train(network, sources, SHORT, tmp_path)
    assert not (tmp_path / "state.pt").exists()


def test_losses_at_full_resolution_train_too(sources, tmp_path):
    config = replace(SHORT, steps=1, batch=1, losses=LossConfig(stride=1))
    train(network_of(tiny(channels=8, categories=NETWORK, class_source="backbone")), sources, config, tmp_path)
    assert float(rows_of(tmp_path)[0]["loss"]) > 0


def test_workers_change_nothing(sources, tmp_path):
    networks = []
    for workers in (0, 1):
        networks.append(network_of(MODEL))
        config = replace(SHORT, steps=2, batch=1, workers=workers)
        train(networks[-1], sources, config, tmp_path / str(workers))
    for name, tensor in networks[0].state_dict().items():
        assert torch.equal(networks[1].state_dict()[name], tensor), name
