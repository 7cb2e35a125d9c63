"""The mean of checkpoints, as `chronomask average` writes it."""

import re

import pytest
import torch

from chronomask.cli import main
from chronomask.model.checkpoint import load_network, save_network
from chronomask.model.network import Network
from model.networks import tiny


@pytest.fixture
def checkpoints(tmp_path):
    """Two of one network: all weights 1 and 4, all statistics 1 and 4."""
    paths = [tmp_path / "one.safetensors", tmp_path / "four.safetensors"]
    for path, value in zip(paths, (1.0, 4.0), strict=True):
        network = Network(tiny())
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.fill_(value)
        save_network(path, network, half=False)
    return paths


def test_every_weight_is_the_mean_and_the_checkpoints_stay(checkpoints, tmp_path):
    before = [path.read_bytes() for path in checkpoints]
    assert (
        main(["average", *map(str, checkpoints), str(checkpoints[1]), "--out", str(tmp_path / "mean.safetensors")]) == 0
    )
    states = load_network(tmp_path / "mean.safetensors").state_dict()
    assert all(torch.equal(t, torch.full_like(t, 3.0)) for t in states.values() if t.is_floating_point())
    assert [path.read_bytes() for path in checkpoints] == before


def test_another_network_is_refused(checkpoints, tmp_path, capsys):
    save_network(tmp_path / "other.safetensors", Network(tiny(channels=8)), half=False)
    given = [str(checkpoints[0]), str(tmp_path / "other.safetensors")]
    assert main(["average", *given, "--out", str(tmp_path / "mean.safetensors")]) == 2
    assert re.search("checkpoint 2: is another network than the first", capsys.readouterr().err)
    assert not (tmp_path / "mean.safetensors").exists()


def test_one_checkpoint_is_none_to_average(checkpoints, tmp_path, capsys):
    assert main(["average", str(checkpoints[0]), "--out", str(tmp_path / "mean.safetensors")]) == 2
    assert "two checkpoints or more" in capsys.readouterr().err
