"""A training run: losses, optimiser, machine, and the recipes."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal

from chronomask.categories import COCO, LITE, OVIS, VOC, YTVIS_2019, YTVIS_2021
from chronomask.config.checks import at_least, within
from chronomask.config.data import MixtureConfig, published_motion
from chronomask.errors import InputError


@dataclass(frozen=True)
class LossConfig:
    """Weights of eq. (6), and where the losses are taken.

    Attributes:
        embedding: weight of the embedding loss; the paper has 1 for each term.
        smooth: weight of the smoothness loss.
        pull: weight of the auxiliary loss that pulls members to the mean; the paper has none.
        center: weight of the loss of the centre heat map.
        classification: weight of the classification loss.
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
        at_least(self, 0, *(field.name for field in dataclasses.fields(self)))


@dataclass(frozen=True)
class TrainConfig:
    """What one training run does. An interrupted run continues only under the same one.

    Attributes:
        model: the network to build, unless a checkpoint to start from brings one.
        classes: the names that the network will know; by default those of the checkpoint to start from, else those of
            the model.
        steps: training steps of the whole run.
        batch: clips in a step, all processes together.
        optimizer: AdamW, or SGD as in the paper.
        learning_rate: learning rate of everything but the backbone, after warm-up.
        backbone_rate: learning rate of the backbone, as a share of `learning_rate`; 0 leaves the backbone as it is.
        momentum: momentum of SGD; AdamW has its own.
        weight_decay: weight decay, with either optimiser.
        warmup: steps in which the learning rate rises from 0 to its full value.
        schedule: how the learning rate goes on after warm-up: "cosine" falls to 0 at the last step, "exponential" stays
            until step `decay_from` and then decays evenly on a logarithmic scale.
        decay_from: step at which the exponential schedule begins to decay.
        decay_steps: steps that the exponential decay takes.
        decay: share of the learning rate that is left after it.
        clip_norm: largest norm of the gradient, of the backbone and of the rest each; 0 for no limit.
        ema: decay of the moving average of the weights, which is what is saved; 0 saves the weights themselves.
        seed: seed of all random choices, of weights and of data.
        skip_broken: go on with other clips where frames or masks cannot be read; skipped.txt lists them.
        losses: weights of the terms of eq. (6), and where they are taken.
        data: what the clips look like.
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
    data: MixtureConfig = MixtureConfig()  # noqa: RUF009  (frozen)

    def __post_init__(self) -> None:
        at_least(self, 1, "steps", "batch", "decay_steps")
        at_least(self, 0, "backbone_rate", "weight_decay", "warmup", "decay_from", "clip_norm", "seed")
        if not 0 < self.learning_rate < inf:
            raise InputError(f"learning_rate {self.learning_rate}: must be positive and finite")
        if not 0 < self.decay <= 1:
            raise InputError(f"decay {self.decay}: must lie above 0 and not above 1")
        for name in ("momentum", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: must lie in [0, 1)")


@dataclass(frozen=True)
class NamesConfig:
    """How a class head is taught names.

    Attributes:
        held: share of the stills to hold back, and calibrate the probabilities of names with; 0 for none.
        share: of the taught head, in [0, 1]; the rest stays the head that was there.
        stills: views to learn from; a quarter as many to calibrate with.
        steps: of four views.
        seed: of all chance.
    """

    held: float = 0.125
    share: float = 1.0
    stills: int = 1800
    steps: int = 2400
    seed: int = 77

    def __post_init__(self) -> None:
        if not 0 <= self.held < 1:
            raise InputError(f"held {self.held}: must lie in [0, 1)")
        within(self, 0, 1, "share")
        at_least(self, 4, "stills")
        at_least(self, 0, "steps", "seed")


@dataclass(frozen=True)
class MachineConfig:
    """How a run is carried out on the machine at hand; may change whenever the run continues.

    Attributes:
        device: auto (a CUDA card where there is one), cpu, cuda, cuda:1, ...
        precision: numbers of the network's forward and backward pass; losses and weights are always float32. "auto" is
            bfloat16 on cards that have it and on processors with matrix units for it, else float32.
        accumulate: into so many parts every process divides its clips of a step, to take them one after the other. More
            parts need less memory; batch normalisation then sees the clips of one part only.
        gradient_checkpointing: keep only the inputs of the backbone's blocks and of attention for the backward pass,
            and compute the rest again: a third less memory, a quarter more time (`paper` at 256x448), the same result.
        compile: hand the network to torch.compile: a slow start, faster steps.
        workers: processes that prepare clips, for each training process.
        checkpoint_every: steps between checkpoints; by default an eighth of the run, but at most 250.
        stop_after: end at a checkpoint after this time, such as 150m, 2h or 3m30s; empty for no limit. What comes
            before the first step counts too.
    """

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    accumulate: int = 1
    gradient_checkpointing: bool = False
    compile: bool = False
    workers: int = 1
    checkpoint_every: int | None = None
    stop_after: str = ""

    def __post_init__(self) -> None:
        at_least(self, 1, "accumulate")
        at_least(self, 0, "workers")
        if self.checkpoint_every is not None:
            at_least(self, 1, "checkpoint_every")
        _ = self.seconds

    @property
    def seconds(self) -> float:
        """`stop_after` in seconds; infinity where it is empty."""
        if not self.stop_after:
            return inf
        found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", self.stop_after)
        if found is None:
            raise InputError(f"stop_after {self.stop_after!r}: must be hours, minutes, seconds, such as 150m or 3m30s")
        return float(sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)))

    def checkpoints_every(self, steps: int) -> int:
        """Steps between checkpoints of a run of so many."""
        return self.checkpoint_every or min(250, max(1, steps // 8))


@dataclass(frozen=True)
class WatchConfig:
    """What is shown and measured while a run goes on; all but `validate` may change whenever it continues.

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
        at_least(self, 1, "validate_every")
        at_least(self, 0, "pictures_every")


def lite_recipe() -> TrainConfig:
    """For the small model: AdamW, warm-up and cosine, moving average, clipped gradients, the backbone frozen.

    Losses and clips are those of the last stages of the bundled weights.
    """
    return TrainConfig(losses=LossConfig(smooth=0.3, pull=1.0), data=MixtureConfig(view=1.1, max_pastes=3))


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


HOLDOUT = 0.2
"""Share of the entries that fine-tuning holds back."""

CLASS_LISTS = {
    "lite": LITE,
    "coco": COCO,
    "voc": VOC,
    "ytvis2019": YTVIS_2019,
    "ytvis2021": YTVIS_2021,
    "ovis": OVIS,
}
RECIPES = {"lite": lite_recipe, "paper": paper_recipe}
