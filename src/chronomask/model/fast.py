"""The network arranged for inference: the same function as `Network`, in fewer operations and passes over memory.

Legend: T frames of a clip, t frames of a level (squeezed or not), N frames, C D channels, h w pixels of a level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.model.attention import ChannelAttention, SpaceTimeAttention
from chronomask.model.decoder import neighbours
from chronomask.model.folding import fold_batch_norm
from chronomask.model.fused import can_fuse, fuse_activations
from chronomask.model.mobilenet import InvertedResidualBackbone
from chronomask.model.network import STRIDE, FrameFeatures, Network, PixelOutputs, to_channels_last
from chronomask.model.squeeze import Squeeze, average_pool_time


class FastNetwork(nn.Module):
    """A network that only infers, one clip at a time; called as `Network` is.

    What it does otherwise, none of which changes the result beyond rounding:

    - Batch norm is folded; on CPUs activations are fused, and the backbone sees large features frame by frame.
    - The convolution of a Squeeze is one 2-D convolution for each of its three places in time, shifted and added. They
      look at frames alone: what the first Squeeze of a level needs is computed once for all clips that share a frame.
    - A 1x1x1 convolution comes before upsampling, which is linear as well: there are fewer pixels.
    - Attention only scales: the weights of channels go into those of the 1x1x1 convolution that reads the level, those
      of pixels are applied to what it gives. The attended level itself is never made.
    - The convolution in space-time attention, of two channels, is a 2-D one whose channels are the frames.
    - The heads are one matrix.

    Args:
        network: taken apart, and of no use afterwards.
        device: where it computes.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        super().__init__()
        self.config = network.config
        self.network = to_channels_last(fold_batch_norm(network)).requires_grad_(False).to(device).eval()
        # By level; each Squeeze behind the 2-D convolution that stands for its own.
        self._squeezes = [
            [(_frame_convolution(squeeze), squeeze) for squeeze in level.children() if isinstance(squeeze, Squeeze)]
            for level in network.squeeze
        ]
        heads = [network.embedding_head, network.variance_head, network.heat_head, network.foreground_head]
        self._heads = [head for head in (*heads, network.class_head) if isinstance(head, nn.Conv3d)]
        if device.type == "cpu" and isinstance(network.backbone, InvertedResidualBackbone):
            network.backbone.frame_by_frame = True
        if can_fuse(device):
            fuse_activations(network.backbone)

    def encode(self, frames: UInt8[Tensor, "N 3 H W"]) -> FrameFeatures:
        """As `Network.encode`, and the first step of every Squeeze."""
        features = self.network.encode(frames)
        levels = zip(features.levels, self._squeezes, strict=True)
        return replace(features, taps=[squeezes[0][0](level) for level, squeezes in levels if squeezes])

    def decode(self, features: FrameFeatures, clips: int, size: tuple[int, int]) -> PixelOutputs:
        """As `Network.decode`, of the features that `encode` gave for the frames of one clip."""
        assert clips == 1, "the weights of channels differ from clip to clip"
        network, first = self.network, iter(features.taps)
        levels = []
        for level, squeezes, attention in zip(features.levels, self._squeezes, network.attention, strict=True):
            for number, (convolution, squeeze) in enumerate(squeezes):
                level = _joined(convolution(level) if number else next(first), squeeze)
            levels.append(_attended(level.permute(0, 2, 3, 1), attention))
        rows, columns = -(-size[0] // STRIDE), -(-size[1] // STRIDE)
        raw = self._decoded(levels)[:, :rows, :columns].float().permute(3, 0, 1, 2)[None]
        return self._outputs(raw, features, size)

    def _decoded(self, levels: list[Attended]) -> Float[Tensor, "T h w D"]:
        """`Decoder.forward`, and all heads side by side."""
        decoder, x = self.network.decoder, levels[-1]
        *steps, (combine, finest) = zip(decoder.combine, reversed(levels[:-1]), strict=True)
        for step, finer in steps:
            x = Attended(_combined(step, _coarse(step, x, len(finer)), finer))
        last, rest = _parts(decoder.last)
        weights = torch.cat([head.weight.flatten(1) for head in self._heads])
        biases = torch.cat([head.get_parameter("bias") for head in self._heads])

        def read(coarse: Tensor, finer: Attended) -> Tensor:
            y = F.linear(_combined(combine, coarse, finer), last.weight.flatten(1), last.bias)
            return F.linear(rest(y), weights, biases)

        # Frame by frame, so that the caches hold what lies between; but norms of groups look at whole clips.
        frames = 1 if self.config.norm == "batch" else len(finest)
        parts = zip(_coarse(combine, x, len(finest)).split(frames), finest.split(frames), strict=True)
        return torch.cat([read(*part) for part in parts])

    def _outputs(self, raw: Float[Tensor, "1 D T h w"], features: FrameFeatures, size: tuple[int, int]) -> PixelOutputs:
        parts = list(raw.split([head.out_channels for head in self._heads], 1))
        embedding, log_variance, heat = parts[:3]
        logits = features.cropped_class_logits(1, size)
        return PixelOutputs(
            embedding=self.network.placed(embedding, size),
            log_variance=log_variance,
            heat=heat.squeeze(1).sigmoid(),
            class_logits=parts[-1] if logits is None else logits.float(),
            foreground_logits=parts[3].squeeze(1) if self.config.foreground else None,
        )


@dataclass(frozen=True, eq=False)
class Attended:
    """A level that attention has looked at, but not scaled yet.

    Attributes:
        pixels: the level.
        channels: weight of every channel; None for 1.
        places: weight of every pixel; None for 1.
    """

    pixels: Float[Tensor, "t h w C"]
    channels: Float[Tensor, " C"] | None = None
    places: Float[Tensor, "t h w 1"] | None = None

    def mixed(self, weight: Float[Tensor, "D C"]) -> Float[Tensor, "t h w D"]:
        """A 1x1x1 convolution of the scaled level."""
        y = F.linear(self.pixels, weight if self.channels is None else weight * self.channels)
        return y if self.places is None else y.mul_(self.places)

    def add_mixed(self, total: Float[Tensor, "t h w D"], weight: Float[Tensor, "D C"]) -> Float[Tensor, "t h w D"]:
        """Adds `mixed` to a total, in place, in one pass."""
        y = F.linear(self.pixels, weight if self.channels is None else weight * self.channels)
        return total.add_(y) if self.places is None else total.addcmul_(y, self.places)

    def split(self, frames: int) -> list[Attended]:
        """The level in parts of so many frames."""
        pixels = self.pixels.split(frames)
        places = [None] * len(pixels) if self.places is None else self.places.split(frames)
        return [replace(self, pixels=part, places=scale) for part, scale in zip(pixels, places, strict=True)]

    def __len__(self) -> int:
        return len(self.pixels)


def _attended(x: Float[Tensor, "t h w C"], attention: nn.Module) -> Attended:
    """The weights that the halves of CBAM give a level."""
    channels = places = None
    for part in attention.children():
        if isinstance(part, ChannelAttention):
            channels = part.weights(x.mean((0, 1, 2)), x.amax((0, 1, 2)))
        elif isinstance(part, SpaceTimeAttention):
            mean = x.mean(-1) if channels is None else (x @ channels) / len(channels)
            # Frame by frame, so that no second level has to be held in memory.
            largest = torch.stack([(frame if channels is None else frame * channels).amax(-1) for frame in x])
            places = _space_time_weights(part, torch.stack([mean, largest], 1))
    return Attended(x, channels, places)


def _space_time_weights(attention: SpaceTimeAttention, summary: Float[Tensor, "t 2 h w"]) -> Float[Tensor, "t h w 1"]:
    """The 3-D convolution as one over images that have all frames as channels: a band matrix of its slices in time."""
    weight = attention.conv.weight[0]  # of the two channels, in time, height and width
    frames, reach = torch.arange(len(summary), device=summary.device), weight.shape[1] // 2
    # Beyond its reach the kernel is zero: its two ends are padded, and stand for whatever lies further away.
    place = (frames - frames[:, None] + reach + 1).clamp(0, 2 * reach + 2)
    band = F.pad(weight, (0, 0, 0, 0, 1, 1))[:, place].permute(1, 2, 0, 3, 4).flatten(1, 2)
    bias = attention.conv.get_parameter("bias").expand(len(summary)).contiguous()
    return F.conv2d(summary.flatten(0, 1)[None], band, bias, padding=reach).sigmoid()[0, ..., None]


def _frame_convolution(squeeze: Squeeze) -> nn.Conv2d:
    """The convolution of a Squeeze as what every frame gives to the next frame, to its own and to the one before."""
    weight = squeeze.conv.weight
    outputs, inputs, times, height, width = weight.shape
    convolution = nn.Conv2d(inputs, times * outputs, (height, width), padding=1, bias=False, device=weight.device)
    slices = weight.permute(2, 0, 1, 3, 4).flatten(0, 1)
    convolution.weight = nn.Parameter(slices.contiguous(memory_format=torch.channels_last), requires_grad=False)
    return convolution


def _joined(taps: Float[Tensor, "T D h w"], squeeze: Squeeze) -> Float[Tensor, "t C h w"]:
    """`Squeeze.forward` behind `_frame_convolution`."""
    behind, own, before = taps.chunk(3, 1)
    x = own.clone() if squeeze.conv.bias is None else own + squeeze.conv.bias.view(-1, 1, 1)
    x[1:] += behind[:-1]
    x[:-1] += before[1:]
    return average_pool_time(squeeze.norm(x.transpose(0, 1)[None]).relu_())[0].transpose(0, 1)


def _coarse(combine: nn.Module, x: Attended, length: int) -> Float[Tensor, "T h w D"]:
    """What a Combine takes from the coarser level, already as long as the finer one."""
    convolution, _ = _parts(combine)
    y = x.mixed(convolution.weight.flatten(1).chunk(2, 1)[0])
    if convolution.bias is not None:
        y += convolution.bias
    if len(y) != length:
        before, behind, share = neighbours(len(y), length, y)
        y = y[before].lerp(y[behind], share.view(-1, 1, 1, 1))
    return y


def _combined(combine: nn.Module, coarse: Float[Tensor, "t _ _ D"], finer: Attended) -> Float[Tensor, "t h w D"]:
    """Expand and Combine of some frames, from what `_coarse` gave for them."""
    convolution, rest = _parts(combine)
    size = finer.pixels.shape[1:3]
    larger = F.interpolate(coarse.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
    return rest(finer.add_mixed(larger.permute(0, 2, 3, 1), convolution.weight.flatten(1).chunk(2, 1)[1]))


def _parts(layer: nn.Module) -> tuple[nn.Conv3d, Callable[[Tensor], Tensor]]:
    """A 1x1x1 convolution of the decoder, and what comes behind it, for frames whose channels lie side by side."""
    if isinstance(layer, nn.Conv3d):
        return layer, nn.Identity()
    convolution, norm, activation = layer.children()
    assert isinstance(convolution, nn.Conv3d), "the order of the decoder's layers"
    return convolution, lambda x: activation(norm(x.permute(3, 0, 1, 2)[None]))[0].permute(1, 2, 3, 0)
