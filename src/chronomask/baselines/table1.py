"""Table 1 of the paper, with the systems trained and judged here: one folder, filled step by step, so that a killed run
goes on where it was.

Every system starts from the weights of ours, sees the same training data for the same number of frames, and tracks the
same detections, those of our network trained on single frames, where it tracks detections at all. Ours are the weights
themselves. All are judged by `evaluation.compare`; what was published stands beside it, on other data and by larger
networks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

from chronomask import __version__
from chronomask.annotations import reader
from chronomask.baselines.budget import Budget
from chronomask.baselines.detection_files import read_detections, write_detections
from chronomask.baselines.own_network import NetworkDetector
from chronomask.baselines.run import CARRIERS, DataSet, First, detected, tracked
from chronomask.baselines.systems import TITLES, WEIGHTS_OF, SystemName, system
from chronomask.baselines.table_text import Judged, Style, budget_note, table_texts
from chronomask.baselines.training import NetworkName, train_network
from chronomask.claims import Output, claimed
from chronomask.config import MachineConfig
from chronomask.data.layouts import images_of
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import files_of, open_training_sources, parse_source
from chronomask.engines.models import model_files
from chronomask.engines.opening import sha256_of
from chronomask.errors import InputError, refusing
from chronomask.evaluation.compare import compare
from chronomask.evaluation.validate import read_truth
from chronomask.files import written_aside
from chronomask.formats.ytvis import write_tracks
from chronomask.model.checkpoint import load_network
from chronomask.progress import Progress, silent
from chronomask.runs.predict import EVERYTHING, predict
from chronomask.segmenter.load import load
from chronomask.training.initial import Say, unsaid
from chronomask.training.monitor import Monitor

TABLES: dict[str, Style] = {"table1.md": "markdown", "table1.csv": "csv", "table1.tex": "latex"}
WORK, SETTINGS, OURS = "work", "settings.json", "ours/tracks.json"
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
    outputs = [
        *(Output(out / name, inside=True) for name in (*TABLES, SETTINGS)),
        Output(work, lambda _: None if known else "is of no run", inside=True),
    ]
    with claimed(outputs, reads, overwrite=overwrite or known == described):
        sources = open_training_sources(training, load_network(checkpoint).config.categories)
        for text in judging:
            _check(text)
        _begin(out, described, known)
        folders = {text: work / _folder_of(text) for text in judging}
        # Ours first, which needs no training: what is wrong with a frame is said before hours of it.
        opened = {text: _ours_of(text, folder, start, progress, say) for text, folder in folders.items()}
        weights = _trained(work, checkpoint, sources, budget, machine, monitors, say)
        judged = tuple(
            _judged(text, *opened[text], folder, weights, first, resamples, progress, say)
            for text, folder in folders.items()
        )
        note = budget_note(budget, first)
        texts = {name: table_texts(judged, style, note) for name, style in TABLES.items()}
        for name, text in texts.items():
            with written_aside(out / name) as aside:
                aside.write_text(text, encoding="utf-8")
    return Table1(judged, texts)


def _description(train: Sequence[str], checkpoint: Path, budget: Budget, first: First) -> dict[str, Any]:
    """All that decides a run, but for what it is judged on: that may change from call to call."""
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


def _ours_of(text: str, folder: Path, start: str | Path, progress: Progress, say: Say) -> tuple[DataSet, float]:
    """A data set, and the seconds of the processor that our tracks of it took."""
    data = _opened(text, folder)
    say(f"judging ours: {data.instances}")
    return data, _ours(start, data, folder / OURS, progress)


def _judged(
    text: str,
    data: DataSet,
    cost: float,
    folder: Path,
    weights: Mapping[NetworkName, Path],
    first: First,
    resamples: int,
    progress: Progress,
    say: Say,
) -> Judged:
    """The results of all systems on one data set, and what each costs; ours, which is there, cost so much."""
    say(f"judging: {data.instances}")
    results, costs = {"Ours": folder / OURS}, {"Ours": cost}
    frames = sum(video.length for video in data.videos)
    path = folder / "detections.json"
    seconds = _kept(path.with_suffix(".cost.json"))
    if seconds is None:
        found, seconds = detected(NetworkDetector.of_model(weights["frames"], EVERYTHING), data, progress)
        write_detections(path, data.videos, data.categories, found)
        _keep(path.with_suffix(".cost.json"), seconds)
    detections = read_detections(path, data.videos, data.categories)
    for name, title in TITLES.items():
        results[title] = folder / f"{name}.json"
        own = _system(name, weights, data, detections, first, results[title], progress)
        costs[title] = own + (0.0 if name in CARRIERS else seconds)
    compared = compare(data.instances, results, resamples)
    return Judged(_name_of(text), compared, {name: cost / frames for name, cost in costs.items()})


def _folder_of(text: str) -> str:
    """Tells data sets apart: how they were named, and what the file holds now."""
    return f"data-{hashlib.sha256(f'{text} {sha256_of(parse_source(text).path)}'.encode()).hexdigest()[:8]}"


def _name_of(text: str) -> str:
    path = parse_source(text).path
    return path.stem if path.stem != "instances" else path.resolve().parent.name


def _check(text: str) -> None:
    """Raises InputError where a file to judge on is at fault, or names of videos to be left out are wrong."""
    source = parse_source(text)
    read_truth(source.path)
    known = {video.name for video in DataSet.opened(source.path, Path()).videos}
    if missing := sorted(set(source.without) - known):
        raise InputError(f"{source.path}: no video named {missing[0]}")
    if known == set(source.without):
        raise InputError(f"{source.path}: all of its videos are left out")


def _opened(text: str, folder: Path) -> DataSet:
    """A data set to judge on; of one with videos to be left out, a file without them is made."""
    source = parse_source(text)
    names = [video.file_names[0] for video in DataSet.opened(source.path, Path()).videos if video.file_names]
    frames = source.images or images_of(source.path, names)
    if not source.without:
        return DataSet.opened(source.path, frames)
    file = reader.read(source.path).file
    videos = [video for video in file.videos if video.name not in source.without]
    kept = {video.id for video in videos}
    tracks = [track for track in file.tracks if track.video_id in kept]
    path = folder / f"{source.path.stem}.json"
    write_tracks(path, videos, file.categories, tracks, file.info)
    return DataSet.opened(path, frames)


def _ours(start: str | Path, data: DataSet, out: Path, progress: Progress) -> float:
    """Our tracks, by whole clips; the seconds of the processor that they took."""
    cost = out.with_name("cost.json")
    if (seconds := _kept(cost)) is None:
        segmenter = load(start, config=EVERYTHING)
        begun = process_time()
        predict(segmenter, data.instances, data.frames, out, overwrite=True, progress=progress)
        seconds = process_time() - begun
        _keep(cost, seconds)
    return seconds


def _system(
    name: SystemName,
    weights: Mapping[NetworkName, Path],
    data: DataSet,
    detections: Mapping[int, Sequence[Sequence[Any]]],
    first: First,
    out: Path,
    progress: Progress,
) -> float:
    """The tracks of a system; the seconds of the processor that they took, on top of the detections."""
    cost = out.with_suffix(".cost.json")
    if (seconds := _kept(cost)) is None:
        network = WEIGHTS_OF.get(name)
        made = system(name, weights[network] if network else None)
        told = first if name in CARRIERS else "detections"
        tracks, seconds = tracked(made, data, detections, told, progress)
        write_tracks(out, data.videos, data.categories, tracks, {"system": TITLES[name]})
        _keep(cost, seconds)
    return seconds


def _kept(path: Path) -> float | None:
    """What a step took that is done already."""
    if not path.exists():
        return None
    with refusing(path, "no cost of a step"):
        return float(json.loads(path.read_text())["seconds"])


def _keep(path: Path, seconds: float) -> None:
    """Notes that a step is done; the last thing that it does."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps({"seconds": seconds}))
