"""tracks.csv: a line for every track in every frame."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from chronomask import rle
from chronomask.files import written_aside
from chronomask.outputs.frames import CodedFrame
from chronomask.results import TrackInfo

COLUMNS = ("track", "class", "score", "class_score", "frame", "time", "x", "y", "w", "h", "area")


def write_csv(path: Path, frames: Iterable[CodedFrame], tracks: Mapping[int, TrackInfo]) -> None:
    """Writes the table in the order of frames.

    The box is the tightest around the mask, x and y its left upper corner; all lengths are in pixels, times in seconds.

    Args:
        frames: with the masks of these tracks.
        tracks: by id.
    """
    with written_aside(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        about = {
            number: (info.id, info.category.name, round(info.score, 6), round(info.class_score, 6))
            for number, info in tracks.items()
        }
        for frame in frames:
            masks, time = frame.masks.values(), round(frame.time, 6)
            for number, size, box in zip(frame.masks, rle.areas(masks), rle.bboxes(masks), strict=True):
                table.writerow([*about[number], frame.index, time, *map(round, box or ()), size])
