"""Does an object keep its id when it is hidden for 20 frames? The network runs once; settings are tried on its tubes.

    python benchmarks/occlusion.py DATA/instances.json DATA/JPEGImages --videos boat car-turn hike \
        --likeness -1 0.85 --memory 0 100 --similarity 0.5

DATA is a YouTube-VIS-form set with one main object a video (DAVIS-2016). In the middle of every video the object is
painted over with what surrounds it. For every setting the table gives: in how many videos the track that covers the
object best is the same before and after; how often a lost track was taken up again, and how often that joined the main
object with something else; how often the object's id changed in the other frames; and the number of all tracks.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from chronomask.categories import LITE
from chronomask.config import SegmentConfig, StitchConfig
from chronomask.data.annotation_file import YtvisVideos
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.stream import Stream
from chronomask.tracking.memory import Look, Visit
from chronomask.tracking.stitch import Stitcher

HIDDEN, AROUND = 20, 24
"""Frames for which the object is hidden, and frames looked at before and after."""

INSIDE = 0.6
"""A tube with at least this share of its cells on the object is the object's."""


@dataclass(frozen=True, eq=False)
class ClipTubes:
    labels: np.ndarray
    looks: Sequence[Look]
    visits: Sequence[Visit]
    shared: int


@dataclass(frozen=True, eq=False)
class Video:
    clips: list[ClipTubes]
    truth: np.ndarray


@dataclass
class Counts:
    kept: int = 0
    resumed: int = 0
    wrong: int = 0
    changes: int = 0
    tracks: int = 0


class Recorder(Stitcher):
    """Notes the tubes of every clip."""

    def __init__(self, config: StitchConfig) -> None:
        super().__init__(config)
        self.clips: list[ClipTubes] = []

    def add(
        self, labels: np.ndarray, looks: Sequence[Look], visits: Sequence[Visit], shared: int
    ) -> tuple[list[int], set[int]]:
        self.clips.append(ClipTubes(labels, looks, visits, shared))
        return super().add(labels, looks, visits, shared)


class NotingSegmenter(Segmenter):
    """Has a recorder for every video: that of the one in progress, or of the one to come."""

    def _new_stream(self) -> Stream:
        stream = super()._new_stream()
        stream.tracker.stitcher = self.recorder = Recorder(self.config.stitch)
        return stream


def covered(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image without the object: its surroundings, smeared over it."""
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((21, 21), np.uint8))
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    hole = cv2.resize(wide, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    filled = cv2.resize(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), image.shape[1::-1])
    return np.where(wide[..., None] > 0, cv2.GaussianBlur(filled, (0, 0), 4), image)


def tubes_of(segmenter: NotingSegmenter, data: YtvisVideos, name: str) -> Video:
    """Runs the network over the middle of a video whose object is hidden for a while."""
    index = next(i for i in range(len(data)) if data.name(i) == name)
    span = HIDDEN + 2 * AROUND
    begin = max(0, (data.length(index) - span) // 2)
    clip = data.load(index, range(begin, min(data.length(index), begin + span)))
    masks = clip.masks.any(0).numpy()
    recorder = segmenter.recorder
    hidden = hidden_frames(len(masks))
    for frame, image in enumerate(clip.frames.permute(0, 2, 3, 1).numpy()):
        segmenter.push(covered(image, masks[frame]) if frame in hidden else image)
    segmenter.flush()
    rows, columns = recorder.clips[0].labels.shape[1:]
    cells = [cv2.resize(mask.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_AREA) > 0 for mask in masks]
    return Video(recorder.clips, np.stack(cells))


def hidden_frames(length: int) -> range:
    return range((length - HIDDEN) // 2, (length + HIDDEN) // 2)


def tried(video: Video, config: StitchConfig, counts: Counts) -> None:
    """Stitches the tubes of a video, and adds what came of it to the counts."""
    stitcher, position = Stitcher(config), 0
    inside: dict[int, float] = {}
    main: dict[int, int] = {}
    for clip in video.clips:
        first_new, begin = stitcher.next_id, position - clip.shared
        ids, new = stitcher.add(clip.labels, clip.looks, clip.visits, clip.shared)
        position = begin + len(clip.labels)
        truth, labels = video.truth[begin:position], clip.labels
        for tube, number in enumerate(ids):
            share = float(truth[labels == tube + 1].mean())
            if number in new and number < first_new:
                counts.resumed += 1
                counts.wrong += (share > INSIDE) != (inside[number] > INSIDE)
            inside[number] = share
        assert stitcher.recent is not None
        for frame, tracks in enumerate(stitcher.recent, begin):
            pixels = np.bincount(tracks[video.truth[frame]], minlength=2)[1:]
            if pixels.max() > 0.3 * video.truth[frame].sum():
                main[frame] = int(pixels.argmax()) + 1
    hidden = hidden_frames(len(video.truth))
    before = [main[frame] for frame in range(hidden.start) if frame in main]
    # The clip in which the object comes back has it for a part of its frames only.
    after = [main[frame] for frame in range(hidden.stop + 4, len(video.truth)) if frame in main]
    counts.kept += bool(before and after) and before[-1] == after[0]
    counts.changes += sum(a != b for ids in (before, after) for a, b in itertools.pairwise(ids))
    counts.tracks += stitcher.next_id - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = StitchConfig()
    parser.add_argument("annotations", type=Path)
    parser.add_argument("frames", type=Path)
    parser.add_argument("--videos", nargs="+", required=True)
    parser.add_argument("--model", default="lite", help="name or checkpoint file")
    parser.add_argument("--likeness", nargs="+", type=float, default=[default.minimum_likeness])
    parser.add_argument("--memory", nargs="+", type=int, default=[0, default.memory_frames])
    parser.add_argument("--similarity", nargs="+", type=float, default=[default.minimum_similarity])
    options = parser.parse_args()
    data = YtvisVideos(options.annotations, options.frames, LITE, complete=False)
    segmenter = NotingSegmenter(load(options.model).engine, SegmentConfig())
    videos = [tubes_of(segmenter, data, name) for name in track(options.videos, "videos")]
    table = Table("likeness", "memory", "similarity", *(field.name for field in fields(Counts)))
    for likeness, memory, similarity in itertools.product(options.likeness, options.memory, options.similarity):
        config = StitchConfig(minimum_likeness=likeness, memory_frames=memory, minimum_similarity=similarity)
        counts = Counts()
        for video in videos:
            tried(video, config, counts)
        table.add_row(*(f"{value:g}" for value in (likeness, memory, similarity, *astuple(counts))))
    Console().print(table)
    Console().print(f"{len(videos)} videos")


if __name__ == "__main__":
    main()
