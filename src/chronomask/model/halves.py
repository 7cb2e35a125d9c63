"""The network cut in two for inference, so that every frame passes the backbone once however clips overlap.

`FrameEncoder` looks at frames alone, `ClipDecoder` at what it gave for the frames of one clip. Together they compute
what `Network` computes, in plain 2-D operations that every engine knows and does fast. What they do otherwise changes
nothing beyond rounding:

- Batch norm is folded into the convolutions.
- The convolution of a Squeeze is one 2-D convolution for each of its three places in time, shifted and added. They look
  at frames alone: what the first Squeeze of a level needs is part of the encoder.
- The convolution of space-time attention is a 2-D one whose channels are the frames.
- A Combine is split into what it takes from the coarser level, which comes before the upsampling (linear as well, and
  there are fewer pixels), and what it takes from the finer one. Nothing is concatenated.
- The heads are one convolution.

Legend: N frames, T frames of a clip, t frames of a level (squeezed or not), C D channels, H W pixels, h w pixels of a
level, E embedding dimensions, L classes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.config import ModelConfig
from chronomask.model.attention import ChannelAttention, SpaceTimeAttention
from chronomask.model.flow import flows_between, greys_of
from chronomask.model.folding import fold_batch_norm
from chronomask.model.network import BackboneClassHead, Network
from chronomask.model.non_local import DualAttention, NonLocal
from chronomask.model.over_time import averaging, joining, lengthening, over_time
from chronomask.model.squeeze import Squeeze

STRIDES = (4, 8, 16, 32)


class Halves(NamedTuple):
    """A network cut in two, with the names of what flows between the halves and of what comes out."""

    encoder: FrameEncoder
    decoder: ClipDecoder


def halves(network: Network, length: int) -> Halves:
    """Cuts a network in two for clips of `length` frames. The network is taken apart, and of no use afterwards."""
    folded = fold_batch_norm(network).requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = False  # in place they make tracing take three times as long
    return Halves(FrameEncoder(folded).eval(), ClipDecoder(folded, length).eval())


def feature_names(config: ModelConfig) -> tuple[str, ...]:
    """What the encoder gives of a frame, in order.

    `level_S` is the pyramid level of stride S, `taps_S` what its first Squeeze takes from a frame, `grey_4` the
    brightness, for the flow between frames, `class_logits` the class scores where they come from the backbone. The
    level of stride 16 always comes first: tracks are told apart by it, whether the decoder reads it or not.
    """
    names = ["level_16"]
    for stride, squeezes in zip(STRIDES, config.squeezes[::-1], strict=True):
        if squeezes or stride != 16:
            names.append(f"{'taps' if squeezes else 'level'}_{stride}")
    names += ["grey_4"] if config.aggregation == "flow" else []
    return (*names, "class_logits") if config.class_source == "backbone" else tuple(names)


def decoded_names(config: ModelConfig) -> tuple[str, ...]:
    """Those of `feature_names` that the decoder reads."""
    names = [f"{'taps' if n else 'level'}_{s}" for s, n in zip(STRIDES, config.squeezes[::-1], strict=True)]
    return tuple([*names, "grey_4"] if config.aggregation == "flow" else names)


class FrameEncoder(nn.Module):
    """Frames (RGB 0-255, sides multiples of 32) to what `feature_names` says."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.backbone, self.fpn = network.backbone, network.fpn
        self.class_head = network.class_head if isinstance(network.class_head, BackboneClassHead) else None
        self.flow = network.aggregation is not None
        squeezes = [_squeezes(level) for level in network.squeeze]
        self.taps = nn.ModuleList(_frame_convolution(some[0]) if some else nn.Identity() for some in squeezes)

    def forward(self, frames: UInt8[Tensor, "N 3 H W"]) -> tuple[Float[Tensor, "N _ _ _"], ...]:
        features = self.backbone(frames)
        levels = self.fpn(features)
        given = [levels[2]]
        for stride, level, tap in zip(STRIDES, levels, self.taps, strict=True):
            if not isinstance(tap, nn.Identity):
                given.append(tap(level))
            elif stride != 16:
                given.append(level)
        if self.flow:
            given.append(greys_of(frames))
        if self.class_head is not None:
            given.append(self.class_head(features[2], features[3]))
        return tuple(given)


