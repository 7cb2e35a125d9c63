"""The network arranged for inference against the network as it is trained."""

from functools import cache

import pytest
import torch
from torch import nn

from chronomask.config import lite
from chronomask.model.backbone import build_backbone
from chronomask.model.fast import FastNetwork
from chronomask.model.folding import fold_batch_norm
from chronomask.model.fused import FusedConvolution, can_fuse, fuse_activations
from chronomask.model.network import FrameFeatures
from model.networks import network_of, noise, shuffled_norms, tensors_of, tiny

CPU = torch.device("cpu")
VARIANTS = {
    "lite": lite(),
    "mobilenet": tiny(backbone="mobilenet_v2", decoder_activation=True, class_source="backbone"),
    "paper-like": tiny(squeezes=(2, 2, 1, 0)),
    "no-squeeze": tiny(squeezes=(0, 0, 0, 0), foreground=True),
    "no-attention": tiny(attention="none"),
    "channels-alone": tiny(attention="channel", embedding=("y", "x", "t")),
    "space-time-alone": tiny(attention="space-time", decoder_activation=True),
    "group-norm": tiny(norm="group", decoder_activation=True, foreground=True),
}


@cache
def plain_and_fast(name):
    """Both arrangements of a network, made once for all sizes of its input."""
    return as_trained(VARIANTS[name]), FastNetwork(as_trained(VARIANTS[name]), CPU)


def as_trained(config):
    """A network whose attention and variances do not start out nearly constant."""
    network = network_of(config)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv3d):
            module.weight.data.normal_(0, module.weight[0].numel() ** -0.5, generator=generator)
    return network


@torch.no_grad()
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(("length", "height", "width"), [(8, 64, 96), (5, 37, 50), (1, 32, 33)])
def test_it_is_the_same_function(name, length, height, width):
    frames = noise(length, 3, height, width)
    plain, fast = plain_and_fast(name)
    expected = tensors_of(plain.decode(plain.encode(frames), 1, (height, width)))
    outputs = tensors_of(fast.decode(fast.encode(frames), 1, (height, width)))
    assert outputs.keys() == expected.keys()
    for key, tensor in expected.items():
        assert outputs[key].dtype == torch.float32
        scale = tensor.abs().max()
        torch.testing.assert_close(outputs[key] / scale, tensor / scale, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_features_are_those_of_the_frames_however_they_arrive():
    fast, frames = FastNetwork(network_of(lite()), CPU), noise(5, 3, 32, 64)
    whole = fast.encode(frames)
    parts = FrameFeatures.joined([fast.encode(frames[:2]), fast.encode(frames[2:])])
    torch.testing.assert_close(whole.class_logits, parts.class_logits, rtol=1e-4, atol=1e-4)
    for name in ("levels", "taps"):
        for one, other in zip(getattr(whole, name), getattr(parts, name), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert len(whole.taps) == 3
    assert len(whole[1:4]) == 3
    assert all(len(taps) == 3 for taps in whole[1:4].taps)


@torch.no_grad()
def test_autocast_gives_nearly_the_same():
    """As on processors with matrix units, where nothing is fused."""
    plain, frames = as_trained(lite()), noise(4, 3, 64, 96)
    expected = plain.decode(plain.encode(frames), 1, (64, 96))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
        fast = FastNetwork(as_trained(lite()), CPU)
    assert not any(isinstance(module, FusedConvolution) for module in fast.modules())
    with torch.autocast("cpu", torch.bfloat16):
        outputs = fast.decode(fast.encode(frames), 1, (64, 96))
    assert outputs.heat.dtype == torch.float32
    assert (outputs.heat - expected.heat).abs().mean() < 0.02
    assert (outputs.embedding - expected.embedding).abs().mean() < 0.02


@torch.no_grad()
@pytest.mark.skipif(not can_fuse(CPU), reason="this PyTorch has no oneDNN, or this processor matrix units")
@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v2", "resnet50"])
def test_fused_activations_change_nothing(name):
    torch.manual_seed(0)
    backbone = fold_batch_norm(shuffled_norms(build_backbone(name)))
    pixels = noise(2, 3, 32, 64)
    before = backbone(pixels)
    fused = fuse_activations(backbone)
    assert any(isinstance(module, FusedConvolution) for module in fused.modules()) == (name != "resnet50")
    for plain, fast in zip(before, fused(pixels), strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-4 * float(plain.abs().max()))


def test_activations_are_fused_with_what_stands_right_before_them():
    def layers(module):
        return [type(layer) for layer in fuse_activations(module)]

    conv = nn.Conv2d(2, 2, 1)
    assert layers(nn.Sequential(conv, nn.Identity(), nn.ReLU6())) == [FusedConvolution, nn.Identity, nn.Identity]
    assert layers(nn.Sequential(conv, nn.BatchNorm2d(2), nn.ReLU())) == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert layers(nn.Sequential(conv, nn.ReLU(), nn.ReLU6())) == [FusedConvolution, nn.Identity, nn.ReLU6]
    assert layers(nn.Sequential(nn.ReLU(), conv)) == [nn.ReLU, nn.Conv2d]
