"""A figure like the paper's figure 8: a row of frames for every video, one colour a track, with names and scores.

    python benchmarks/figure.py lite VIDEO VIDEO ... --out FILE.png [--frames 6] [--cell 320]

VIDEO is a file, a folder of frames or a glob. Tracks are those that `chronomask segment` would write.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from chronomask.data.panels import Panel, Picture, draw_panel
from chronomask.files import written_aside
from chronomask.outputs.frames import DecodedFrame
from chronomask.render import contact_sheet
from chronomask.results import TrackInfo
from chronomask.runs.choice import chosen_tracks
from chronomask.runs.spool import Spool
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import Frame, VideoSource, open_source


def row_of(segmenter: Segmenter, source: VideoSource, count: int, width: int) -> list[Picture]:
    """Evenly spaced frames of a video, first and last among them, with their tracks."""
    names = {category.name for category in segmenter.categories}
    with Spool() as spool:
        for result in segmenter.segment(source, raw=True):
            spool.add(result)
        tracks = chosen_tracks(segmenter.tracks, spool.track_ids(), segmenter.config, names)
        places = np.linspace(0, len(spool) - 1, min(count, len(spool))).round().astype(int).tolist()
        pairs = zip(source, spool, strict=False)
        shown = [pair for place, pair in enumerate(pairs) if place in places]
    return [draw_panel(panel(source.name, frame, found, tracks), width) for frame, found in shown]


def panel(name: str, frame: Frame, found: DecodedFrame, tracks: list[TrackInfo]) -> Panel:
    """A frame with all tracks of its video, in the same order, hence colours, in every frame."""
    masks = np.zeros((len(tracks), *frame.image.shape[:2]), bool)
    for number, mask in zip(found.track_ids.tolist(), found.masks, strict=True):
        for place, info in enumerate(tracks):
            if info.id == number:
                masks[place] = mask
    labels = [info.label.split(" ", 1)[1] for info in tracks]  # a panel counts them itself
    nothing = np.zeros(frame.image.shape[:2], bool)
    return Panel(frame.image, masks, labels, nothing, nothing, f"{name}, frame {frame.index}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="lite, or a checkpoint file")
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=6, help="of each video")
    parser.add_argument("--cell", type=int, default=320, help="width of a frame, in pixels")
    options = parser.parse_args()

    segmenter = load(options.model)
    pictures = []
    for video in track(options.videos, "videos"):
        row = row_of(segmenter, open_source(video), options.frames, options.cell)
        blank = np.full_like(row[0], 32)
        pictures += row + [blank] * (options.frames - len(row))
    gap = 4
    sheet = contact_sheet(pictures, options.frames, options.frames * (options.cell + gap) + gap)
    with written_aside(options.out) as aside:
        Image.fromarray(sheet).save(aside, quality=72, optimize=True)


if __name__ == "__main__":
    main()
