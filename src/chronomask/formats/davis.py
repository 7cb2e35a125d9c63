"""DAVIS: a folder a video with one PNG a frame, whose palette index is the object's number; no classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from chronomask.categories import OBJECT
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.folder import video_folders
from chronomask.formats.label_maps import PixelKind, label_maps, read_label_maps
from chronomask.formats.tracks import Track, TracksFile, VideoEntry, numbered, numbered_in_video

CAPABILITIES = Capabilities(title="DAVIS PNG folders", several_videos="a folder each", track_ids=range(1, 256))
PIXELS = PixelKind(("P", "L", "1"), "a PNG of 8 bits with a palette or in grey")


def palette() -> UInt8[np.ndarray, "256 3"]:
    """RGB colours of the objects, as DAVIS and Pascal VOC have them.

    The bits of a number are dealt to red, green and blue in turn, the lowest to the highest bits of the colours.
    """
    numbers = np.arange(256)[:, None]
    bits = [((numbers >> (3 * place + np.arange(3))) & 1) << (7 - place) for place in range(3)]
    return np.bitwise_or.reduce(bits).astype(np.uint8)


def read(path: Path) -> TracksFile:
    """Read a folder of PNGs, or a folder of such folders. Every number but 0 is an object, 255 too.

    Raises:
        InputError: naming a file that is no 8-bit PNG with a palette or in grey, or of another size than the first.
    """
    videos, tracks = [], []
    for number, folder in enumerate(video_folders(path, ".png"), 1):
        found = read_label_maps(folder, PIXELS)
        videos.append(VideoEntry(number, folder.resolve().name, found.width, found.height, found.length))
        tracks += [Track(label, number, OBJECT.id, 1.0, tuple(masks)) for label, masks in found.masks.items()]
    return TracksFile(numbered(tracks), tuple(videos), (OBJECT,))


def write(file: TracksFile, path: Path) -> None:
    """Write one sub-folder a video. The file holds nothing that the format cannot carry."""
    colours = palette().tobytes()
    for video in file.videos:
        folder = path / video.name
        folder.mkdir(parents=True)
        tracks = numbered_in_video(file, video, CAPABILITIES.track_ids)
        masks = {number: track.segmentations for number, track in tracks}
        for stem, labels in label_maps(video, masks):
            image = Image.fromarray(labels.astype(np.uint8))
            image.putpalette(colours)
            image.save(folder / f"{stem}.png")
