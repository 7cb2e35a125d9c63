import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from chronomask.config import model_to_json
from chronomask.errors import InputError
from chronomask.model.checkpoint import load_network, save_network
from chronomask.model.importing.reading import read_tensors
from chronomask.model.network import Network
from model.networks import network_of, noise, tensors_of, tiny


@pytest.fixture
def network():
    return network_of(tiny(foreground=True, channels=8))


def rewritten(path, change, metadata=None):
    """Writes the checkpoint again with `change` applied to its dict of tensors."""
    with safe_open(path, "pt") as file:
        metadata = {**file.metadata(), **(metadata or {})}
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata)
    return path


@pytest.fixture
def path(network, tmp_path):
    path = tmp_path / "small.safetensors"
    save_network(path, network, half=False)
    return path


@torch.no_grad()
def test_single_precision_comes_back_exactly(network, path):
    loaded = load_network(path)
    assert loaded.config == network.config
    assert not loaded.training
    frames = noise(1, 2, 3, 32, 32)
    for name, tensor in tensors_of(network(frames)).items():
        assert torch.equal(tensor, tensors_of(loaded(frames))[name]), name


@torch.no_grad()
def test_half_precision_spares_what_may_exceed_it(network, path):
    network.squeeze[1][0].norm.running_var.fill_(1e6)
    save_network(path, network, half=True)
    assert (load_network(path).squeeze[1][0].norm.running_var == 1e6).all()


def test_half_precision_comes_back_closely_in_half_the_size(network, path, tmp_path):
    half = tmp_path / "folder" / "half.safetensors"
    save_network(half, network, half=True)
    assert half.stat().st_size < 0.55 * path.stat().st_size
    loaded = load_network(half)
    assert {tensor.dtype for tensor in loaded.parameters()} == {torch.float32}
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)


def test_names_that_are_no_utf8(network, path, tmp_path):
    path = path.rename(tmp_path / os.fsdecode(b"caf\xe9.safetensors"))
    assert load_network(path).config == network.config
    assert torch.equal(read_tensors(path)["heat_head.bias"], network.heat_head.bias)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"absent\.safetensors: no such checkpoint file"):
        load_network(tmp_path / "absent.safetensors")


def test_text_empty_and_cut_files(path, tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("these are no weights at all")
    with pytest.raises(InputError, match=r"text\.safetensors: not a safetensors file"):
        load_network(text)
    text.write_bytes(b"")
    with pytest.raises(InputError, match=r"text\.safetensors: not a safetensors file"):
        load_network(text)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"small\.safetensors: not a safetensors file"):
        load_network(path)


def test_weights_of_another_program(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=r"foreign\.safetensors: not a checkpoint of this project"):
        load_network(path)


@pytest.mark.parametrize("config", ["", "[]", '{"channels": 8}', '{"categories": [{"id": 1}]}'])
def test_configuration_that_is_none(path, config):
    rewritten(path, lambda tensors: None, {"config": config})
    with pytest.raises(InputError, match=r"small\.safetensors: model configuration: "):
        load_network(path)


def test_field_of_a_later_version(path, network):
    later = model_to_json(network.config)[:-1] + ', "colour": 1}'
    rewritten(path, lambda tensors: None, {"config": later, "format": Network.FORMAT})
    with pytest.raises(InputError, match="colour"):
        load_network(path)


def test_missing_tensor(path):
    rewritten(path, lambda tensors: tensors.pop("heat_head.bias"))
    with pytest.raises(InputError, match=r"small\.safetensors: lacks the tensor heat_head\.bias \(1 missing\)"):
        load_network(path)


def test_unknown_tensor(path):
    rewritten(path, lambda tensors: tensors.update(extra=torch.zeros(1)))
    with pytest.raises(InputError, match=r"small\.safetensors: holds the unknown tensor extra \(1 unknown\)"):
        load_network(path)


def test_tensor_of_another_shape(path):
    rewritten(path, lambda tensors: tensors.update({"heat_head.bias": torch.zeros(3)}))
    with pytest.raises(InputError, match=r"small\.safetensors: heat_head\.bias has shape \(3,\), not \(1,\)"):
        load_network(path)


@pytest.mark.parametrize(("value", "half"), [(float("nan"), False), (float("nan"), True), (float("-inf"), True)])
def test_values_that_are_not_finite(network, path, value, half):
    with torch.no_grad():
        network.heat_head.weight[0, 2] = value
    save_network(path, network, half=half)
    with pytest.raises(InputError, match=r"small\.safetensors: heat_head\.weight holds .* NaN \(1 of 8 values\)"):
        load_network(path)


def test_statistics_that_are_not_finite(network, path):
    network.squeeze[1][0].norm.running_var[3:5] = float("inf")
    save_network(path, network, half=False)
    with pytest.raises(InputError, match=r"squeeze\.1\.0\.norm\.running_var holds .* \(2 of 8 values\)"):
        load_network(path)


def test_a_network_is_not_built_before_it_is_compared(path):
    """One of the largest configuration that is allowed would take hundreds of gigabytes."""
    with safe_open(path, "pt") as file:
        config = file.metadata()["config"]
    rewritten(path, lambda tensors: None, {"config": config.replace('"channels": 8', '"channels": 4096')})
    with pytest.raises(InputError, match=r"small\.safetensors: .* has shape .* not .*4096"):
        load_network(path)


def test_equal_weights_are_equal_bytes(network, tmp_path):
    for number in range(8):
        save_network(tmp_path / f"{number}.safetensors", network, half=True)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
