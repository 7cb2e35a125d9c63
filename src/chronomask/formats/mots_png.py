"""MOTS as PNG: a folder a video with one 16-bit PNG a frame, whose pixels are class x 1000 + instance."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from chronomask.annotations.records import TracksFile
from chronomask.formats import mots
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import video_folders
from chronomask.formats.label_maps import PixelKind, label_maps, read_label_maps

CAPABILITIES = Capabilities(
    title="MOTS PNG",
    several_videos="a folder each",
    classes="numbers",
    class_numbers=range(1, 65),  # 65 x 1000 + 999 is too much for 16 bits
    track_ids=mots.INSTANCES,
    ids_with_class=True,
    crowds="one region",
)
PIXELS = PixelKind(("I;16", "I;16B", "I"), "a grey PNG of 16 bits")


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a folder of PNGs, or a folder of such folders.

    Raises:
        InputError: naming a file that is no 16-bit grey PNG, or of another size than the first.
    """
    found = Collected(path, assumed)
    objects: list[mots.Objects] = []
    for folder in video_folders(path, ".png"):
        maps = read_label_maps(folder, PIXELS)
        found.add_video(folder.resolve().name, maps.size, maps.length)
        objects.append(mots.Objects({label: label // 1000 for label in maps.masks}, maps.masks))
    return mots.file_of(found, objects, path)


def write(file: TracksFile, path: Path) -> None:
    """Write one sub-folder a video, and labels.txt. The file holds nothing that the format cannot carry."""
    for video in file.videos:
        folder = path / video.name
        folder.mkdir(parents=True)
        masks = {number: masks for number, _, masks in mots.labelled(file, video)}
        for stem, labels in label_maps(video, masks):
            Image.fromarray(labels).save(folder / f"{stem}.png")
    mots.write_labels(file, path)


FORMAT = FileFormat("mots-png", CAPABILITIES, read, write, held=(".png", ".txt"), pixels=PIXELS)