class ClipDecoder(nn.Module):
    """What `decoded_names` says, of the T frames of one clip, to the outputs of every pixel at stride 4.

    The channels of the output are, in this order: E offsets in embedding space (in (-1, 1) where a coordinate is to be
    added, see `embedding.coordinates`), E logarithms of variances, the heat in [0, 1], the foreground probability where
    the model has that output, and L class scores where they come from the decoder.
    """

    def __init__(self, network: Network, length: int) -> None:
        super().__init__()
        lengths = [_squeezed(length, count) for count in network.config.squeezes[::-1]]
        self.levels = nn.ModuleList(
            _Level(_squeezes(level), attention, length)
            for level, attention in zip(network.squeeze, network.attention, strict=True)
        )
        self.aggregation = network.aggregation
        pairs = zip(network.decoder.combine, lengths[:0:-1], lengths[-2::-1], strict=True)
        self.combine = nn.ModuleList(_Combine(layer, coarse, fine) for layer, coarse, fine in pairs)
        self.last = _Pointwise(network.decoder.last)
        heads = [network.embedding_head, network.variance_head, network.heat_head, network.foreground_head]
        self.heads = _side_by_side([head for head in (*heads, network.class_head) if isinstance(head, nn.Conv3d)])
        ranges = _ranges(network.config, self.heads.out_channels)
        for name, values in zip(("linear", "bound", "slope", "offset"), ranges, strict=True):
            self.register_buffer(name, values.clone())

    def forward(self, *features: Float[Tensor, "T _ _ _"]) -> Float[Tensor, "T D h w"]:
        given = list(features)
        if self.aggregation is not None:
            flows = flows_between(given.pop())[None]
            clips = [x.transpose(0, 1)[None] for x in given]
            given = [gather(x, flows)[0].transpose(0, 1) for gather, x in zip(self.aggregation, clips, strict=True)]
        levels = [level(x) for level, x in zip(self.levels, given, strict=True)]
        x = levels[-1]
        for combine, finer in zip(self.combine, reversed(levels[:-1]), strict=True):
            x = combine(x, finer)
        raw = self.heads(self.last(x))
        return self.linear * raw + self.bound * (self.slope * raw).tanh() + self.offset


def _ranges(config: ModelConfig, outputs: int) -> tuple[Float[Tensor, "D 1 1"], ...]:
    """How far every output is linear; the bound, slope and offset of a tanh beside that.

    A coordinate's offset is tanh(x), heat and foreground are sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, and the rest is x.
    One expression for all channels needs neither slices nor concatenation.
    """
    linear, bound, slope, offset = torch.zeros(4, outputs, 1, 1).unbind()
    linear[:] = 1
    dimensions = len(config.embedding)
    for index, name in enumerate(config.embedding):
        if name not in ("free", "unit"):
            linear[index], bound[index], slope[index] = 0, 1, 1
    scores = slice(2 * dimensions, 2 * dimensions + 1 + config.foreground)
    linear[scores], bound[scores], slope[scores], offset[scores] = 0, 0.5, 0.5, 0.5
    return linear, bound, slope, offset


class _Level(nn.Module):
    """Squeezes and attention of one level, for clips of `length` frames."""

    def __init__(self, squeezes: list[Squeeze], attention: nn.Module, length: int) -> None:
        super().__init__()
        lengths = [_squeezed(length, number) for number in range(len(squeezes) + 1)]
        self.joins = nn.ModuleList(_Join(*pair) for pair in zip(squeezes, lengths, strict=False))
        self.convolutions = nn.ModuleList(_frame_convolution(squeeze) for squeeze in squeezes[1:])
        parts = list(attention.children())
        self.channels = next((part for part in parts if isinstance(part, ChannelAttention)), None)
        self.places = next((Places(p, lengths[-1]) for p in parts if isinstance(p, SpaceTimeAttention)), None)
        self.relatives = nn.Sequential(*(p for p in parts if isinstance(p, NonLocal | DualAttention)))

    def forward(self, x: Float[Tensor, "T _ h w"]) -> Float[Tensor, "t C h w"]:
        for number, join in enumerate(self.joins):
            x = join(self.convolutions[number - 1](x) if number else x)
        if self.channels is not None:
            weights = self.channels.weights(x.mean((0, 2, 3)), x.amax((0, 2, 3)))
            x = x * weights.view(1, -1, 1, 1).to(x.dtype)
        if len(self.relatives):
            x = self.relatives(x.transpose(0, 1)[None])[0].transpose(0, 1)
        return x if self.places is None else x * self.places(x)


