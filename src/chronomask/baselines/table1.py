"""Table 1 of the paper, with the systems trained and judged here: one folder, filled step by step, so that a killed run
goes on where it was.

Every system starts from the weights of ours, sees the same training data for the same number of frames, and tracks the
same detections, those of our network trained on single frames, where it tracks detections at all. Ours are the weights
themselves. All are judged by `evaluation.compare`; what was published stands beside it, on other data and by larger
networks.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronomask import __version__
from chronomask.baselines.budget import Budget
from chronomask.baselines.judging import Judging, check_judged, folder_of
from chronomask.baselines.run import First
from chronomask.baselines.table_text import Judged, Style, budget_note, table_texts
from chronomask.baselines.training import NetworkName, train_network
from chronomask.claims import Output, claimed
from chronomask.config import MachineConfig
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import files_of, open_training_sources
from chronomask.engines.models import model_files
from chronomask.engines.opening import sha256_of
from chronomask.errors import InputError, refusing
from chronomask.files import written_aside
from chronomask.model.checkpoint import load_network
from chronomask.progress import Progress, silent
from chronomask.training.initial import Say, unsaid
from chronomask.training.monitor import Monitor

TABLES: dict[str, Style] = {"table1.md": "markdown", "table1.csv": "csv", "table1.tex": "latex"}
WORK, SETTINGS = "work", "settings.json"
TRAINED: tuple[NetworkName, ...] = ("frames", "mask-track", "osmn", "feelvos")


@dataclass(frozen=True)
class Table1:
    """What a run ended with.

    Attributes:
        judged: one entry a data set, in the order given.
        texts: the files of `TABLES`, by name.
    """

    judged: tuple[Judged, ...]
    texts: Mapping[str, str]


def table1(
    data: str | Sequence[str],
    train: str | Sequence[str],
    out: str | Path,
    *,
    start: str | Path = "lite",
    budget: Budget = Budget(),  # noqa: B008  (frozen)
    first: First = "detections",
    machine: MachineConfig = MachineConfig(),  # noqa: B008  (frozen)
    resamples: int = 1000,
    overwrite: bool = False,
    monitors: Sequence[Monitor] = (),
    progress: Progress = silent,
    say: Say = unsaid,
) -> Table1:
    """Trains all systems and judges them and ours; a run that was killed goes on when it is called again.

    Args:
        data: annotation files of YouTube-VIS form to judge on, each with options behind commas: `images=FOLDER`,
            `without=NAME+NAME`.
        train: training data, as `training.run.train` takes it.
        out: folder of the tables, and of the work that they are made from.
        start: the weights to begin with, which are also ours: a bundled model or a checkpoint.
        budget: what each network may spend.
        first: what systems that carry masks on are shown, see `baselines.run.First`.
        machine: how training is carried out.
        resamples: of the bootstrap.
        overwrite: whether a run of other settings may be replaced.
        monitors: watch the training.
        progress: shows how far the rest is.
        say: is told what comes next.

    Raises:
        InputError: data or weights that cannot be used, or a folder with another run or other files.
        TrainingError: training failed, and why.
    """
    judging, training = ([one] if isinstance(one, str) else list(one) for one in (data, train))
    out = Path(out)
    checkpoint = model_files(start).checkpoint
    if checkpoint is None:
        raise InputError(f"{start}: is an exported network; name the checkpoint, which can be trained")
    described = _description(training, checkpoint, budget, first)
    known = _known(out)
    reads = [checkpoint, *files_of([*judging, *training])]
    work = out / WORK
    outputs = [Output(out / name, inside=True) for name in (*TABLES, SETTINGS)]
    outputs.append(Output(work, lambda _: None if known else "is of no run", inside=True))
    with claimed(outputs, reads, overwrite=overwrite or known == described):
        sources = open_training_sources(training, load_network(checkpoint).config.categories)
        for text in judging:
            check_judged(text)
        _begin(out, described, known)
        sets = [Judging(text, work / folder_of(text), progress) for text in judging]
        # Ours first, which needs no training: what is wrong with a frame is said before hours of it.
        for one in sets:
            say(f"judging ours: {one.data.instances}")
            one.ours(start)
        weights = _trained(work, checkpoint, sources, budget, machine, monitors, say)
        judged = []
        for one in sets:
            say(f"judging: {one.data.instances}")
            judged.append(one.judged(start, weights, first, resamples))
        return Table1(tuple(judged), _written(out, judged, budget_note(budget, first)))


def _description(train: Sequence[str], checkpoint: Path, budget: Budget, first: First) -> dict[str, Any]:
    """All that decides a run, except what it is judged on, which may change from call to call."""
    return {
        "version": __version__,
        "train": list(train),
        "start_sha256": sha256_of(checkpoint),
        "budget": dataclasses.asdict(budget),
        "first": first,
    }


def _known(out: Path) -> dict[str, Any] | None:
    path = out / SETTINGS
    if not path.exists():
        return None
    with refusing(path, "not the settings of a run"):
        return json.loads(path.read_text())


def _begin(out: Path, described: dict[str, Any], known: dict[str, Any] | None) -> None:
    """Notes whose folder it is, and removes what another run did there."""
    if known != described and (out / WORK).exists():
        shutil.rmtree(out / WORK)
    with written_aside(out / SETTINGS) as aside:
        aside.write_text(json.dumps(described, indent=1))


def _trained(
    work: Path,
    checkpoint: Path,
    sources: Sequence[WeightedSource],
    budget: Budget,
    machine: MachineConfig,
    monitors: Sequence[Monitor],
    say: Say,
) -> dict[NetworkName, Path]:
    """The checkpoints of all that is trained."""
    weights: dict[NetworkName, Path] = {}
    for name in TRAINED:
        say(f"training: {name}")
        weights[name] = train_network(
            name, load_network(checkpoint), sources, budget, work / f"train-{name}", machine, monitors
        )
    return weights


def _written(out: Path, judged: Sequence[Judged], note: str) -> dict[str, str]:
    """The tables, by the names of their files."""
    texts = {name: table_texts(judged, style, note) for name, style in TABLES.items()}
    for name, text in texts.items():
        with written_aside(out / name) as aside:
            aside.write_text(text, encoding="utf-8")
    return texts
