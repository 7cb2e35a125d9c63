"""The second pass over a video: decodes it again and hands every frame, with its tracks, to all that draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from chronomask.formats.spool import Spool, SpooledFrame
from chronomask.inference.tracks import TrackInfo
from chronomask.outputs.choice import Outputs
from chronomask.outputs.cutout import cutouts
from chronomask.outputs.drawing import mask_images, overlay
from chronomask.video import VideoSource


def draw_outputs(
    source: VideoSource, spool: Spool, folder: Path, outputs: Outputs, tracks: Mapping[int, TrackInfo]
) -> Iterator[int]:
    """Makes the overlay, mask images and cutouts that are wanted; yields the number of every frame that is done.

    Args:
        spool: what was found in the frames of the source.
        tracks: by id, with their final names and scores; others are not drawn.
    """
    with ExitStack() as stack:
        writers = []
        if outputs.overlay:
            labels = {info.id: f"{info.id} {info.category.name} {info.score:.2f}" for info in tracks.values()}
            writers.append(stack.enter_context(overlay(folder / "overlay.mp4", source, labels)))
        if outputs.masks:
            writers.append(stack.enter_context(mask_images(folder / "masks", max(tracks, default=0))))
        if outputs.cutout:
            groups = outputs.cutouts(list(tracks))
            writers.append(stack.enter_context(cutouts(folder / "cutouts", outputs.cutout, source, groups)))
        for frame, drawn in zip(source, spool, strict=False):
            chosen = _chosen(drawn, tracks)
            for write in writers:
                write(frame, chosen)
            yield frame.index


def _chosen(frame: SpooledFrame, tracks: Mapping[int, TrackInfo]) -> SpooledFrame:
    kept = np.array([int(number) in tracks for number in frame.track_ids], dtype=bool)
    return SpooledFrame(frame.index, frame.time, frame.track_ids[kept], frame.masks[kept])
