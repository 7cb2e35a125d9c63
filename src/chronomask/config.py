"""Settings as frozen dataclasses. Named models are functions that return one; nothing here is global or mutable."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal

from chronomask.data.categories import COCO, LITE, OVIS, VOC, YTVIS_2019, YTVIS_2021, Category
from chronomask.errors import InputError

BackboneName = Literal["resnet18", "resnet50", "resnet101", "efficientnet_lite0", "mobilenet_v2"]
AttentionKind = Literal["none", "channel", "space-time", "both"]
NormKind = Literal["batch", "group"]
ClassSource = Literal["decoder", "backbone"]


def _at_least(config: object, name: str, least: int) -> None:
    if not getattr(config, name) >= least:
        raise InputError(f"{name} {getattr(config, name)}: must be {least} or more")


@dataclass(frozen=True)
class ModelConfig:
    """The network of section 4 of the paper.

    Attributes:
        backbone: frame-by-frame feature extractor.
        channels: C, of every level of the pyramid and of the decoder.
        squeezes: Squeeze modules (each halves the time) for the levels of stride 32, 16, 8, 4. Section 4.1 names three
            time scales for four levels; (2, 1, 1, 0) and (2, 1, 0, 0) fit it exactly, (2, 2, 1, 0) follows its memory
            argument. Must not increase from coarse to fine.
        attention: which halves of CBAM stand after every level.
        reduction: r of eq. (1).
        embedding: one entry an embedding dimension: "y", "x" and "t" carry the pixel's coordinate plus an offset
            bounded by tanh; "free" ones have no coordinate.
        norm: normalisation of Squeeze and, if `decoder_activation`, of Combine.
        decoder_activation: normalise and rectify after every 1x1x1 convolution of the decoder. The paper lists the
            convolutions alone; without anything between them they are one linear map, and a level that no Squeeze
            touches has no non-linearity at all on its way to the heads.
        class_source: what the class head reads. "decoder" is the paper; "backbone" reads strides 16 and 32 of the
            backbone, where ImageNet's knowledge of names survives (stride-4 features collapse to the commonest class).
        foreground: a fifth output, the probability that a pixel belongs to any instance; clustering looks only there.
        categories: the classes, in the order of the network's indices.
        stride_in_1x1: ResNet-50 and -101 halve the size in the first 1x1 convolution of a stage instead of its 3x3, as
            the published models of detectron2 and maskrcnn-benchmark do: with their weights, and only with them, true.
    """

    backbone: BackboneName
    channels: int
    squeezes: tuple[int, int, int, int]
    attention: AttentionKind = "both"
    reduction: int = 16
    embedding: tuple[Literal["y", "x", "t", "free"], ...] = ("y", "x", "free", "free")
    norm: NormKind = "batch"
    decoder_activation: bool = False
    class_source: ClassSource = "decoder"
    foreground: bool = False
    categories: tuple[Category, ...] = LITE
    stride_in_1x1: bool = False

    def __post_init__(self) -> None:
        if len(self.squeezes) != 4 or any(a < b for a, b in zip(self.squeezes, self.squeezes[1:], strict=False)):
            raise InputError(f"squeezes {self.squeezes}: four numbers for strides 32, 16, 8, 4, not increasing")
        if self.squeezes[-1] != 0:
            raise InputError(f"squeezes {self.squeezes}: the level of stride 4 keeps every frame, so its number is 0")
        if not self.embedding:
            raise InputError("embedding (): at least one dimension is needed")
        if self.stride_in_1x1 and self.backbone not in ("resnet50", "resnet101"):
            raise InputError(f"stride_in_1x1: the backbone {self.backbone} has no such convolutions")


def paper() -> ModelConfig:
    """The paper's model (section 5.3): ResNet-101, 256 channels, CBAM on every level."""
    return ModelConfig(backbone="resnet101", channels=256, squeezes=(2, 2, 1, 0))


def lite() -> ModelConfig:
    """The bundled model: EfficientNet-Lite0 and 64 channels, made for a laptop's processor."""
    return ModelConfig(
        backbone="efficientnet_lite0",
        channels=64,
        squeezes=(2, 1, 1, 0),
        decoder_activation=True,
        class_source="backbone",
        foreground=True,
    )


