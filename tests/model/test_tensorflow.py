"""TensorFlow's MobileNetV2: read from a frozen graph, the backbone computes what the graph describes."""

import numpy as np
import pytest
import torch
from torch import nn

from chronomask.errors import InputError
from chronomask.model.importing import import_weights
from chronomask.model.importing.graphdef import read_graph
from chronomask.model.mobilenet import SameConv2d
from chronomask.model.network import Network
from model import graphs
from model.graphs import written
from model.networks import noise, tiny


def mobilenet():
    return Network(tiny(backbone="mobilenet_v2", squeezes=(0, 0, 0, 0), attention="none")).eval()


@pytest.fixture(scope="module")
def arrays():
    return graphs.trunk()


@pytest.fixture(scope="module")
def file(arrays, tmp_path_factory):
    others = {
        "BoxPredictor_0/ClassPredictor/weights": np.ones((1, 1, 576, 273), np.float32),
        "FeatureExtractor/MobilenetV2/layer_19_1_Conv2d_2_1x1_256/weights": np.ones((1, 1, 1280, 256), np.float32),
        "Preprocessor/sub/y": np.float32(1),
    }
    return written(graphs.graph(arrays | others), tmp_path_factory.mktemp("graph"))


@torch.no_grad()
@pytest.mark.parametrize("folded", [False, True])
def test_the_backbone_computes_what_the_graph_describes(arrays, file, folded):
    network, pixels = mobilenet(), noise(2, 3, 64, 96)
    import_weights(network, file)
    if folded:
        network.freeze_backbone()
    for ours, theirs in zip(network._run_backbone(pixels), graphs.features(arrays, pixels), strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-4


def test_every_constant_is_accounted_for(file):
    network = mobilenet()
    report = import_weights(network, file)
    theirs = [entry.theirs for entry in report.taken + report.skipped]
    ours = [entry.ours for entry in report.taken + report.implied] + list(report.missing)
    assert sorted(theirs) == sorted(read_graph(file))
    assert sorted(ours) == sorted(network.state_dict())
    assert len(report.taken) == 52 * 5
    assert not [name for name in report.missing if name.startswith("backbone.")]
    assert {why for _, why in report.skipped} == {"box head", "further levels of the detector", "no such module here"}


@torch.no_grad()
@pytest.mark.parametrize(("kernel", "groups"), [(3, 1), (3, 8), (5, 8)])
def test_padding_is_tensorflows(kernel, groups):
    torch.manual_seed(0)
    convolution = SameConv2d(8, 16, kernel, 2, kernel // 2, groups=groups, bias=False)
    x = torch.randn(2, 8, 12, 18)
    torch.testing.assert_close(convolution(x), graphs.same(x, convolution.weight, 2, groups))
    assert not torch.allclose(convolution(x), nn.Conv2d.forward(convolution, x), atol=1e-2)


def test_only_float_constants_are_read(tmp_path):
    arrays = {"scalar": np.float32(0.5), "vector": np.arange(3, dtype=np.float32)}
    tensors = read_graph(written(graphs.graph(arrays), tmp_path))
    assert list(tensors) == ["scalar", "vector"]
    assert tensors["scalar"].item() == 0.5
    assert tensors["vector"].tolist() == [0, 1, 2]


def test_one_number_may_stand_for_all(tmp_path):
    one = np.float32(0.25).tobytes()
    tensors = read_graph(written(graphs.constant("zeros", one, (2, 3)), tmp_path))
    assert tensors["zeros"].tolist() == [[0.25] * 3] * 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x0a\x0512", "longer than what holds it"),
        (b"\x0b", "a field of kind 3"),
        (b"\x0a", "index out of bounds"),
        (b"\xff" * 11, "more than 64 bits"),
        (graphs.node("a", "Const"), "the constant 'a' has no value"),
        (graphs.field(1, graphs.field(2, "Const")), "a message lacks its field 1"),
        (graphs.constant("a", b"\0" * 12, (2, 3)), r"the constant 'a' has 3 numbers for the shape \[2, 3\]"),
        (graphs.constant("a", b"\0" * 7, (2, 3)), "buffer size"),
        (graphs.constant("a", b"\0" * 4, (2**30,) * 5), "damaged"),
        (graphs.constant("a", b"\0" * 4, (2**64 - 1,)), "has 1 numbers for the shape"),
        (b"<html>not found</html>", "damaged"),
    ],
)
def test_damaged_graphs_are_refused(data, message, tmp_path):
    with pytest.raises(InputError, match=rf"frozen_inference_graph\.pb: not a frozen graph .*{message}"):
        read_graph(written(data, tmp_path))


def test_a_graph_that_was_cut_short_is_refused(file, tmp_path):
    network, data = mobilenet(), file.read_bytes()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for length in np.random.default_rng(0).integers(1, len(data), 8):
        with pytest.raises(InputError, match=r"cut\.pb: "):
            import_weights(network, written(data[:length], tmp_path, "cut.pb"))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"FeatureExtractor/MobilenetV2/Conv/weights": None}, "none of the known layouts"),
        ({"FeatureExtractor/MobilenetV2/Conv_1/weights": None}, r"nothing for backbone\.head\.0\.weight"),
        (
            {"FeatureExtractor/MobilenetV2/Conv/weights": np.ones((3, 3, 3, 16), np.float32)},
            r"has shape \(16, 3, 3, 3\), not \(32, 3, 3, 3\)",
        ),
    ],
)
def test_other_graphs_are_refused(arrays, change, message, tmp_path):
    changed = {name: array for name, array in (arrays | change).items() if array is not None}
    with pytest.raises(InputError, match=message):
        import_weights(mobilenet(), written(graphs.graph(changed), tmp_path))


def test_a_graph_fits_its_backbone_only(file):
    network = Network(tiny(backbone="efficientnet_lite0"))
    with pytest.raises(InputError, match=r"TensorFlow .*do not fit the backbone efficientnet_lite0"):
        import_weights(network, file)
