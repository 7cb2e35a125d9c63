"""The network cut in two for inference against the network as it is trained."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from chronomask.config import lite
from chronomask.engines.engine import padded
from chronomask.engines.opening import torch_engine
from chronomask.model.halves import decoded_names, feature_names, halves
from chronomask.model.mobilenet import SameConv2d
from chronomask.model.non_local import ChannelAffinity
from chronomask.tracking.outputs import place
from chronomask.training.objective import tracked_outputs
from model.networks import network_of, noise, tensors_of, tiny

pytestmark = pytest.mark.network

VARIANTS = {
    "lite": lite(),
    "one-squeeze": tiny(squeezes=(1, 0, 0, 0), class_source="backbone"),
    "mobilenet": tiny(backbone="mobilenet_v2", decoder_activation=True, class_source="backbone"),
    "paper-like": tiny(squeezes=(2, 2, 1, 0)),
    "no-squeeze": tiny(squeezes=(0, 0, 0, 0), foreground=True),
    "no-attention": tiny(attention="none"),
    "channels-alone": tiny(attention="channel", embedding=("y", "x", "t")),
    "space-time-alone": tiny(attention="space-time", decoder_activation=True),
    "squeeze-excitation": tiny(attention="se"),
    "flow": tiny(squeezes=(0, 0, 0, 0), aggregation="flow"),
    "cosine": tiny(embedding=("unit", "unit", "free", "unit")),
    "non-local": tiny(attention="non-local"),
    "dual": tiny(attention="dual"),
    "group-norm": tiny(norm="group", decoder_activation=True, foreground=True),
}


@cache
def plain(name):
    return as_trained(VARIANTS[name])


@cache
def engine(name, length, precision="float32"):
    """Made once for all sizes of its input."""
    return torch_engine(as_trained(VARIANTS[name]), length, precision=precision)


def as_trained(config):
    """A network whose attention and variances do not start out nearly constant."""
    network = network_of(config)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv3d):
            module.weight.data.normal_(0, module.weight[0].numel() ** -0.5, generator=generator)
        if isinstance(module, ChannelAffinity):
            module.beta.data.fill_(0.5)
    return network


def outputs_of(halved, frames):
    """What the halves say of a clip (T 3 H W) of any size."""
    known, size = halved.description, tuple(frames.shape[2:])
    features = halved.encode(padded(frames))
    classes = [frame.class_logits for frame in features if frame.class_logits is not None]
    return place(halved.decode(features), classes, known.embedding, known.foreground, size)


@torch.no_grad()
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(("length", "height", "width"), [(8, 64, 96), (5, 37, 50), (1, 32, 33), (2, 64, 32)])
def test_it_is_the_same_function(name, length, height, width):
    frames = noise(length, 3, height, width)
    expected = tensors_of(tracked_outputs(plain(name)(frames[None]), 0))
    outputs = tensors_of(outputs_of(engine(name, length), frames.numpy()))
    assert outputs.keys() == expected.keys()
    for key, values in expected.items():
        assert outputs[key].dtype == np.float32
        scale = np.abs(values).max()
        np.testing.assert_allclose(outputs[key] / scale, values / scale, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_names_say_what_the_encoder_gives_and_the_decoder_reads(name):
    config = VARIANTS[name]
    given, read = feature_names(config), decoded_names(config)
    encoder, decoder = halves(as_trained(config), 3)
    by_name = dict(zip(given, encoder(noise(2, 3, 64, 96)), strict=True))
    assert given[0] == "level_16"
    for key, values in by_name.items():
        stride = 16 if key == "class_logits" else int(key.split("_")[1])
        assert values.shape[0] == 2
        assert values.shape[2:] == (64 // stride, 96 // stride)
        if key.startswith("taps"):
            assert values.shape[1] == 3 * config.channels
    assert set(read) <= set(given)
    assert ("class_logits" in given) == (config.class_source == "backbone")
    assert len(read) == 4 + (config.aggregation == "flow")
    pixels = decoder(*(by_name[key][[0, 1, 1]] for key in read))
    classes = len(config.categories) if config.class_source == "decoder" else 0
    assert pixels.shape == (3, 2 * len(config.embedding) + 1 + config.foreground + classes, 16, 24)


def test_features_are_those_of_the_frames_however_they_arrive():
    halved, frames = engine("lite", 5), padded(noise(5, 3, 32, 64).numpy())
    whole = halved.encode(frames)
    parts = halved.encode(frames[:2]) + halved.encode(frames[2:])
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.look, other.look, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(one.class_logits, other.class_logits, rtol=1e-4, atol=1e-4)
        for values, same in zip(one.decoded, other.decoded, strict=True):
            torch.testing.assert_close(values, same, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_bfloat16_gives_nearly_the_same():
    """Also where a processor only emulates it."""
    frames = noise(4, 3, 64, 96)
    expected = tracked_outputs(plain("lite")(frames[None]), 0)
    outputs = outputs_of(engine("lite", 4, "bfloat16"), frames.numpy())
    assert outputs.heat.dtype == np.float32
    assert not np.array_equal(outputs.heat, expected.heat)
    assert np.abs(outputs.heat - expected.heat).mean() < 0.02
    assert np.abs(outputs.embedding - expected.embedding).mean() < 0.02


@torch.no_grad()
@pytest.mark.parametrize("name", ["lite", "mobilenet"])
def test_norms_are_folded_and_nothing_is_foreign_to_engines(name):
    for half in halves(as_trained(VARIANTS[name]), 4):
        modules = list(half.modules())
        foreign = nn.BatchNorm2d | nn.BatchNorm3d | nn.Conv3d | SameConv2d  # to engines, or slow there
        assert not any(isinstance(module, foreign) for module in modules)
        assert not any(module.inplace for module in modules if isinstance(module, nn.ReLU | nn.ReLU6))
        assert not any(parameter.requires_grad for parameter in half.parameters())
        assert not half.training