NAMED_MODELS = {"paper": paper, "lite": lite}


@dataclass(frozen=True)
class ClusterConfig:
    """Greedy clustering, eq. (7).

    Attributes:
        seed_threshold: clustering of a clip ends when the best free seed's heat falls below this.
        membership_threshold: a pixel joins where eq. (4) exceeds this (eq. 5: 0.5).
        foreground_threshold: only pixels with at least this foreground probability are clustered; without a foreground
            output the setting has no effect.
        refinements: times that mean and variance are taken again from the pixels first assigned.
        minimum_pixels: tubes of fewer stride-4 pixels over the clip are dropped (their pixels stay removed).
        maximum_rounds: bound on the seeds tried in a clip.
    """

    seed_threshold: float = 0.5
    membership_threshold: float = 0.5
    foreground_threshold: float = 0.5
    refinements: int = 3
    minimum_pixels: int = 100
    maximum_rounds: int = 32

    def __post_init__(self) -> None:
        for name in ("membership_threshold", "foreground_threshold"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: must lie between 0 and 1")
        for name in ("refinements", "minimum_pixels", "maximum_rounds"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} {getattr(self, name)}: must not be negative")


@dataclass(frozen=True)
class StitchConfig:
    """Joining the tubes of overlapping clips, and of clips between which an object was hidden.

    Attributes:
        minimum_iou: tubes join a track only above this IoU on the shared frames ...
        minimum_likeness: ... and at this cosine of their features or more, in [-1, 1]; -1 asks for none.
        memory_frames: a track may be taken up again up to this many frames after it was last seen; 0 never.
        memory_tracks: at most this many lost tracks are remembered, those seen last.
        minimum_similarity: a tube takes up a lost track only above this similarity, in [0, 1]: of the features x of
            the classes x nearness x likeness of size.
    """

    minimum_iou: float = 0.1
    minimum_likeness: float = 0.85
    memory_frames: int = 100
    memory_tracks: int = 50
    minimum_similarity: float = 0.5

    def __post_init__(self) -> None:
        for name in ("memory_frames", "memory_tracks"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} {getattr(self, name)}: must not be negative")
        if not 0 <= self.minimum_similarity <= 1:
            raise InputError(f"minimum_similarity {self.minimum_similarity}: must lie in [0, 1]")


@dataclass(frozen=True)
class SegmentConfig:
    """How a video is segmented.

    Attributes:
        short_side: frames are shrunk (never stretched) until the short side is at most this many pixels.
        long_side: and the long side at most this many.
        clip_length: T, frames a clip.
        overlap: frames that neighbouring clips share; fewer is faster, more joins better.
        latency: a frame is handed out when at most this many later ones were taken in. None waits until every clip
            with the frame in it has had its say, which takes clip_length - 1. With less, later clips add nothing to
            frames that are out already; below clip_length - overlap - 1 clips also follow each other more closely than
            `overlap` asks for (by one frame for 0), which costs time: with the bundled model 1.8 times as much for 1,
            2.8 times for 0.
        score: tracks below this confidence are left out of what is written.
        max_tracks: only this many tracks, best first, are written.
        object_below: tracks whose best class has a probability below this are named `object`.
        cluster: see ClusterConfig.
        stitch: see StitchConfig.
    """

    short_side: int = 256
    long_side: int = 448
    clip_length: int = 8
    overlap: int = 4
    latency: int | None = None
    score: float = 0.15
    max_tracks: int = 10
    object_below: float = 0.3
    cluster: ClusterConfig = ClusterConfig()
    stitch: StitchConfig = StitchConfig()

    def __post_init__(self) -> None:
        if self.clip_length < 1 or not 0 <= self.overlap < self.clip_length:
            raise InputError(
                f"overlap {self.overlap} and clip_length {self.clip_length}: need 0 <= overlap < clip_length, 1 or more"
            )
        if self.latency is not None and self.latency < 0:
            raise InputError(f"latency {self.latency}: must not be negative")
        if min(self.short_side, self.long_side) < 32:
            raise InputError(f"short_side {self.short_side} and long_side {self.long_side}: at least 32 pixels each")
        if self.max_tracks < 0:
            raise InputError(f"max_tracks {self.max_tracks}: must not be negative")
        for name in ("score", "object_below"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} {getattr(self, name)}: must lie in [0, 1]")

    @property
    def delay(self) -> int:
        """Frames by which results lag behind at most."""
        return self.clip_length - 1 if self.latency is None else min(self.latency, self.clip_length - 1)

    @property
    def step(self) -> int:
        """Frames from the beginning of a clip to that of the next."""
        return min(self.clip_length - self.overlap, self.delay + 1)

    @property
    def held(self) -> int:
        """Frames of a clip that wait for what the next clip adds to them."""
        return min(self.overlap, self.delay + 1 - self.step)


@dataclass(frozen=True)
class MotionConfig:
    """How far something moves over a clip, and how its motion blurs the frames.

    Attributes:
        shift: largest travel in x and y, as a share of the short side.
        rotation: largest turn, in degrees.
        zoom: largest change of the logarithm of the scale.
        perspective: largest change of scale over half a side of the frame, to the right and downwards each; below 0.2.
        sway: size of the smooth swing about the straight path, as a share of the travel.
        blur: probability that a clip is blurred along the motion of its pixels; of a frame where `independent`.
        exposure: how long the shutter of a blurred clip is open, as a share of the time between two frames.
        independent: move every frame on its own, by up to `shift`, `rotation`, `zoom` and `perspective` either way,
            instead of along a smooth path. Blur then has a random direction.
        streak: shortest and longest way in pixels of the blur of an independent frame.
    """

    shift: float = 0.2
    rotation: float = 12.0
    zoom: float = 0.15
    perspective: float = 0.0
    sway: float = 0.3
    blur: float = 0.25
    exposure: float = 0.5
    independent: bool = False
    streak: tuple[float, float] = (9.0, 11.0)

    def __post_init__(self) -> None:
        for name in ("shift", "rotation", "zoom", "sway", "exposure"):
            _at_least(self, name, 0)
        # From 0.2 on, the horizon of a path may come into sight.
        if not 0 <= self.perspective < 0.2:
            raise InputError(f"perspective {self.perspective}: must lie in [0, 0.2)")
        if not 0 <= self.blur <= 1:
            raise InputError(f"blur {self.blur}: must lie in [0, 1]")
        if not 0 <= self.streak[0] <= self.streak[1]:
            raise InputError(f"streak {self.streak}: need 0 <= shortest <= longest")


def published_motion() -> MotionConfig:
    """What a published predecessor with the paper's data did to stills: every frame warped and blurred on its own."""
    return MotionConfig(shift=0.1, rotation=12.0, zoom=0.0, perspective=0.08, blur=0.25, independent=True)


@dataclass(frozen=True)
class MixtureConfig:
    """What training clips look like.

    Attributes:
        length: T, frames a clip.
        fit: "crop" looks through a moving window of `height` x `width` that keeps an instance in sight; "resize" shows
            the whole frame, scaled to `short_side`, or less where the long side would exceed `long_side`.
        height, width: of a crop, in pixels.
        view: a crop's scale ranges from this times "the whole frame is seen" ...
        closeness: ... to this times "the frame just covers the crop".
        short_side, long_side: of a resized frame, in pixels.
        max_stride: videos are sampled at every 1st to this-th frame.
        max_pastes: at most this many objects are copied into a clip, each on a path of its own.
        colours: strength of the colour changes.
        max_instances: the smallest instances beyond this many become ignored pixels.
        camera: motion of the view of stills.
        video_camera: motion of the view of videos, on top of their own.
        objects: motion of copied objects.
    """

    length: int = 8
    fit: Literal["crop", "resize"] = "crop"
    height: int = 192
    width: int = 352
    view: float = 0.9
    closeness: float = 1.5
    short_side: int = 640
    long_side: int = 1196
    max_stride: int = 3
    max_pastes: int = 2
    colours: float = 0.3
    max_instances: int = 16
    camera: MotionConfig = MotionConfig()
    video_camera: MotionConfig = MotionConfig(shift=0.07, rotation=4.0, zoom=0.05, blur=0.0)
    objects: MotionConfig = MotionConfig(shift=0.6, rotation=20.0, zoom=0.25)

    def __post_init__(self) -> None:
        for name in ("length", "height", "width", "short_side", "long_side", "max_stride", "max_instances"):
            _at_least(self, name, 1)
        for name in ("max_pastes", "colours"):
            _at_least(self, name, 0)
        for name in ("view", "closeness"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} {getattr(self, name)}: must be positive")


@dataclass(frozen=True)
class LossConfig:
    """Weights of eq. (6), and where the losses are taken.

    Attributes:
        embedding: weight of L_embedding; the paper has 1 for each term.
        smooth: weight of L_smooth.
        pull: weight of the auxiliary `pull_loss`; the paper has none.
        center: weight of L_center.
        classification: weight of L_classification.
        foreground: weight of the auxiliary term (models with a foreground output).
        stride: 4 compares at the resolution of the outputs; 1 interpolates them to full resolution, as in the paper.
    """

    embedding: float = 1.0
    smooth: float = 1.0
    pull: float = 0.0
    center: float = 1.0
    classification: float = 1.0
    foreground: float = 1.0
    stride: Literal[1, 2, 4] = 4

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _at_least(self, field.name, 0)


@dataclass(frozen=True)
class TrainConfig:
    """What one training run does. An interrupted run continues only under the same one.

    Attributes:
        model: the network, where no checkpoint to start from brings its own.
        classes: of the network; by default those of the checkpoint to start from, else the model's own.
        steps: optimiser steps of the whole run.
        batch: clips a step, all processes together.
        optimizer: AdamW, or SGD as in the paper.
        learning_rate: of everything but the backbone, after warm-up.
        backbone_rate: of the backbone, as a share of `learning_rate`; 0 freezes it.
        momentum: of SGD; AdamW has its own.
        weight_decay: of either optimiser.
        warmup: steps of linear warm-up.
        schedule: how the rate goes on after warm-up: "cosine" falls to 0 at the last step, "exponential" stays until
            step `decay_from` and then decays evenly on a logarithmic scale.
        decay_from: step at which the exponential schedule begins to decay.
        decay_steps: steps that its decay takes.
        decay: factor of the rate at its end.
        clip_norm: bound on the norm of the gradient, of the backbone's and of the rest's each; 0 for none.
        ema: decay of the moving average of the weights, the one that is saved; 0 saves the weights themselves.
        seed: of weights and data.
        skip_broken: go on with other clips where frames or masks cannot be read; skipped.txt lists them.
        losses: see LossConfig.
        data: see MixtureConfig.
    """

    model: Literal["lite", "paper"] = "lite"
    classes: Literal["lite", "coco", "voc", "ytvis2019", "ytvis2021", "ovis"] | None = None
    steps: int = 6000
    batch: int = 2
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    backbone_rate: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup: int = 200
    schedule: Literal["cosine", "exponential"] = "cosine"
    decay_from: int = 60_000
    decay_steps: int = 100_000
    decay: float = 0.01
    clip_norm: float = 5.0
    ema: float = 0.998
    seed: int = 0
    skip_broken: bool = False
    losses: LossConfig = LossConfig(smooth=0.3)
    data: MixtureConfig = MixtureConfig()

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "decay_steps"):
            _at_least(self, name, 1)
        for name in ("backbone_rate", "weight_decay", "warmup", "decay_from", "clip_norm", "seed"):
            _at_least(self, name, 0)
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate {self.learning_rate}: must be positive")
        if not 0 < self.decay <= 1:
            raise InputError(f"decay {self.decay}: must lie above 0 and not above 1")
        for name in ("momentum", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: must lie in [0, 1)")


_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class MachineConfig:
    """How a run is carried out on the machine at hand; may change whenever the run continues.

    Attributes:
        device: auto (a CUDA card where there is one), cpu, cuda, cuda:1, ...
        precision: of the network's forward and backward pass; the losses and weights are float32 always. "auto" is
            bfloat16 on cards that have it and on processors with matrix units for it, else float32.
        accumulate: parts in which every process works off its clips of a step, one after the other. More parts need
            less memory; batch normalisation then sees the clips of one part only.
        gradient_checkpointing: keep only the inputs of the backbone's blocks and of attention for the backward pass,
            and compute the rest again: a third less memory, a quarter more time (`paper` at 256x448), the same result.
        compile: hand the network to torch.compile: a slow start, faster steps.
        workers: processes that prepare clips, for each training process.
        checkpoint_every: steps between checkpoints.
        stop_after: end at a checkpoint after this time, such as 150m, 2h or 90s; empty for no limit.
    """

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    accumulate: int = 1
    gradient_checkpointing: bool = False
    compile: bool = False
    workers: int = 1
    checkpoint_every: int = 250
    stop_after: str = ""

    def __post_init__(self) -> None:
        _at_least(self, "accumulate", 1)
        _at_least(self, "workers", 0)
        _at_least(self, "checkpoint_every", 1)
        _ = self.seconds

    @property
    def seconds(self) -> float:
        """`stop_after` in seconds; infinity where it is empty."""
        number, unit = self.stop_after[:-1], self.stop_after[-1:]
        if not self.stop_after:
            return inf
        if not number.isdecimal() or unit not in _SECONDS:
            raise InputError(f"stop_after {self.stop_after!r}: a whole number and s, m or h, such as 150m")
        return float(int(number) * _SECONDS[unit])


@dataclass(frozen=True)
class WatchConfig:
    """What is shown and measured while a run goes on; may change whenever it continues.

    Attributes:
        validate: YouTube-VIS-form annotation file, with its frames beside it, on which the averaged weights are scored:
            validation.csv has AP, AP50 and AP50 without classes, and the checkpoint of the highest AP is kept as
            best.safetensors.
        validate_every: steps between validations; each happens at the next checkpoint, and one at the end.
        tensorboard: also write scalars and pictures for TensorBoard (extra `train`); log.csv is written always.
        pictures_every: steps between pictures of one training clip (pictures/*.png): truth, tubes found, heat map and
            embedding; each happens at the next checkpoint, and one at the end; 0 for none.
    """

    validate: Path | None = None
    validate_every: int = 1000
    tensorboard: bool = False
    pictures_every: int = 0

    def __post_init__(self) -> None:
        _at_least(self, "validate_every", 1)
        _at_least(self, "pictures_every", 0)


def lite_recipe() -> TrainConfig:
    """For the small model: AdamW, warm-up and cosine, moving average, clipped gradients, the backbone frozen."""
    return TrainConfig()


def paper_recipe() -> TrainConfig:
    """Section 5.3 of the paper; "exponential decay rate 1e-4" in its list of SGD's settings is weight decay."""
    return TrainConfig(
        model="paper",
        classes="ytvis2019",
        steps=160_000,
        optimizer="sgd",
        backbone_rate=1.0,
        warmup=0,
        schedule="exponential",
        clip_norm=0.0,
        ema=0.0,
        losses=LossConfig(stride=1),
        data=MixtureConfig(fit="resize", short_side=640, long_side=1196, max_pastes=0, camera=published_motion()),
    )


def fine_tune_recipe() -> TrainConfig:
    """For an annotator's own classes: short clips, few steps, and a low rate for what is trained already."""
    return TrainConfig(steps=200, learning_rate=3e-4, warmup=20, ema=0.98, data=MixtureConfig(length=4))


CLASS_LISTS = {
    "lite": LITE,
    "coco": COCO,
    "voc": VOC,
    "ytvis2019": YTVIS_2019,
    "ytvis2021": YTVIS_2021,
    "ovis": OVIS,
}
RECIPES = {"lite": lite_recipe, "paper": paper_recipe}


def model_to_json(config: ModelConfig) -> str:
    """The configuration as one line of json, for the metadata of a checkpoint."""
    return json.dumps(dataclasses.asdict(config))


def model_from_json(text: str) -> ModelConfig:
    """Inverse of `model_to_json`.

    Raises:
        InputError: the text is not such a configuration; the message names the field.
    """
    try:
        fields: dict[str, Any] = json.loads(text)
        fields["categories"] = tuple(Category(**entry) for entry in fields["categories"])
        fields["squeezes"] = tuple(fields["squeezes"])
        fields["embedding"] = tuple(fields["embedding"])
        return ModelConfig(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"model configuration: {error}") from error
