"""Frame-by-frame feature extractors: ResNet [1], and by name those of `mobilenet`, without their classifiers.

Legend: N frames, H W pixels. Every backbone maps normalised pixels to features of stride 4, 8, 16 and 32.

Parameter names follow what public checkpoints use (ResNet: `layer1.0.conv1.weight` ...), so that loading is renaming.
"""

from __future__ import annotations

from jaxtyping import UInt8
from torch import Tensor, nn

from chronomask.config import BackboneName
from chronomask.model.backbone_base import Backbone, recomputed
from chronomask.model.mobilenet import EfficientNetLite0, MobileNetV2

__all__ = ["Backbone", "ResNet", "build_backbone", "recomputed"]


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


def build_backbone(name: BackboneName, stride_in_1x1: bool = False) -> Backbone:
    """The named backbone, with random weights; `stride_in_1x1` is that of ModelConfig."""
    match name:
        case "resnet18":
            return ResNet((2, 2, 2, 2), bottleneck=False)
        case "resnet50":
            return ResNet((3, 4, 6, 3), True, stride_in_1x1)
        case "resnet101":
            return ResNet((3, 4, 23, 3), True, stride_in_1x1)
        case "efficientnet_lite0":
            return EfficientNetLite0()
        case "mobilenet_v2":
            return MobileNetV2()
