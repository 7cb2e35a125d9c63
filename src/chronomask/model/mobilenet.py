"""Feature extractors made of inverted residuals: EfficientNet-Lite0 and MobileNetV2, without their classifiers.

Legend: N frames, C channels, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.model.backbone_base import Backbone


class SameConv2d(nn.Conv2d):
    """A convolution of stride 2 with TensorFlow's padding "SAME", for even heights and widths.

    That padding is one pixel wider at the bottom and right than at the top and left, which no option of nn.Conv2d
    says. A row and a column of zeros before the kernel make it equal on all sides, without a copy of the features.
    """

    def forward(self, input: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D H/2 W/2"]:
        return F.conv2d(input, self._kernel(), self.bias, self.stride, self.padding, self.dilation, self.groups)

    def evenly_padded(self) -> nn.Conv2d:
        """An ordinary convolution that computes the same: the zeros are part of its kernel for good."""
        kernel, (rows, columns) = self._kernel().detach(), self.kernel_size
        plain = nn.Conv2d(
            self.in_channels,
            self.out_channels,
            (rows + 1, columns + 1),
            stride=2,
            padding=(rows // 2, columns // 2),
            groups=self.groups,
            device="meta",  # its first weights are not wanted
        )
        plain.weight, plain.bias = nn.Parameter(kernel, self.weight.requires_grad), self.bias
        return plain.train(self.training)

    def _kernel(self) -> Tensor:
        return F.pad(self.weight, (1, 0, 1, 0))


def _norm(width: int) -> nn.BatchNorm2d:
    # The weights of both families come from TensorFlow: its epsilon, and its momentum of 0.99.
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, project 1x1; ReLU6 between; a residual where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        convolution = SameConv2d if stride == 2 else nn.Conv2d
        self.expand: nn.Module = nn.Identity()
        if expansion != 1:
            self.expand = nn.Sequential(nn.Conv2d(inputs, width, 1, bias=False), _norm(width), nn.ReLU6())
        self.depthwise = nn.Sequential(
            convolution(width, width, kernel, stride, kernel // 2, groups=width, bias=False),
            _norm(width),
            nn.ReLU6(),
        )
        self.project = nn.Sequential(nn.Conv2d(width, outputs, 1, bias=False), _norm(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


@dataclass(frozen=True)
class Stage:
    """One row of the table of such a network: blocks, kernel, stride of the first, expansion, output channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    outputs: int


_LITE0 = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
_MOBILENET_V2 = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(3, 3, 2, 6, 32),
    Stage(4, 3, 2, 6, 64),
    Stage(3, 3, 1, 6, 96),
    Stage(3, 3, 2, 6, 160),
    Stage(1, 3, 1, 6, 320),
)
_TAPPED = (1, 2, 4)  # the stages that end in the last features of stride 4, 8 and 16; in both tables


class InvertedResidualBackbone(Backbone):
    """A stem of stride 2, the blocks of a table, and a 1280-channel convolution whose output is the level of stride 32.

    Args:
        stages: the table; strides 4, 8 and 16 end with the stages of `_TAPPED`.
        grey: the pixel value that becomes zero ...
        scale: ... and the one above it that becomes one.
    """

    def __init__(self, stages: tuple[Stage, ...], grey: float, scale: float) -> None:
        super().__init__((grey,) * 3, (scale,) * 3)
        self.stem = nn.Sequential(SameConv2d(3, 32, 3, 2, 1, bias=False), _norm(32), nn.ReLU6())
        blocks: list[nn.Module] = []
        inputs = 32
        last = []
        for row in stages:
            for index in range(row.blocks):
                stride = row.stride if index == 0 else 1
                blocks.append(InvertedResidual(inputs, row.outputs, row.kernel, stride, row.expansion))
                inputs = row.outputs
            last.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Sequential(nn.Conv2d(inputs, 1280, 1, bias=False), _norm(1280), nn.ReLU6())
        self.taps = tuple(last[stage] for stage in _TAPPED)

    def forward(self, pixels: UInt8[Tensor, "N 3 H W"]) -> list[Tensor]:
        """Features of stride 4, 8, 16, 32; H and W must be multiples of 32."""
        x, features = self.stem(self.normalise(pixels)), []
        for index, block in enumerate(self.blocks):
            x = self._run(block, x)
            if index in self.taps:
                features.append(x)
        return [*features, self.head(x)]


class EfficientNetLite0(InvertedResidualBackbone):
    """EfficientNet-Lite0: no squeeze-and-excitation, ReLU6; input (x - 127) / 128.

    The level of stride 32 holds the features that its ImageNet classifier reads.
    """

    channels = (24, 40, 112, 1280)

    def __init__(self) -> None:
        super().__init__(_LITE0, 127.0, 128.0)


class MobileNetV2(InvertedResidualBackbone):
    """MobileNetV2 of width 1, as in TensorFlow's detector SSD MobileNetV2 for COCO; input (x - 127.5) / 127.5.

    The detector reads the level of stride 32 as it is. At stride 16 it reads the 576-channel expansion of the next
    block, here the level is the 96-channel bottleneck before it: a linear probe of names loses 0.02, and the pyramid
    and the class head need a sixth of the weights there.
    """

    channels = (24, 32, 96, 1280)

    def __init__(self) -> None:
        super().__init__(_MOBILENET_V2, 127.5, 127.5)
