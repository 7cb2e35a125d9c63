import pytest
import torch

from chronomask.config import ModelConfig, lite, paper
from chronomask.errors import InputError
from chronomask.model.backbone import build_backbone
from chronomask.model.backbone_network import to_channels_last
from chronomask.model.network import Network
from model.networks import network_of, noise, tensors_of, tiny

pytestmark = pytest.mark.network

SIZES = [(1, 32, 64), (2, 5, 7), (3, 33, 70), (5, 64, 31), (8, 48, 40), (7, 1, 1)]
"""T, H, W: multiples of 32, odd, below 32, and neither."""


@torch.no_grad()
def assert_shapes(network, clips, length, height, width):
    config = network.config
    outputs = network(noise(clips, length, 3, height, width))
    rows, columns = -(-height // 4), -(-width // 4)
    dimensions = len(config.embedding)
    assert outputs.embedding.shape == (clips, dimensions, length, rows, columns)
    assert outputs.log_variance.shape == (clips, dimensions, length, rows, columns)
    assert outputs.heat.shape == (clips, length, rows, columns)
    assert ((outputs.heat >= 0) & (outputs.heat <= 1)).all()
    cells = (rows, columns) if config.class_source == "decoder" else (-(-height // 16), -(-width // 16))
    assert outputs.class_logits.shape == (clips, len(config.categories), length, *cells)
    if config.foreground:
        assert outputs.foreground_logits.shape == (clips, length, rows, columns)
    else:
        assert outputs.foreground_logits is None
    for name, tensor in tensors_of(outputs).items():
        assert tensor.isfinite().all(), name
        assert tensor.dtype == torch.float32, name


@pytest.fixture(scope="module")
def lite_network():
    return network_of(lite())


@pytest.mark.parametrize(("length", "height", "width"), SIZES)
def test_lite_takes_clips_of_any_length_and_size(lite_network, length, height, width):
    assert_shapes(lite_network, 1, length, height, width)


def test_lite_is_small(lite_network):
    assert sum(parameter.numel() for parameter in lite_network.parameters()) <= 8_000_000


def test_paper_is_a_resnet101_with_256_channels_and_all_of_cbam():
    config = paper()
    assert (config.backbone, config.channels, config.attention) == ("resnet101", 256, "both")
    assert (config.class_source, config.decoder_activation, config.foreground) == ("decoder", False, False)
    narrow = ModelConfig(backbone="resnet101", channels=8, squeezes=config.squeezes)
    assert_shapes(network_of(narrow), 1, 3, 40, 33)


@pytest.mark.parametrize("squeezes", [(2, 2, 1, 0), (2, 1, 1, 0), (2, 1, 0, 0), (0, 0, 0, 0)])
def test_squeezes(squeezes):
    network = network_of(tiny(squeezes=squeezes, channels=8))
    for length, height, width in SIZES:
        assert_shapes(network, 1, length, height, width)


VARIANTS = [
    {"attention": "none"},
    {"attention": "channel", "class_source": "backbone"},
    {"attention": "space-time", "norm": "group"},
    {"attention": "both", "norm": "group", "decoder_activation": True, "foreground": True},
    {"embedding": ("y", "x")},
    {"embedding": ("t", "y", "x", "free")},
    {"embedding": ("free",), "class_source": "backbone", "foreground": True},
    {"embedding": ("y", "x", "t", "free", "free"), "decoder_activation": True},
    {"backbone": "resnet50"},
    {"backbone": "efficientnet_lite0", "norm": "group", "decoder_activation": True},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_variants(variant):
    assert_shapes(network_of(tiny(**variant)), 2, 3, 37, 50)


@pytest.mark.parametrize("config", [lite(), tiny(embedding=("t", "y", "x", "free"))], ids=["lite", "tiny"])
def test_any_size_gives_what_the_padded_clip_gives(config):
    network = network_of(config)
    for length, height, width in [(3, 37, 50), (1, 20, 65)]:
        frames = noise(1, length, 3, height, width)
        padded = torch.zeros(1, length, 3, -(-height // 32) * 32, -(-width // 32) * 32, dtype=torch.uint8)
        padded[..., :height, :width] = frames
        with torch.no_grad():
            plain = tensors_of(network(frames))
            explicit = tensors_of(network(padded, size=(height, width)))
        for name, tensor in plain.items():
            assert torch.equal(tensor, explicit[name]), name


def test_padding_is_cropped_from_every_output():
    network = network_of(tiny())
    frames = noise(1, 2, 3, 64, 64)
    with torch.no_grad():
        outputs = network(frames, size=(41, 33))
        full = network(frames)
    assert outputs.heat.shape == (1, 2, 11, 9)
    torch.testing.assert_close(outputs.heat, full.heat[..., :11, :9])


@torch.no_grad()
def test_clips_of_a_batch_do_not_touch_each_other():
    network = network_of(tiny())
    frames = noise(2, 3, 3, 32, 40)
    both = tensors_of(network(frames))
    for clip in range(2):
        for name, tensor in tensors_of(network(frames[clip : clip + 1])).items():
            torch.testing.assert_close(tensor[0], both[name][clip], rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(64, 96), (96, 64), (61, 90)])
def test_coordinates_span_the_unpadded_frame_with_square_pixels(height, width):
    config = tiny(embedding=("y", "x", "t", "free"))
    network = network_of(config)
    for head in (network.embedding_head, network.variance_head):
        head.weight.zero_()
        head.bias.zero_()
    network.embedding_head.bias[3] = 5.0
    y, x, t, free = network(noise(1, 4, 3, height, width)).embedding[0]
    # Centres of cells of 4 pixels; one unit is half the short side in both directions.
    half = min(height, width) / 2
    rows = (torch.arange(-(-height // 4)) * 4 + 2 - height / 2) / half
    columns = (torch.arange(-(-width // 4)) * 4 + 2 - width / 2) / half
    torch.testing.assert_close(y, rows.view(1, -1, 1).expand_as(y))
    torch.testing.assert_close(x, columns.view(1, 1, -1).expand_as(x))
    torch.testing.assert_close(t, torch.linspace(-1, 1, 4).view(-1, 1, 1).expand_as(t))
    assert y.abs().max() <= max(1, height / width) + 2 / half
    assert x.abs().max() <= max(1, width / height) + 2 / half
    torch.testing.assert_close(free, torch.full_like(free, 5.0))  # no coordinate and no bound


@torch.no_grad()
def test_offsets_are_bounded_and_a_single_frame_is_at_time_zero():
    network = network_of(tiny(embedding=("y", "x", "t")))
    network.embedding_head.weight.zero_()
    network.embedding_head.bias.fill_(50.0)
    embedding = network(noise(1, 1, 3, 32, 32)).embedding[0]
    assert embedding[0].min() == pytest.approx(1 + (2 - 16) / 16)
    assert embedding[2].unique().tolist() == [1.0]


@torch.no_grad()
def test_variance_starts_sane():
    outputs = network_of(tiny())(noise(1, 2, 3, 32, 32))
    sigma = (outputs.log_variance / 2).exp()
    assert sigma.min() > 0.15
    assert sigma.max() < 0.6


def test_the_backbone_keeps_its_statistics_in_training():
    network = Network(tiny(backbone="efficientnet_lite0")).train()
    norms = [m for m in network.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    before = norms[3].running_mean.clone()
    network(noise(1, 2, 3, 64, 64))
    assert not any(norm.training for norm in norms)
    assert torch.equal(norms[3].running_mean, before)
    assert network.squeeze[1][0].norm.training
    assert network.squeeze[1][0].norm.running_mean.abs().sum() > 0
    assert not any(module.training for module in network.eval().modules())


def test_every_parameter_is_trained():
    torch.manual_seed(0)
    for config in (tiny(foreground=True), tiny(class_source="backbone", decoder_activation=True)):
        network = Network(config).train()
        outputs = network(noise(2, 4, 3, 32, 64))
        sum(tensor.square().sum() for tensor in tensors_of(outputs).values()).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_lite0", "mobilenet_v2"])
def test_backbones_give_strides_4_to_32(name):
    backbone = build_backbone(name).eval()
    features = backbone(noise(2, 3, 64, 96))
    expected = [
        (2, width, 64 // stride, 96 // stride) for width, stride in zip(backbone.channels, (4, 8, 16, 32), strict=True)
    ]
    assert [tuple(feature.shape) for feature in features] == expected


def test_resnet_has_the_names_of_public_checkpoints():
    names = set(build_backbone("resnet50").state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer1.0.conv3.weight", "layer4.2.bn2.bias"} <= names
    assert {"layer1.0.downsample.0.weight", "layer3.0.downsample.1.running_mean"} <= names
    assert not any(name.startswith("fc.") for name in names)


@torch.no_grad()
def test_layout_does_not_change_outputs():
    network = network_of(tiny())
    frames = noise(1, 2, 3, 32, 32)
    before = tensors_of(network(frames))
    after = tensors_of(to_channels_last(network)(frames))
    for name, tensor in before.items():
        torch.testing.assert_close(tensor, after[name], rtol=1e-4, atol=1e-5)
    layouts = {w.is_contiguous(memory_format=torch.channels_last_3d) for w in network.parameters() if w.ndim == 5}
    assert layouts == {True}


def test_squeezes_must_suit_the_pyramid():
    for squeezes in [(0, 1, 0, 0), (1, 1, 1, 1)]:
        with pytest.raises(InputError, match="squeezes"):
            tiny(squeezes=squeezes)
