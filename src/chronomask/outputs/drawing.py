"""Outputs that are made frame by frame: each is a context that gives a function to hand the frames to.

Legend: K tracks, H W pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zlib import Z_RLE

import numpy as np
from PIL import Image

from chronomask.errors import InputError
from chronomask.files import folder_written_aside
from chronomask.outputs.frames import DecodedFrame
from chronomask.render import draw_tracks, track_colour
from chronomask.video import Frame, VideoSource, VideoWriter, behind

DrawFrame = Callable[[Frame, DecodedFrame], None]
"""Takes a frame and the tracks in it; only tracks that are written."""


@contextmanager
def overlay(path: Path, source: VideoSource, labels: Mapping[int, str]) -> Generator[DrawFrame, None, None]:
    """The video with its tracks drawn in, with the source's timing and sound.

    Args:
        labels: what is written beside each track.
    """
    with (
        VideoWriter.like(source, path) as writer,
        behind(writer.write, 2) as write,  # while a frame is encoded, the next one is drawn
    ):

        def draw(frame: Frame, drawn: DecodedFrame) -> None:
            texts = [labels[int(number)] for number in drawn.track_ids]
            write(draw_tracks(frame.image, drawn.masks, drawn.track_ids, texts), frame.time)

        yield draw


def picture_path(folder: Path, frame: Frame) -> str:
    """Where the picture of a frame lies. No `Path`: it would intern every name, whose table grows by megabytes."""
    return os.path.join(folder, f"{frame.index:05d}.png")


@contextmanager
def mask_images(folder: Path, highest: int) -> Generator[DrawFrame, None, None]:
    """A PNG a frame whose pixels are track ids: with a palette where the highest id allows, else grey of 16 bits.

    Raises:
        InputError: the highest id does not fit into 16 bits.
    """
    if highest > 65535:
        raise InputError(f"masks: track id {highest} does not fit into a PNG, which holds ids up to 65535")
    palette = bytes(3) + b"".join(bytes(track_colour(number)) for number in range(1, 256))
    with folder_written_aside(folder) as aside:

        def draw(frame: Frame, drawn: DecodedFrame) -> None:
            ids = np.zeros(frame.image.shape[:2], np.uint8 if highest < 256 else np.uint16)
            for number, mask in zip(drawn.track_ids, drawn.masks, strict=True):
                ids[mask] = number
            image = Image.fromarray(ids)
            if highest < 256:
                image.putpalette(palette)
            # Areas of one number are runs: three times as fast as by default, and no larger.
            image.save(picture_path(aside, frame), compress_type=Z_RLE)

        yield draw
