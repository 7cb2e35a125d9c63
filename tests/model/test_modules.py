"""Squeeze, attention, decoder, folding and class scores against plain re-computations."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from chronomask.config import lite
from chronomask.model.attention import ChannelAttention, SpaceTimeAttention, SqueezeExcitation, build_attention
from chronomask.model.backbone import build_backbone
from chronomask.model.class_scores import masked_class_logits
from chronomask.model.convolution import PointwiseConvolution
from chronomask.model.decoder import Decoder, expand
from chronomask.model.folding import fold_batch_norm
from chronomask.model.fpn import FPN
from chronomask.model.non_local import KEYS, DualAttention, NonLocal, pooled
from chronomask.model.squeeze import Squeeze, average_pool_time
from model.networks import network_of, noise, shuffled_norms, tensors_of, tiny

pytestmark = pytest.mark.network


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def close(first, second):
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", range(3, 10))
def test_pooling_in_time_is_avgpool3d_that_does_not_count_its_padding(length):
    x = random(2, 3, length, 2, 5)
    peer = nn.AvgPool3d((3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0), count_include_pad=False)
    torch.testing.assert_close(average_pool_time(x), peer(x))


def test_pooling_in_time_of_one_and_two_frames():
    """PyTorch's own refuses what is shorter than its kernel."""
    x = random(2, 3, 2, 2, 5)
    torch.testing.assert_close(average_pool_time(x[:, :, :1]), x[:, :, :1])
    torch.testing.assert_close(average_pool_time(x), x.mean(2, keepdim=True))


def test_pooling_in_time_takes_bfloat16_and_leaves_its_input_alone():
    x = random(1, 2, 5, 2, 2).bfloat16()
    before = x.clone()
    assert average_pool_time(x).dtype == torch.bfloat16
    assert torch.equal(x, before)


def test_squeeze_is_convolution_norm_relu_pooling():
    for kind in ("batch", "group"):
        squeeze = shuffled_norms(Squeeze(4, kind)).eval()
        x = random(1, 4, 5, 3, 4)
        with torch.no_grad():
            expected = average_pool_time(squeeze.norm(F.conv3d(x, squeeze.conv.weight, padding=1)).clamp(min=0))
            close(squeeze(x), expected)
            assert expected.shape == (1, 4, 3, 3, 4)


@torch.no_grad()
def test_channel_attention_is_equation_1():
    module, x = ChannelAttention(8, 4), random(2, 8, 3, 4, 5)
    w0, b0 = module.mlp[0].weight, module.mlp[0].bias
    w1, b1 = module.mlp[2].weight, module.mlp[2].bias
    assert w0.shape == (2, 8)
    for clip in range(2):
        average = x[clip].flatten(1).mean(1)
        maximum = x[clip].flatten(1).max(1).values
        scores = sum(w1 @ torch.relu(w0 @ pooled + b0) + b1 for pooled in (average, maximum))
        expected = x[clip] * (1 / (1 + torch.exp(-scores))).view(8, 1, 1, 1)
        close(module(x)[clip], expected)


@torch.no_grad()
def test_space_time_attention_is_equation_2():
    module, x = SpaceTimeAttention(), random(1, 8, 3, 4, 5)
    weight, bias = module.conv.weight[0], module.conv.bias
    assert weight.shape == (2, 7, 7, 7)
    summary = torch.stack([x[0].mean(0), x[0].max(0).values])
    padded = F.pad(summary, (3,) * 6)
    for t, row, column in [(0, 0, 0), (1, 2, 3), (2, 3, 4)]:
        score = (padded[:, t : t + 7, row : row + 7, column : column + 7] * weight).sum() + bias
        close(module(x)[0, :, t, row, column], x[0, :, t, row, column] * torch.sigmoid(score))


@torch.no_grad()
def test_squeeze_excitation_is_that_of_senet():
    module, x = SqueezeExcitation(8, 4), random(2, 8, 3, 4, 5)
    scores = module.mlp[2](torch.relu(module.mlp[0](x.mean((2, 3, 4)))))
    close(module(x), x * (1 / (1 + torch.exp(-scores))).view(2, 8, 1, 1, 1))


@torch.no_grad()
def test_non_local_attention_is_a_softmax_over_all_places():
    """Of a clip so small that nothing is pooled; and it changes nothing at first."""
    module, x = NonLocal(6), random(1, 6, 2, 3, 4)
    close(module(x), x)
    nn.init.normal_(module.output.weight)
    flat = x[0].flatten(1)
    query, key, value = (
        part.weight.flatten(1) @ flat + part.bias[:, None] for part in (module.query, module.key, module.value)
    )
    answers = value @ (query.T @ key).softmax(1).T
    expected = flat + module.output.weight.flatten(1) @ answers
    close(module(x)[0].flatten(1), expected)


@torch.no_grad()
def test_dual_attention_is_the_sum_of_places_and_channels():
    module, x = DualAttention(16), random(1, 16, 2, 12, 10)
    close(module(x), x)
    module.channels.beta.fill_(0.7)
    flat = x[0].flatten(1)
    close(module(x)[0].flatten(1), flat + 0.7 * (flat @ flat.T / flat.shape[1]).softmax(1) @ flat)
    nn.init.normal_(module.places.output.weight)
    close(module(x), module.places(x) + module.channels(x) - x)


def test_keys_of_large_levels_are_pooled():
    assert pooled(random(2, 4, 3, 20, 5)).shape == (2, 4, 3, KEYS, 5)


