"""Average precision while a run goes on: it says how good the weights are, and which checkpoint is the best."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from chronomask.config import EVERYTHING
from chronomask.data.layouts import images_of
from chronomask.data.mapping import joined
from chronomask.errors import InputError, refusing
from chronomask.evaluation.ap import score
from chronomask.evaluation.selection import without_classes
from chronomask.evaluation.validate import read_results, read_truth
from chronomask.files import written_aside
from chronomask.formats.ytvis import read_head
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.model.checkpoint import save_network
from chronomask.runs.predict import predict
from chronomask.segmenter.load import load
from chronomask.training.folder import VALIDATING, WEIGHTS
from chronomask.training.monitor import Milestones


@dataclass(frozen=True)
class ValidationScores:
    """Of one checkpoint, each in [0, 1]; -1 where there is no object to find.

    Attributes:
        AP: as YouTube-VIS defines it.
        AP50: at IoU 0.50.
        AP50_any: AP50 as if there were one class only: how good masks and tracks are, whatever their names.
    """

    AP: float
    AP50: float
    AP50_any: float

    def __str__(self) -> str:
        return f"AP {100 * self.AP:.1f}, AP50 {100 * self.AP50:.1f}, AP50 of any class {100 * self.AP50_any:.1f}"


Listener = Callable[[int, ValidationScores], None]
"""Called with the steps done and the scores of every validation."""


class Validation(Milestones):
    """A monitor that scores the averaged weights on annotated videos; AP decides which checkpoint is the best.

    Scores go to validation.csv in the folder of the run.

    Args:
        instances: annotation file of YouTube-VIS form.
        classes: names of the network's classes.
        every: steps between validations; each happens at the first checkpoint from there on, and one at the end.
        device: to segment on.
        frames: the folder that file names are relative to; looked for by default.

    Raises:
        InputError: the file has faults, no object to find, no class of the network, or no frames.
    """

    def __init__(
        self,
        instances: Path,
        classes: Sequence[str],
        *,
        every: int,
        device: str = "auto",
        frames: Path | None = None,
    ) -> None:
        super().__init__(every)
        self.instances, self.device = instances, device
        self.listeners: Sequence[Listener] = ()
        read_head(instances)  # which `predict` will ask for: now, and not at the first checkpoint
        self.truth = read_truth(instances)
        if all(track.crowd for track in self.truth.tracks):
            raise InputError(f"{instances}: not one annotated object to validate with")
        if not joined(classes, self.truth.categories.values()):
            raise InputError(f"{instances}: none of its categories is a class of the network")
        names = [name for video in self.truth.videos.values() for name in (video.file_names or ())[:1]]
        self.frames = frames or images_of(instances, names)

    def on_checkpoint(self, step: int, network: BackboneNetwork, out: Path) -> float | None:
        if not self.due(step):
            return None
        return self.run(step, network, out).AP

    def run(self, step: int, network: BackboneNetwork, out: Path) -> ValidationScores:
        """Scores a network and writes its line behind those of earlier steps; a step that has one is not done again."""
        known = read_scores(out)
        scores = known.get(step)
        if scores is None:
            scores = self.scores(network, out)
            _write_scores(out, {done: value for done, value in known.items() if done < step} | {step: scores})
        for listener in self.listeners:
            listener(step, scores)
        return scores

    def scores(self, network: BackboneNetwork, out: Path | None = None) -> ValidationScores:
        """Scores a network, as it will be when it is loaded from its file.

        Args:
            out: folder of the run, in which a killed one leaves less behind than where temporary files lie.
        """
        with TemporaryDirectory(prefix=VALIDATING, dir=out) as place:
            weights, tracks = Path(place) / WEIGHTS, Path(place) / "tracks.json"
            save_network(weights, network, half=True)
            segmenter = load(weights, self.device, "torch", config=EVERYTHING)
            predict(segmenter, self.instances, self.frames, tracks)
            found = read_results(tracks, self.truth)
        named = score(self.truth, found).scores
        return ValidationScores(named.AP, named.AP50, score(*without_classes(self.truth, found)).scores.AP50)


def read_scores(out: Path) -> dict[int, ValidationScores]:
    """What validation.csv in the folder of a run says, by the steps done."""
    path = out / "validation.csv"
    if not path.exists():
        return {}
    with refusing(path, "no list of scores"), path.open(newline="") as file:
        return {
            int(row.pop("step")): ValidationScores(**{name: float(value) for name, value in row.items()})
            for row in csv.DictReader(file)
        }


def _write_scores(out: Path, scores: dict[int, ValidationScores]) -> None:
    with written_aside(out / "validation.csv") as aside, aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", *(field.name for field in fields(ValidationScores))])
        writer.writeheader()
        writer.writerows({"step": step, **asdict(value)} for step, value in scores.items())
