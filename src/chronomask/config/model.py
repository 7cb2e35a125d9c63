"""The network: section 4 of the paper, with its choices as settings."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from chronomask.categories import LITE, Category, categories_of
from chronomask.config.checks import one_of
from chronomask.errors import InputError, words_of

MAX_CHANNELS, MAX_SQUEEZES, MAX_DIMENSIONS = 4096, 8, 64
"""What a network has at most: a file may say anything, and no machine computes more."""

BackboneName = Literal["resnet18", "resnet50", "resnet101", "efficientnet_lite0", "mobilenet_v2"]
AttentionKind = Literal["none", "channel", "space-time", "both", "se", "non-local", "dual"]
NormKind = Literal["batch", "group"]
ClassSource = Literal["decoder", "backbone"]
Aggregation = Literal["squeeze", "flow"]
Dimension = Literal["y", "x", "t", "free", "unit"]

TUBE_STATISTICS = ("constant", "log size", "heat", "membership", "foreground", "edges", "class")
"""What the score of a tube is computed from: 1; the logarithm of its stride-4 pixels a frame; inside it the mean heat,
membership and foreground probability; edges between inside and outside a pixel; the probability of its best class."""


@dataclass(frozen=True)
class ModelConfig:
    """The network of section 4 of the paper.

    Attributes:
        backbone: frame-by-frame feature extractor.
        channels: C, of every level of the pyramid and of the decoder.
        squeezes: Squeeze modules (each halves the time) for the levels of stride 32, 16, 8, 4. Section 4.1 names three
            time scales for four levels; (2, 1, 1, 0) and (2, 1, 0, 0) fit it exactly, (2, 2, 1, 0) follows its memory
            argument. Must not increase from coarse to fine.
        attention: which halves of CBAM stand after every level; or instead of them a relative of section 2.5: "se"
            (SENet), "non-local" (Non-local Neural Networks) or "dual" (DANet).
        reduction: r of eq. (1).
        embedding: one entry an embedding dimension: "y", "x" and "t" carry the pixel's coordinate plus an offset
            bounded by tanh; "free" ones have no coordinate; "unit" ones are together a direction, of length 1: squared
            distances of directions are 2 - 2 cos, so that these are cosine embeddings, as in Fathi et al. (2017).
        norm: normalisation of Squeeze and, if `decoder_activation`, of Combine.
        decoder_activation: normalise and rectify after every 1x1x1 convolution of the decoder. The paper lists the
            convolutions alone; without anything between them they are one linear map, and a level that no Squeeze
            touches has no non-linearity at all on its way to the heads.
        class_source: what the class head reads. "decoder" is the paper; "backbone" reads strides 16 and 32 of the
            backbone, where ImageNet's knowledge of names survives (stride-4 features collapse to the commonest class).
        foreground: a fifth output, the probability that a pixel belongs to any instance; clustering looks only there.
        categories: the classes, in the order of the network's indices.
        others: the class scores have one more row, behind those of the classes: of what is none of them.
        stride_in_1x1: ResNet-50 and -101 halve the size in the first 1x1 convolution of a stage instead of its 3x3, as
            the published models of detectron2 and maskrcnn-benchmark do: with their weights, and only with them, true.
        aggregation: how frames learn of each other: "squeeze" is the time pyramid; "flow" gathers features along
            optical flow instead (FGFA), for which `squeezes` must all be 0. It is computed by PyTorch and OpenCV alone.
        tube_score: the weights of `TUBE_STATISTICS` in the score of a tube, fitted by `chronomask calibrate`; where
            empty, the score is mean heat x mean membership.
    """

    backbone: BackboneName
    channels: int
    squeezes: tuple[int, int, int, int]
    attention: AttentionKind = "both"
    reduction: int = 16
    embedding: tuple[Dimension, ...] = ("y", "x", "free", "free")
    norm: NormKind = "batch"
    decoder_activation: bool = False
    class_source: ClassSource = "decoder"
    foreground: bool = False
    categories: tuple[Category, ...] = LITE
    others: bool = False
    stride_in_1x1: bool = False
    aggregation: Aggregation = "squeeze"
    tube_score: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        # Configurations come out of checkpoint files too, which may say anything.
        choices = {"backbone": BackboneName, "attention": AttentionKind, "norm": NormKind, "class_source": ClassSource}
        choices["aggregation"] = Aggregation
        for name, allowed in choices.items():
            one_of(name, getattr(self, name), get_args(allowed))
        for name in self.embedding:
            if name not in get_args(Dimension):
                raise InputError(f"embedding {self.embedding}: {name!r} is none of {', '.join(get_args(Dimension))}")
        for name in ("channels", "reduction"):
            if not (type(getattr(self, name)) is int and 1 <= getattr(self, name) <= MAX_CHANNELS):
                raise InputError(f"{name} {getattr(self, name)!r:.80}: must be a whole number, 1 to {MAX_CHANNELS}")
        for name in ("decoder_activation", "foreground", "others", "stride_in_1x1"):
            if type(getattr(self, name)) is not bool:
                raise InputError(f"{name} {getattr(self, name)!r:.80}: must be true or false")
        if not all(type(number) is int and 0 <= number <= MAX_SQUEEZES for number in self.squeezes):
            raise InputError(f"squeezes {self.squeezes!r:.80}: must be whole numbers, 0 to {MAX_SQUEEZES}")
        if len(self.squeezes) != 4 or any(a < b for a, b in zip(self.squeezes, self.squeezes[1:], strict=False)):
            raise InputError(f"squeezes {self.squeezes}: four numbers for strides 32, 16, 8, 4, not increasing")
        if self.squeezes[-1] != 0:
            raise InputError(f"squeezes {self.squeezes}: the level of stride 4 keeps every frame, so its number is 0")
        if self.aggregation == "flow" and any(self.squeezes):
            raise InputError(f"squeezes {self.squeezes}: must all be 0 where frames are gathered along flow")
        if not 1 <= len(self.embedding) <= MAX_DIMENSIONS:
            raise InputError(f"embedding {self.embedding!r:.80}: one to {MAX_DIMENSIONS} dimensions are needed")
        if self.stride_in_1x1 and self.backbone not in ("resnet50", "resnet101"):
            raise InputError(f"stride_in_1x1: the backbone {self.backbone} has no such convolutions")
        finite = all(type(value) in (int, float) and abs(value) < 1e300 for value in self.tube_score)  # no NaN
        if len(self.tube_score) not in (0, len(TUBE_STATISTICS)) or not finite:
            raise InputError(f"tube_score {self.tube_score!r:.80}: {len(TUBE_STATISTICS)} finite numbers, or none")


def paper() -> ModelConfig:
    """The paper's model (section 5.3): ResNet-101, 256 channels, CBAM on every level."""
    return ModelConfig(backbone="resnet101", channels=256, squeezes=(2, 2, 1, 0))


def lite() -> ModelConfig:
    """The bundled model: MobileNetV2 and 64 channels, made for a laptop's processor."""
    return ModelConfig(
        backbone="mobilenet_v2",
        channels=64,
        squeezes=(2, 1, 1, 0),
        decoder_activation=True,
        class_source="backbone",
        foreground=True,
    )


NAMED_MODELS = {"paper": paper, "lite": lite}


def model_to_json(config: Any) -> str:
    """A configuration, a dataclass, as one line of json, for the metadata of a checkpoint."""
    return json.dumps(dataclasses.asdict(config))


def model_from_json(text: str) -> ModelConfig:
    """Inverse of `model_to_json`.

    Raises:
        InputError: the text is not such a configuration; the message names the field.
    """
    try:
        fields: dict[str, Any] = json.loads(text)
        fields["categories"] = categories_of(fields["categories"])
        fields["squeezes"] = tuple(fields["squeezes"])
        fields["embedding"] = tuple(fields["embedding"])
        fields["tube_score"] = tuple(fields.get("tube_score", ()))
        return ModelConfig(**fields)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise InputError(f"model configuration: {words_of(error)}") from error
