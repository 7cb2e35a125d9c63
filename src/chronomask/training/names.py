"""Names taught to a class head by a detector, and calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from chronomask.config import NamesConfig, lite_recipe
from chronomask.data.entries import EntryReader
from chronomask.data.protocol import WeightedSource
from chronomask.errors import InputError
from chronomask.model.network import Network
from chronomask.progress import Progress, silent
from chronomask.training.class_head import calibrate_class_head, fit_class_head
from chronomask.training.finetune import held_back
from chronomask.training.teacher import Detector

UNKNOWN = 0.5
"""How likely an animal that the detector does not know is held to be, against its share of the stills. They are many
there; videos show dogs and birds."""


def teach_names(
    network: Network,
    sources: Sequence[WeightedSource],
    detector: Path,
    config: NamesConfig = NamesConfig(),  # noqa: B008  (frozen)
    progress: Progress = silent,
) -> None:
    """Fits the class head of a network to labels and to what a detector says of the same stills, in place.

    Nothing but the class head changes.

    Args:
        network: its class head reads the backbone.
        sources: annotated stills.
        detector: file of TensorFlow's SSD MobileNetV2, which has seen the boxes of all of COCO.
        config: how much of them, and for how long.
        progress: shows how far it is.

    Raises:
        InputError: the class head reads the decoder, or the detector or the data cannot be used.
    """
    if network.config.class_source != "backbone":
        raise InputError("the checkpoint's class head does not read the backbone, but the decoder")
    teacher = Detector(detector, network.config.categories)
    taught, apart, held, seed = [], [], config.held, config.seed
    for source in sources:
        assert isinstance(source.reader, EntryReader), "files are opened by such readers"
        for part, reader in zip((taught, apart), held_back(source.reader, held, seed, len(source.reader)), strict=True):
            part.append(source._replace(reader=reader))
    data = lite_recipe().data
    before = {name: tensor.clone() for name, tensor in network.class_head.state_dict().items()}
    views, steps = config.stills, config.steps
    fit_class_head(network, taught, data, stills=views, steps=steps, seed=seed, teacher=teacher, progress=progress)
    with torch.no_grad():
        for name, tensor in network.class_head.state_dict().items():
            tensor.lerp_(before[name], 1 - config.share)
    if held:
        prior = torch.where(torch.tensor(teacher.knows), 1.0, UNKNOWN)
        calibrate_class_head(network, apart, data, stills=config.stills // 4, seed=seed + 1, prior=prior)
