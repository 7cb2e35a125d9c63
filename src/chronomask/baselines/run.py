"""A system on a whole data set: from annotation file and frames to a file of tracks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import process_time
from typing import Literal

import numpy as np

from chronomask import __version__
from chronomask.annotations.records import Track, VideoEntry, all_frames
from chronomask.baselines.detection_files import read_detections
from chronomask.baselines.detections import Detection
from chronomask.baselines.own_network import NetworkDetector
from chronomask.baselines.systems import Material, System, SystemName, first_of_truth, system
from chronomask.categories import Category
from chronomask.claims import Output, check_frames, claimed
from chronomask.errors import InputError
from chronomask.evaluation.validate import read_truth
from chronomask.formats.ytvis import read_head, write_tracks
from chronomask.progress import Progress, silent
from chronomask.runs.predict import category_of_class
from chronomask.video import open_frames

First = Literal["detections", "truth"]
"""Where systems that carry masks on are told what to carry: the first frame with detections, or the annotations."""

CARRIERS = ("osmn-maskprop", "feelvos")


@dataclass(frozen=True, eq=False)
class DataSet:
    """The videos of an annotation file.

    Attributes:
        instances: the file.
        frames: the folder that file names are relative to.
        videos: in the order of the file.
        categories: of the file.
    """

    instances: Path
    frames: Path
    videos: tuple[VideoEntry, ...]
    categories: tuple[Category, ...]

    @classmethod
    def opened(cls, instances: Path, frames: Path) -> DataSet:
        """As the file has them.

        Raises:
            InputError: a file without what is needed of it.
        """
        return cls(instances, frames, *read_head(instances))

    def images(self, video: VideoEntry) -> Iterator[np.ndarray]:
        """The frames of a video, RGB."""
        files = [self.frames / name for name in video.file_names or ()]
        for frame in open_frames(video.name, files, annotated=(video.width, video.height)).frames():
            yield frame.image


def baseline(
    name: SystemName,
    instances: str | Path,
    frames: str | Path,
    out: str | Path,
    *,
    weights: Path | None = None,
    model: str | Path = "lite",
    detections: Path | None = None,
    first: First = "detections",
    overwrite: bool = False,
    progress: Progress = silent,
) -> int:
    """Tracks the objects of all videos of a YouTube-VIS-form file by another system than ours; the number of tracks.

    Args:
        name: of the system.
        instances: names the videos and categories.
        frames: the folder that `file_names` are relative to.
        out: tracks in the form of tracks.json.
        weights: of the system's own network, where it has one.
        model: whose detections in single frames are tracked.
        detections: COCO json of detections, to be tracked instead; images are called as the frames.
        first: see `First`.
        overwrite: whether a file that is there may be replaced.
        progress: shows how far the work is.

    Raises:
        InputError: a file that cannot be used, frames that are missing, or an output that may not be written.
    """
    instances, frames, out = Path(instances), Path(frames), Path(out)
    reads = [instances, weights, detections, *([Path(model)] if Path(model).exists() else [])]
    with claimed([Output(out)], reads, [frames], overwrite):
        data, made = DataSet.opened(instances, frames), system(name, weights)
        check_frames([out], frames, all_frames(data.videos))
        if name in CARRIERS and first == "truth":
            found: Mapping[int, Sequence[Sequence[Detection]]] = {}
        elif detections is not None:
            found = read_detections(detections, data.videos, data.categories)
        else:
            found, _ = detected(NetworkDetector.of_model(model), data, progress)
        tracks, _ = tracked(made, data, found, first, progress)
        info = {"version": __version__, "system": name, "first": first if name in CARRIERS else None}
        write_tracks(out, data.videos, data.categories, tracks, info)
    return len(tracks)


def detected(
    detector: NetworkDetector, data: DataSet, progress: Progress = silent
) -> tuple[dict[int, list[list[Detection]]], float]:
    """The detections of all videos, by id, and the seconds of the processor that they took, reading frames aside.

    Raises:
        InputError: no category of the data set is a class of the network; a frame cannot be read.
    """
    category_of = category_of_class(detector.segmenter, data.categories)
    if not category_of:
        raise InputError(f"{data.instances}: none of its categories is a class of the model")
    found, seconds = {}, 0.0
    for video in progress(data.videos, "detecting", len(data.videos)):
        reading, begun = _Reading(data, video), process_time()
        found[video.id] = list(detector.detect(reading(), category_of))
        seconds += process_time() - begun - reading.seconds
    return found, seconds


def tracked(
    made: System,
    data: DataSet,
    detections: Mapping[int, Sequence[Sequence[Detection]]],
    first: First = "detections",
    progress: Progress = silent,
) -> tuple[list[Track], float]:
    """The tracks of all videos, and the seconds of the processor that they took, reading frames aside.

    Raises:
        InputError: a frame cannot be read.
    """
    truth: dict[int, list[Track]] = {}
    if first == "truth":
        for track in read_truth(data.instances).tracks:
            truth.setdefault(track.video_id, []).append(track)
    numbers, tracks, seconds = count(1), [], 0.0
    for video in progress(data.videos, "tracking", len(data.videos)):
        frames = detections.get(video.id, [[]] * video.length)
        shown = first_of_truth(truth.get(video.id, ())) if first == "truth" else _first_detections(frames)
        reading, begun = _Reading(data, video), process_time()
        found = made(Material(reading, frames, shown))
        seconds += process_time() - begun - reading.seconds
        tracks += [track.record(next(numbers), video) for track in found]
    return tracks, seconds


class _Reading:
    """The frames of a video, each as it is wanted, and the seconds of the processor that reading them took."""

    def __init__(self, data: DataSet, video: VideoEntry) -> None:
        self.data, self.video, self.seconds = data, video, 0.0

    def __call__(self) -> Iterator[np.ndarray]:
        images = self.data.images(self.video)
        while True:
            begun = process_time()
            image = next(images, None)
            self.seconds += process_time() - begun
            if image is None:
                return
            yield image


def _first_detections(frames: Sequence[Sequence[Detection]]) -> dict[int, Sequence[Detection]]:
    """The first frame in which something was detected, and what."""
    return next(({number: detections} for number, detections in enumerate(frames) if detections), {})