@torch.no_grad()
def test_attention_has_the_halves_that_its_name_says_channels_first():
    kinds = {"none": [], "channel": [ChannelAttention], "space-time": [SpaceTimeAttention]}
    kinds |= {"se": [SqueezeExcitation], "non-local": [NonLocal], "dual": [DualAttention]}
    kinds["both"] = kinds["channel"] + kinds["space-time"]
    x = random(1, 8, 2, 3, 3)
    for kind, expected in kinds.items():
        module = build_attention(kind, 8, 16)
        assert [type(part) for part in module] == expected
        assert module(x).shape == x.shape
    close(module(x), module[1](module[0](x)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_a_pointwise_convolution_is_one_of_pytorch(bias, layout):
    ours = PointwiseConvolution(6, 3, bias=bias)
    theirs = nn.Conv3d(6, 3, 1, bias=bias)
    theirs.load_state_dict(ours.state_dict())
    x = random(2, 6, 3, 5, 4).to(memory_format=layout)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [layer(values) for layer, values in zip((ours, theirs), inputs, strict=True)]
    close(*outputs)
    for output in outputs:
        output.square().sum().backward()
    close(inputs[0].grad, inputs[1].grad)
    close(ours.weight.grad, theirs.weight.grad)


@torch.no_grad()
def test_decoder_without_activation_is_the_papers_expand_and_combine():
    decoder = Decoder(3, 4, "batch", activation=False)
    levels = [random(1, 4, 4, 8, 8), random(1, 4, 4, 4, 4, seed=1), random(1, 4, 2, 2, 2, seed=2)]
    assert all(isinstance(layer, PointwiseConvolution) for layer in decoder.combine)
    middle = F.interpolate(levels[2], scale_factor=(2, 2, 2), mode="trilinear")
    middle = decoder.combine[0](torch.cat([middle, levels[1]], 1))
    fine = F.interpolate(middle, scale_factor=(1, 2, 2), mode="trilinear")  # time is as long already
    close(decoder(levels), decoder.last(decoder.combine[1](torch.cat([fine, levels[0]], 1))))


@torch.no_grad()
def test_fpn_adds_what_is_coarser():
    fpn = FPN((3, 5), 4)
    fine, coarse = random(2, 3, 4, 6), random(2, 5, 2, 3)
    top = fpn.lateral[1](coarse)
    down = fpn.lateral[0](fine) + top.repeat_interleave(2, 2).repeat_interleave(2, 3)
    out = fpn([fine, coarse])
    close(out[1], fpn.output[1](top))
    close(out[0], fpn.output[0](down))


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_lite0", "mobilenet_v2"])
def test_folding_keeps_what_a_backbone_computes(name):
    torch.manual_seed(0)
    backbone = shuffled_norms(build_backbone(name)).eval()
    pixels = noise(2, 3, 32, 64)
    before = backbone(pixels)
    folded = fold_batch_norm(backbone)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    for plain, fast in zip(before, folded(pixels), strict=True):
        scale = plain.abs().max()
        torch.testing.assert_close(fast / scale, plain / scale, rtol=1e-3, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("config", [lite(), tiny(decoder_activation=True), tiny(norm="group")], ids=["lite", "b", "g"])
def test_folding_keeps_what_the_network_computes(config):
    network, frames = network_of(config), noise(1, 4, 3, 32, 40)
    before = tensors_of(network(frames))
    after = tensors_of(fold_batch_norm(network)(frames))
    assert not any(isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d) for module in network.modules())
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=1e-3, atol=1e-3)


def test_a_frozen_backbone_computes_the_same_and_stays_in_the_checkpoint():
    network, frames = network_of(tiny(backbone="efficientnet_lite0")), noise(1, 2, 3, 32, 40)
    names = set(network.state_dict())
    with torch.no_grad():
        before = tensors_of(network(frames))
    network.freeze_backbone()
    assert set(network.state_dict()) == names
    outputs = tensors_of(network.train().eval()(frames))
    for name, tensor in before.items():
        torch.testing.assert_close(outputs[name], tensor, rtol=1e-3, atol=1e-3)
    outputs["heat"].sum().backward()
    assert all(parameter.grad is None for parameter in network.backbone.parameters())
    assert all(not parameter.requires_grad for parameter in network._run_backbone.parameters())
    assert network.fpn.lateral[3].weight.grad is not None


def test_class_scores_average_over_the_mask():
    logits = random(5, 2, 3, 4)
    mask = torch.zeros(2, 3, 4, dtype=torch.bool)
    mask[0, 1, 2] = mask[1, 0, 0] = True
    close(masked_class_logits(logits, mask), (logits[:, 0, 1, 2] + logits[:, 1, 0, 0]) / 2)


@pytest.mark.parametrize(("rows", "columns"), [(8, 12), (5, 9), (7, 2), (1, 10)])
def test_coarse_class_scores_count_by_the_share_of_their_cells(rows, columns):
    """Whatever the size: cells at the border that reach beyond the frame included."""
    logits = random(3, 2, -(-rows // 4), -(-columns // 4))
    mask = random(2, rows, columns, seed=1) > 0
    fine = logits.repeat_interleave(4, 2).repeat_interleave(4, 3)[..., :rows, :columns]
    close(masked_class_logits(logits, mask), fine[:, mask].mean(1))


@pytest.mark.parametrize(("length", "size"), [(1, (2, 6, 10)), (2, (4, 6, 10)), (3, (3, 6, 10)), (3, (5, 6, 10))])
def test_expand_is_trilinear_upsampling(length, size):
    x = random(2, 3, length, 3, 5).requires_grad_()
    weights = random(2, 3, *size, seed=1)
    ours, theirs = expand(x, size), F.interpolate(x, size=size, mode="trilinear", align_corners=False)
    close(ours, theirs)
    close(*(torch.autograd.grad((y * weights).sum(), x)[0] for y in (ours, theirs)))
