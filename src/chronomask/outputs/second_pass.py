"""The second pass over a video: decodes it again and hands every frame, with its tracks, to all that draw."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack
from pathlib import Path

from chronomask.outputs.choice import Outputs
from chronomask.outputs.cutout import cutouts
from chronomask.outputs.drawing import mask_images, overlay
from chronomask.results import TrackInfo
from chronomask.runs.spool import Spool
from chronomask.video import VideoSource, ahead


def draw_outputs(
    source: VideoSource, spool: Spool, folder: Path, outputs: Outputs, tracks: Mapping[int, TrackInfo]
) -> Generator[int, None, None]:
    """Makes the overlay, mask images and cutouts that are wanted; yields the number of every frame that is done.

    Args:
        spool: what was found in the frames of the source.
        tracks: by id, with their final names and scores; others are not drawn.
    """
    with ExitStack() as stack:
        writers = []
        if outputs.overlay:
            labels = {info.id: info.label for info in tracks.values()}
            writers.append(stack.enter_context(overlay(folder / "overlay.mp4", source, labels)))
        if outputs.masks:
            writers.append(stack.enter_context(mask_images(folder / "masks", max(tracks, default=0))))
        if outputs.cutout:
            groups = outputs.cutouts(list(tracks))
            writers.append(stack.enter_context(cutouts(folder / "cutouts", outputs.cutout, source, groups)))
        drawn = (spool.frame(position, tracks) for position in range(len(spool)))
        # While frames are drawn and encoded, the next ones are decoded.
        for frame, chosen in ahead(zip(source, drawn, strict=False), 2):
            for write in writers:
                write(frame, chosen)
            yield frame.index
