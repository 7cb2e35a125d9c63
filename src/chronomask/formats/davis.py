"""DAVIS: a folder a video with one PNG a frame, whose palette index is the object's number; no classes.

255 is void where a video has other objects, as the official code of DAVIS 2017 reads it; alone it is the one object of
a grey mask, as in DAVIS 2016.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from chronomask.annotations.records import TracksFile
from chronomask.categories import OBJECT
from chronomask.errors import counted
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected, annotated_notes
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import files_of, video_folders
from chronomask.formats.label_maps import PixelKind, label_maps, read_label_maps
from chronomask.formats.numbering import numbered_in_video
from chronomask.formats.vos import is_data_set, layout_of

VOID = 255
"""Pixels that are neither object nor background."""

CAPABILITIES = Capabilities(title="DAVIS PNG folders", several_videos="a folder each", track_ids=range(1, VOID))
PIXELS = PixelKind(("P", "L", "1"), "a PNG of 8 bits with a palette or in grey")


def palette() -> UInt8[np.ndarray, "256 3"]:
    """RGB colours of the objects, as DAVIS and Pascal VOC have them.

    The bits of a number are dealt to red, green and blue in turn, the lowest to the highest bits of the colours.
    """
    numbers = np.arange(256)[:, None]
    bits = [((numbers >> (3 * place + np.arange(3))) & 1) << (7 - place) for place in range(3)]
    return np.bitwise_or.reduce(bits).astype(np.uint8)


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a folder of PNGs, a folder of such folders, or a data set that has them in Annotations (`vos`).

    Void is left out, which stands in `notes`. The frames of a video are those that have a PNG.

    Raises:
        InputError: naming a file that is no 8-bit PNG with a palette or in grey, or of another size than the first; or
            field and value where the data set's json is damaged or does not know an object.
    """
    layout = layout_of(path)
    found = Collected(path, assumed)
    pictures = 0
    for folder in video_folders(layout.masks, ".png"):
        maps = read_label_maps(folder, PIXELS)
        images = layout.images_of(folder)
        names = [images.get(file.stem, "") for file in files_of(folder, ".png")]
        pictures += len(images) if all(names) else maps.length
        video = found.add_video(folder.resolve().name, maps.size, maps.length, names if all(names) else None)
        void = maps.masks.get(VOID) if len(maps.masks) > 1 else None
        for label, masks in maps.masks.items():
            if masks is not void:
                found.add_track(video, label, layout.class_of(folder, label) or OBJECT.name, masks)
        if void is not None:
            seen = counted(sum(mask is not None for mask in void), "frame")
            found.notes.append(
                f"{folder.name}: index {VOID} of {seen} is void: left out, neither object nor background"
            )
    found.notes += annotated_notes(sum(video.length for video in found.videos), pictures)
    return found.file(None if layout.classes else [OBJECT])


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


FORMAT = FileFormat("davis", CAPABILITIES, read, write, held=(".png",), pixels=PIXELS, is_folder=is_data_set)
