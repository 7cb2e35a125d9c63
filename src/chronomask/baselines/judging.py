"""One data set of Table 1: which videos count, and what all systems find in them. What is done already stays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import process_time

from chronomask.annotations import reader
from chronomask.baselines.detection_files import read_detections, write_detections
from chronomask.baselines.detections import Detection
from chronomask.baselines.own_network import NetworkDetector
from chronomask.baselines.run import CARRIERS, DataSet, First, detected, tracked
from chronomask.baselines.systems import TITLES, WEIGHTS_OF, SystemName, system
from chronomask.baselines.table_text import Judged
from chronomask.baselines.training import NetworkName
from chronomask.config import EVERYTHING
from chronomask.data.layouts import images_of
from chronomask.data.sources import parse_source
from chronomask.engines.opening import sha256_of
from chronomask.errors import InputError, refusing
from chronomask.evaluation.compare import compare
from chronomask.evaluation.validate import read_truth
from chronomask.files import written_aside
from chronomask.formats.ytvis import write_tracks
from chronomask.progress import Progress
from chronomask.runs.predict import predict
from chronomask.segmenter.load import load

Detections = Mapping[int, Sequence[Sequence[Detection]]]
"""Of every frame of the videos, by the videos' ids."""


def check_judged(text: str) -> None:
    """Raises InputError where a file to judge on is at fault, or names of videos to be left out are wrong."""
    source = parse_source(text)
    read_truth(source.path)
    known = {video.name for video in DataSet.opened(source.path, Path()).videos}
    if missing := sorted(set(source.without) - known):
        raise InputError(f"{source.path}: no video named {missing[0]}")
    if known == set(source.without):
        raise InputError(f"{source.path}: all of its videos are left out")


def folder_of(text: str) -> str:
    """Tells data sets apart: how they were named, and what the file holds now."""
    return f"data-{hashlib.sha256(f'{text} {sha256_of(parse_source(text).path)}'.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, eq=False)
class Judging:
    """The judging of all systems on one data set.

    Attributes:
        text: names the annotation file, with options behind commas.
        folder: for what is found.
        progress: shows how far the work is.
    """

    text: str
    folder: Path
    progress: Progress

    @cached_property
    def data(self) -> DataSet:
        """The videos that count; where some are left out, of a file that is made without them."""
        source = parse_source(self.text)
        names = [video.file_names[0] for video in DataSet.opened(source.path, Path()).videos if video.file_names]
        frames = source.images or images_of(source.path, names)
        if not source.without:
            return DataSet.opened(source.path, frames)
        file = reader.read(source.path).file
        videos = [video for video in file.videos if video.name not in source.without]
        kept = {video.id for video in videos}
        path = self.folder / f"{source.path.stem}.json"
        write_tracks(path, videos, file.categories, [t for t in file.tracks if t.video_id in kept], file.info)
        return DataSet.opened(path, frames)

    def ours(self, start: str | Path) -> tuple[Path, float]:
        """Our tracks, by whole clips, and the seconds of the processor that they took."""
        out = self.folder / "ours/tracks.json"

        def work() -> float:
            segmenter = load(start, config=EVERYTHING)
            begun = process_time()
            predict(segmenter, self.data.instances, self.data.frames, out, overwrite=True, progress=self.progress)
            return process_time() - begun

        return out, _once(out.with_name("cost.json"), work)

    def judged(self, start: str | Path, weights: Mapping[NetworkName, Path], first: First, resamples: int) -> Judged:
        """The results of ours and of all other systems, and what each costs.

        Args:
            start: our weights.
            weights: of the networks that the others need.
            first, resamples: see `table1`.
        """
        detections, seconds = self._detections(weights["frames"])
        results, costs = {}, {}
        results["Ours"], costs["Ours"] = self.ours(start)
        for name, title in TITLES.items():
            results[title], costs[title] = self._tracks(name, weights, detections, first)
            costs[title] += 0.0 if name in CARRIERS else seconds
        frames = sum(video.length for video in self.data.videos)
        path = parse_source(self.text).path
        name = path.stem if path.stem != "instances" else path.resolve().parent.name
        compared = compare(self.data.instances, results, resamples)
        return Judged(name, compared, {title: cost / frames for title, cost in costs.items()})

    def _detections(self, weights: Path) -> tuple[Detections, float]:
        """What is tracked, and the seconds of the processor that it took to find it."""
        path, (videos, categories) = self.folder / "detections.json", (self.data.videos, self.data.categories)

        def work() -> float:
            found, seconds = detected(NetworkDetector.of_model(weights, EVERYTHING), self.data, self.progress)
            write_detections(path, videos, categories, found)
            return seconds

        seconds = _once(path.with_suffix(".cost.json"), work)
        return read_detections(path, videos, categories), seconds

    def _tracks(
        self, name: SystemName, weights: Mapping[NetworkName, Path], detections: Detections, first: First
    ) -> tuple[Path, float]:
        """The tracks of a system, and the seconds of the processor that they took on top of the detections."""
        out = self.folder / f"{name}.json"

        def work() -> float:
            network = WEIGHTS_OF.get(name)
            made = system(name, weights[network] if network else None)
            told = first if name in CARRIERS else "detections"
            tracks, seconds = tracked(made, self.data, detections, told, self.progress)
            write_tracks(out, self.data.videos, self.data.categories, tracks, {"system": TITLES[name]})
            return seconds

        return out, _once(out.with_suffix(".cost.json"), work)


def _once(cost: Path, work: Callable[[], float]) -> float:
    """Does what is not done yet, and notes what it took as the last thing; else what it took then."""
    if cost.exists():
        with refusing(cost, "no cost of a step"):
            return float(json.loads(cost.read_text())["seconds"])
    seconds = work()
    with written_aside(cost) as aside:
        aside.write_text(json.dumps({"seconds": seconds}))
    return seconds