class _Join(nn.Module):
    """`Squeeze.forward` behind `_frame_convolution`: places in time added, norm, ReLU, average over time."""

    joining: Tensor
    averaging: Tensor

    def __init__(self, squeeze: Squeeze, frames: int) -> None:
        super().__init__()
        bias = squeeze.conv.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach().view(1, -1, 1, 1), requires_grad=False)
        self.norm = squeeze.norm
        self.register_buffer("joining", joining(frames))
        self.register_buffer("averaging", averaging(frames))

    def forward(self, taps: Float[Tensor, "T D h w"]) -> Float[Tensor, "t C h w"]:
        frames, channels, height, width = taps.shape
        x = over_time(self.joining, taps.reshape(3 * frames, channels // 3, height, width))
        x = x if self.bias is None else x + self.bias
        if not isinstance(self.norm, nn.Identity):  # of groups: looks at the whole clip
            x = self.norm(x.transpose(0, 1)[None])[0].transpose(0, 1)
        return over_time(self.averaging, x.relu())


class Places(nn.Module):
    """The weights of space-time attention: a 2-D convolution over images that have all frames as channels.

    Its kernel is a band matrix of the slices in time of the 3-D one.
    """

    def __init__(self, attention: SpaceTimeAttention, frames: int) -> None:
        super().__init__()
        weight = attention.conv.weight.detach()[0]  # of the two channels, in time, height and width
        numbers, reach = torch.arange(frames), weight.shape[1] // 2
        # Beyond its reach the kernel is zero: its two ends are padded, and stand for whatever lies further away.
        place = (numbers - numbers[:, None] + reach + 1).clamp(0, 2 * reach + 2)
        band = F.pad(weight, (0, 0, 0, 0, 1, 1))[:, place].permute(1, 0, 2, 3, 4).flatten(1, 2)
        self.conv = nn.Conv2d(2 * frames, frames, weight.shape[2], padding=reach)
        self.conv.weight = nn.Parameter(band.contiguous(), requires_grad=False)
        bias = attention.conv.get_parameter("bias").detach()
        self.conv.bias = nn.Parameter(bias.expand(frames).contiguous(), requires_grad=False)

    def forward(self, x: Float[Tensor, "t C h w"]) -> Float[Tensor, "t 1 h w"]:
        summary = torch.cat([x.mean(1)[None], x.amax(1)[None]], 1)
        return self.conv(summary).sigmoid().transpose(0, 1)


class _Combine(nn.Module):
    """Expand and Combine: the coarser level, upsampled in time and space, and the finer one, mixed."""

    lengthening: Tensor | None

    def __init__(self, layer: nn.Module, coarse: int, fine: int) -> None:
        super().__init__()
        convolution, self.rest = _parts(layer)
        of_coarse, of_fine = convolution.weight.detach().flatten(1).chunk(2, 1)
        self.coarse = _pointwise(of_coarse, convolution.bias)
        self.fine = _pointwise(of_fine, None)
        self.register_buffer("lengthening", None if coarse == fine else lengthening(coarse, fine))

    def forward(self, x: Float[Tensor, "t C _ _"], finer: Float[Tensor, "T C h w"]) -> Float[Tensor, "T D h w"]:
        y = self.coarse(x)
        if self.lengthening is not None:
            y = over_time(self.lengthening, y)
        y = F.interpolate(y, size=finer.shape[2:], mode="bilinear", align_corners=False)
        return _on_clip(self.rest, y + self.fine(finer))


class _Pointwise(nn.Module):
    """A 1x1x1 convolution of the decoder, and what comes behind it, of frames."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        convolution, self.rest = _parts(layer)
        self.conv = _pointwise(convolution.weight.detach().flatten(1), convolution.bias)

    def forward(self, x: Float[Tensor, "T C h w"]) -> Float[Tensor, "T D h w"]:
        return _on_clip(self.rest, self.conv(x))


def _squeezes(level: nn.Module) -> list[Squeeze]:
    return [module for module in level.children() if isinstance(module, Squeeze)]


def _squeezed(length: int, count: int) -> int:
    for _ in range(count):
        length = -(-length // 2)
    return length


def _frame_convolution(squeeze: Squeeze) -> nn.Conv2d:
    """The convolution of a Squeeze as what every frame gives to the next frame, to its own and to the one before."""
    weight = squeeze.conv.weight.detach()
    outputs, inputs, times, height, width = weight.shape
    convolution = nn.Conv2d(inputs, times * outputs, (height, width), padding=1, bias=False)
    slices = weight.permute(2, 0, 1, 3, 4).flatten(0, 1)
    convolution.weight = nn.Parameter(slices.contiguous(), requires_grad=False)
    return convolution


def _pointwise(weight: Float[Tensor, "D C"], bias: Float[Tensor, " D"] | None) -> nn.Conv2d:
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=bias is not None)
    convolution.weight = nn.Parameter(weight[:, :, None, None].contiguous(), requires_grad=False)
    if bias is not None:
        convolution.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return convolution


def _side_by_side(heads: list[nn.Conv3d]) -> nn.Conv2d:
    weights = torch.cat([head.weight.detach().flatten(1) for head in heads])
    return _pointwise(weights, torch.cat([head.get_parameter("bias").detach() for head in heads]))


def _parts(layer: nn.Module) -> tuple[nn.Conv3d, nn.Module]:
    """A 1x1x1 convolution of the decoder, and what comes behind it."""
    if isinstance(layer, nn.Conv3d):
        return layer, nn.Identity()
    convolution, norm, activation = layer.children()
    assert isinstance(convolution, nn.Conv3d), "the order of the decoder's layers"
    return convolution, activation if isinstance(norm, nn.Identity) else nn.Sequential(norm, activation)


def _on_clip(layer: nn.Module, x: Float[Tensor, "T C h w"]) -> Float[Tensor, "T C h w"]:
    """Applies a layer to frames as one clip where it has a norm, for a norm of groups looks at all of it."""
    if not isinstance(layer, nn.Sequential):
        return layer(x)
    return layer(x.transpose(0, 1)[None])[0].transpose(0, 1)
