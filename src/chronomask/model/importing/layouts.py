"""How other programs name the tensors of a backbone and its pyramid, and what they assume about pixels.

Names on our side are those of `Network.state_dict()`. What a file cannot say (order of the colours, epsilon of frozen
norms, place of the stride) is taken from the program's published COCO and ImageNet models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from chronomask.config import BackboneName

RESNETS: tuple[BackboneName, ...] = ("resnet18", "resnet50", "resnet101")


@dataclass(frozen=True)
class PixelConvention:
    """How a program normalises pixels.

    Attributes:
        bgr: the first convolution reads blue, green, red.
        mean: of red, green, blue, on the scale 0-255.
        std: likewise.
    """

    bgr: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Layout:
    """The key layout of one program.

    Attributes:
        name: for people.
        stem: the first convolution; a file that has it has this layout.
        backbones: the networks that it may be read into.
        rename: from a name of theirs to ours; None where we have no such module.
        pixels: theirs; None where it is ours.
        epsilon: of their frozen norms; None where it is ours.
        stride_in_1x1: where the published models have the stride of a stage's first block.
        folded_norms: norms may come as weight and bias alone, the statistics folded in.
    """

    name: str
    stem: str
    backbones: tuple[BackboneName, ...]
    rename: Callable[[str], str | None]
    pixels: PixelConvention | None = None
    epsilon: float | None = None
    stride_in_1x1: bool = False
    folded_norms: bool = False


_TRUNK = re.compile(r"(?:conv1|bn1|layer\d+)\..+")
_PYRAMID_KINDS = {
    "inner_blocks": "lateral",
    "layer_blocks": "output",
    "fpn_inner": "lateral",
    "fpn_layer": "output",
    "fpn_lateral": "lateral",
    "fpn_output": "output",
}


def _trunk(name: str) -> str | None:
    return f"backbone.{name}" if _TRUNK.fullmatch(name) else None


def _torchvision(name: str) -> str | None:
    if name.startswith("backbone.body."):
        return _trunk(name.removeprefix("backbone.body."))
    # Releases from 0.13 on wrap each convolution: inner_blocks.0.0.weight instead of inner_blocks.0.weight.
    pyramid = re.fullmatch(r"backbone\.fpn\.(inner_blocks|layer_blocks)\.(\d+)(?:\.0)?\.(weight|bias)", name)
    return f"fpn.{_PYRAMID_KINDS[pyramid[1]]}.{pyramid[2]}.{pyramid[3]}" if pyramid else None


def _maskrcnn_benchmark(name: str) -> str | None:
    if name.startswith("backbone.body."):
        return _trunk(name.removeprefix("backbone.body.").removeprefix("stem."))
    pyramid = re.fullmatch(r"backbone\.fpn\.(fpn_inner|fpn_layer)(\d+)(?:\.0)?\.(weight|bias)", name)
    return f"fpn.{_PYRAMID_KINDS[pyramid[1]]}.{int(pyramid[2]) - 1}.{pyramid[3]}" if pyramid else None


_DETECTRON2_TRUNK = re.compile(
    r"backbone\.bottom_up\.(?:stem|res(?P<stage>\d+)\.(?P<block>\d+))\.(?:conv(?P<conv>\d)|shortcut)\."
    r"(?P<norm>norm\.)?(?P<field>\w+)"
)


def _detectron2(name: str) -> str | None:
    if pyramid := re.fullmatch(r"backbone\.(fpn_lateral|fpn_output)(\d+)\.(weight|bias)", name):
        return f"fpn.{_PYRAMID_KINDS[pyramid[1]]}.{int(pyramid[2]) - 2}.{pyramid[3]}"
    trunk = _DETECTRON2_TRUNK.fullmatch(name)
    if trunk is None:
        return None
    norm = trunk["norm"] is not None
    block = "" if trunk["stage"] is None else f"layer{int(trunk['stage']) - 1}.{trunk['block']}."
    module = f"downsample.{int(norm)}" if trunk["conv"] is None else f"{'bn' if norm else 'conv'}{trunk['conv']}"
    return f"backbone.{block}{module}.{trunk['field']}"


_LITE0_MODULES = {"_conv_stem": "stem.0", "_bn0": "stem.1", "_conv_head": "head.0", "_bn1": "head.1"}
_LITE0_BLOCK_MODULES = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


def _lite0(name: str) -> str | None:
    if block := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name):
        module = _LITE0_BLOCK_MODULES.get(block[2])
        return f"backbone.blocks.{block[1]}.{module}.{block[3]}" if module else None
    layer, _, rest = name.partition(".")
    return f"backbone.{_LITE0_MODULES[layer]}.{rest}" if layer in _LITE0_MODULES else None


_MOBILENET = re.compile(
    r"FeatureExtractor/MobilenetV2/"
    r"(?:(?P<end>Conv|Conv_1)|expanded_conv(?:_(?P<block>\d+))?/(?P<part>expand|depthwise|project))/"
    r"(?:(?:depthwise_)?weights|BatchNorm/(?P<norm>gamma|beta|moving_mean|moving_variance))"
)
_MOBILENET_ENDS = {"Conv": "stem", "Conv_1": "head"}
_TENSORFLOW_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def _tensorflow_mobilenet(name: str) -> str | None:
    match = _MOBILENET.fullmatch(name)
    if match is None:
        return None
    place = _MOBILENET_ENDS[match["end"]] if match["end"] else f"blocks.{match['block'] or 0}.{match['part']}"
    field = f"1.{_TENSORFLOW_NORM[match['norm']]}" if match["norm"] else "0.weight"
    return f"backbone.{place}.{field}"


LITE0 = Layout("EfficientNet-Lite0", "_conv_stem.weight", ("efficientnet_lite0",), _lite0)

LAYOUTS = (
    # The published COCO models of torchvision and all of maskrcnn-benchmark divide by the plain deviation.
    Layout("torchvision detector", "backbone.body.conv1.weight", RESNETS, _torchvision, epsilon=0.0),
    Layout("torchvision classifier", "conv1.weight", RESNETS, _trunk),
    Layout(
        "detectron2",
        "backbone.bottom_up.stem.conv1.weight",
        RESNETS,
        _detectron2,
        pixels=PixelConvention(True, (123.675, 116.28, 103.53), (1.0, 1.0, 1.0)),
        stride_in_1x1=True,
        folded_norms=True,
    ),
    Layout(
        "maskrcnn-benchmark",
        "backbone.body.stem.conv1.weight",
        RESNETS,
        _maskrcnn_benchmark,
        pixels=PixelConvention(True, (122.7717, 115.9465, 102.9801), (1.0, 1.0, 1.0)),
        epsilon=0.0,
        stride_in_1x1=True,
    ),
    LITE0,
    # Pixels and epsilon (0.001) are those of our MobileNetV2, which was made after it.
    Layout(
        "TensorFlow detector with MobileNetV2",
        "FeatureExtractor/MobilenetV2/Conv/weights",
        ("mobilenet_v2",),
        _tensorflow_mobilenet,
    ),
)


def bare(name: str) -> str:
    """A name of theirs without the prefix of a model that was saved inside DistributedDataParallel."""
    return name.removeprefix("module.")


def recognised(names: Iterable[str]) -> Layout | None:
    """The layout of a file with these tensors; None if it is none of LAYOUTS."""
    stems = {bare(name) for name in names}
    return next((layout for layout in LAYOUTS if layout.stem in stems), None)


def stated_pixels(tensors: dict[str, Tensor]) -> PixelConvention | None:
    """The convention that a file states itself: some versions of detectron2 save mean and deviation with the model."""
    stated = {bare(name): tensor.flatten().tolist() for name, tensor in tensors.items() if "pixel_" in name}
    mean, std = stated.get("pixel_mean", ()), stated.get("pixel_std", ())
    if len(mean) != 3 or len(std) != 3:
        return None
    bgr = mean[0] < mean[2]  # in photographs at large red is the brightest colour, blue the darkest
    order = slice(None, None, -1 if bgr else 1)
    return PixelConvention(bgr, tuple(mean[order]), tuple(std[order]))
