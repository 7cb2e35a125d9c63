"""Frame-by-frame feature extractors: ResNet [1] and EfficientNet-Lite0, without their classifiers.

Legend: N frames, H W pixels. Every backbone maps normalised pixels to features of stride 4, 8, 16 and 32.

Parameter names follow what public checkpoints use (ResNet: `layer1.0.conv1.weight` ...), so that loading is renaming.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from chronomask.config import BackboneName
from chronomask.errors import InputError


class Backbone(nn.Module):
    """What all backbones share: how pixels are normalised, and the channels of the four levels.

    Attributes:
        channels: features of stride 4, 8, 16, 32.
        gradient_checkpointing: whether blocks are run again in the backward pass, see `recomputed`.
    """

    channels: tuple[int, int, int, int]
    gradient_checkpointing: bool = False
    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def normalise(self, pixels: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 H W"]:
        """RGB 0-255 to what the weights were trained on."""
        return ((pixels.float() - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        return recomputed(block, x) if self.gradient_checkpointing else block(x)


def recomputed(module: nn.Module, x: Tensor) -> Tensor:
    """The module's output; for the backward pass only `x` is kept and the module is run once more.

    Not for modules with batch norm in train mode, whose statistics would count every clip twice.
    """
    return checkpoint(module, x, use_reentrant=False)


def _conv3x3(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


class ResidualBlock(nn.Module):
    """Basic (two 3x3) or bottleneck (1x1, 3x3, 1x1) residual block.

    The stride of a bottleneck lies in its 3x3, as in torchvision, or in its first 1x1, as in the first publication.
    """

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool, stride_in_1x1: bool) -> None:
        super().__init__()
        outputs = width * 4 if bottleneck else width
        first, second = (1, stride) if bottleneck and not stride_in_1x1 else (stride, 1)
        self.bottleneck = bottleneck
        self.conv1 = nn.Conv2d(inputs, width, 1, first, bias=False) if bottleneck else _conv3x3(inputs, width, first)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, second)
        self.bn2 = nn.BatchNorm2d(width)
        if bottleneck:
            self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.bottleneck:
            y = self.bn3(self.conv3(y.relu()))
        return (y + self.downsample(x)).relu()


class ResNet(Backbone):
    """ResNet of depth 18, 50 or 101, normalised with ImageNet's mean and deviation."""

    def __init__(self, blocks: tuple[int, int, int, int], bottleneck: bool, stride_in_1x1: bool = False) -> None:
        super().__init__((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
        expansion = 4 if bottleneck else 1
        self.channels = (64 * expansion, 128 * expansion, 256 * expansion, 512 * expansion)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 64
        for level, count in enumerate(blocks):
            layers: list[nn.Module] = []
            for index in range(count):
                stride = 2 if level > 0 and index == 0 else 1
                layers.append(ResidualBlock(inputs, 64 * 2**level, stride, bottleneck, stride_in_1x1))
                inputs = self.channels[level]
            setattr(self, f"layer{level + 1}", nn.Sequential(*layers))

    def forward(self, pixels: UInt8[Tensor, "N 3 H W"]) -> list[Tensor]:
        """Features of stride 4, 8, 16, 32; H and W must be multiples of 32."""
        x = self.maxpool(self.bn1(self.conv1(self.normalise(pixels))).relu())
        features = []
        for level in range(4):
            for block in getattr(self, f"layer{level + 1}"):
                x = self._run(block, x)
            features.append(x)
        return features


@dataclass(frozen=True)
class _Stage:
    """One row of EfficientNet's table: blocks, kernel, stride of the first, expansion, output channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    outputs: int


_LITE0 = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def _lite_norm(width: int) -> nn.BatchNorm2d:
    # The weights of the Lite family come from TensorFlow: its epsilon, and its momentum of 0.99.
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, project 1x1; ReLU6 between; a residual where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand: nn.Module = nn.Identity()
        if expansion != 1:
            self.expand = nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), _lite_norm(width), nn.ReLU6())
        self.depthwise = nn.Sequential(
            nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False),
            _lite_norm(width),
            nn.ReLU6(),
        )
        self.project = nn.Sequential(nn.Conv2d(width, outputs, 1, bias=False), _lite_norm(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0: no squeeze-and-excitation, ReLU6; input (x - 127) / 128.

    The level of stride 32 is ImageNet's 1280-channel head convolution, the features that its classifier reads.
    """

    channels = (24, 40, 112, 1280)

    def __init__(self) -> None:
        super().__init__((127.0,) * 3, (128.0,) * 3)
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), _lite_norm(32), nn.ReLU6())
        blocks: list[nn.Module] = []
        inputs = 32
        taps = []
        for row in _LITE0:
            for index in range(row.blocks):
                stride = row.stride if index == 0 else 1
                blocks.append(InvertedResidual(inputs, row.outputs, row.kernel, stride, row.expansion))
                inputs = row.outputs
            taps.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Sequential(nn.Conv2d(inputs, 1280, 1, bias=False), _lite_norm(1280), nn.ReLU6())
        self.taps = (taps[1], taps[2], taps[4])  # the last blocks of stride 4, 8 and 16

    def forward(self, pixels: UInt8[Tensor, "N 3 H W"]) -> list[Tensor]:
        """Features of stride 4, 8, 16, 32; H and W must be multiples of 32."""
        x = self.stem(self.normalise(pixels))
        features = []
        for index, block in enumerate(self.blocks):
            x = self._run(block, x)
            if index in self.taps:
                features.append(x)
        return [*features, self.head(x)]


def build_backbone(name: BackboneName, stride_in_1x1: bool = False) -> Backbone:
    """The named backbone, with random weights; `stride_in_1x1` is that of ModelConfig.

    Raises:
        InputError: there is no backbone of that name (a checkpoint's configuration may say anything).
    """
    match name:
        case "resnet18":
            return ResNet((2, 2, 2, 2), bottleneck=False)
        case "resnet50":
            return ResNet((3, 4, 6, 3), True, stride_in_1x1)
        case "resnet101":
            return ResNet((3, 4, 23, 3), True, stride_in_1x1)
        case "efficientnet_lite0":
            return EfficientNetLite0()
        case _:
            raise InputError(f"backbone {name!r}: known are {', '.join(get_args(BackboneName))}")
