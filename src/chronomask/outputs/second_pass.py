"""The second pass over a video: decodes it again and hands every frame, with its tracks, to all that draw."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import ExitStack
from pathlib import Path

from chronomask.errors import InputError
from chronomask.outputs.choice import Outputs
from chronomask.outputs.cutout import before_background, cutouts
from chronomask.outputs.drawing import mask_images, overlay
from chronomask.outputs.frames import CodedFrame, CodedFrames
from chronomask.results import TrackInfo
from chronomask.video import Frame, VideoSource, ahead


def draw_outputs(
    source: VideoSource, spool: CodedFrames, folder: Path, outputs: Outputs, tracks: Mapping[int, TrackInfo]
) -> Generator[Frame, None, None]:
    """Makes the overlay, mask images, cutouts and other backgrounds; yields every frame that is done.

    Args:
        spool: what was found in the frames of the source.
        tracks: by id, with their final names and scores; others are not drawn.

    Raises:
        InputError: the source has other frames than it had.
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
            place = folder / "cutouts"
            writers.append(stack.enter_context(cutouts(place, outputs.cutout, source, groups, outputs.feather)))
        if outputs.background:
            place = folder / "background.mp4"
            writers.append(stack.enter_context(before_background(place, outputs.background, source, outputs.feather)))
        # While frames are drawn and encoded, the next ones are decoded.
        for frame, coded in ahead(_again(source, spool, tracks), 2):
            found = coded.decoded((source.height, source.width))  # now, for masks that wait would fill the memory
            for write in writers:
                write(frame, found)
            del found
            yield frame


def _again(
    source: VideoSource, spool: CodedFrames, tracks: Collection[int]
) -> Generator[tuple[Frame, CodedFrame], None, None]:
    """The frames of a source, each with what was found in it."""
    count = 0
    for frame in source:
        if count == len(spool):
            raise InputError(f"{source.name}: has more frames than when it was segmented; segment it again")
        found = spool.coded(count, tracks)
        # A recording has the frames that passed by, at times of its own.
        if spool.timed and source.files and (frame.index, frame.time) != (found.index, found.time):
            where = f"frame {frame.index} is at {frame.time} s, and was at {found.time} s when it was segmented"
            raise InputError(f"{source.name}: {where}; segment it again")
        yield frame, found
        count += 1
    if count < len(spool):
        counts = f"{count} frames could be read, {len(spool)} when it was segmented"
        raise InputError(f"{source.name}: {counts}; segment it again")
