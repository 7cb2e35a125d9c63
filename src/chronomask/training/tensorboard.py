"""A run's numbers and pictures for TensorBoard."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from chronomask.errors import InputError
from chronomask.files import spoken
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.training.monitor import StepReport
from chronomask.training.progress import LOGGED
from chronomask.training.validation import ValidationScores


class Board:
    """A monitor that writes TensorBoard's event files into `out`/tensorboard, a step's numbers every tenth step.

    Args:
        out: folder of the run.

    Raises:
        InputError: TensorBoard is not installed, or cannot write there.
    """

    def __init__(self, out: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "--tensorboard: needs pip install 'chronomask[train]' (log.csv has the same numbers without it)"
            ) from error
        if spoken(str(out)) != str(out):
            raise InputError(f"--tensorboard: TensorBoard writes to no folder whose name is no UTF-8, such as {out}")
        self.folder, self.new_writer = out / "tensorboard", SummaryWriter
        self.writer: SummaryWriter | None = None

    def on_step(self, report: StepReport) -> None:
        if self.writer is None:
            # TensorBoard hides what an interrupted run wrote beyond the step that is continued from.
            self.writer = self.new_writer(str(self.folder), purge_step=report.step)
        if report.step % LOGGED:
            return
        result = report.result
        values = {"loss": result.loss, **{f"loss/{name}": value for name, value in result.terms.items()}}
        values |= {"rate": report.rate, "gradient": result.gradient}
        values |= {"seconds a step": report.seconds, "memory (GiB)": report.memory / 2**30}
        for name, value in values.items():
            self.writer.add_scalar(name, value, report.step)

    def on_checkpoint(self, step: int, network: BackboneNetwork, out: Path) -> None:
        if self.writer is not None:
            self.writer.flush()

    def scores(self, step: int, scores: ValidationScores) -> None:
        """Adds the result of a validation."""
        for name, value in asdict(scores).items():
            self._add("add_scalar", f"validation/{name}", value, step)

    def picture(self, step: int, picture: UInt8[np.ndarray, "H W 3"]) -> None:
        """Adds a picture, RGB."""
        self._add("add_image", "clip", picture, step, dataformats="HWC")

    def _add(self, method: str, *values: object, **options: object) -> None:
        assert self.writer is not None, "checkpoints come after steps"
        getattr(self.writer, method)(*values, **options)
        self.writer.flush()
