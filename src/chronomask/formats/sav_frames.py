"""SA-V's validation and test sets: a folder a video, in it a folder an object with a PNG for each annotated frame.

Definition: facebookresearch/sam2, sav_dataset/README.md. Annotations_6fps/VIDEO/000/00004.png is the mask of object 000
in JPEGImages_24fps/VIDEO/00004.jpg; objects overlap, so each has pictures of its own.
"""

from __future__ import annotations

from pathlib import Path

from chronomask.annotations.records import TracksFile, united
from chronomask.categories import OBJECT
from chronomask.errors import InputError
from chronomask.files import natural
from chronomask.formats.collected import Collected, Size, annotated_notes
from chronomask.formats.folder import files_of
from chronomask.formats.label_maps import PixelKind, read_label_maps
from chronomask.rle import Rle

_MASKS, _IMAGES = "Annotations_6fps", "JPEGImages_24fps"
_PIXELS = PixelKind(("P", "L", "1"), "a PNG of 8 bits with a palette or in grey")


def is_data_set(path: Path) -> bool:
    """Whether a folder is such a data set, or its folder of masks."""
    return path.resolve().name == _MASKS or (path / _MASKS).is_dir()


def read(path: Path) -> TracksFile:
    """Read all videos; their frames are the annotated ones.

    Raises:
        InputError: naming a file or folder that is no mask or no object, or is of another size than the rest.
    """
    root = path.resolve().parent if path.resolve().name == _MASKS else path
    found = Collected(path)
    pictures = 0
    for folder in _folders(root / _MASKS):
        size, stems, objects = _objects(folder)
        images = {file.stem: f"{folder.name}/{file.name}" for file in _images(root / _IMAGES / folder.name)}
        named = images.keys() >= set(stems)
        pictures += len(images) if named else len(stems)
        names = [images[stem] for stem in stems] if named else None
        video = found.add_video(folder.name, size, len(stems), names)
        for label, masks in objects.items():
            found.add_track(video, label + 1, OBJECT.id, map(masks.get, stems))
    found.notes += annotated_notes(sum(video.length for video in found.videos), pictures)
    return found.file([OBJECT])


def _objects(folder: Path) -> tuple[Size, list[str], dict[int, dict[str, Rle | None]]]:
    """Size of a video, the names of its frames without an ending, and by object its mask in those that have one."""
    objects: dict[int, dict[str, Rle | None]] = {}
    sizes: dict[Size, Path] = {}
    for own in _folders(folder):
        if not (own.name.isdecimal() and own.name.isascii()):
            raise InputError(f"{own}: the folder of an object must be called by its number, not {own.name!r}")
        if not files_of(own, ".png"):
            raise InputError(f"{own}: holds no .png files")
        maps = read_label_maps(own, _PIXELS)
        sizes.setdefault(maps.size, own)
        masks = [united([masks[t] for masks in maps.masks.values()]) for t in range(maps.length)]
        objects[int(own.name)] = dict(zip((file.stem for file in files_of(own, ".png")), masks, strict=True))
    if len(sizes) > 1:
        (first, here), (second, there) = list(sizes.items())[:2]
        raise InputError(f"{there}: is {second[0]}x{second[1]}, but {here.name} is {first[0]}x{first[1]}")
    stems = sorted({stem for masks in objects.values() for stem in masks}, key=natural)
    return next(iter(sizes)), stems, objects


def _images(folder: Path) -> list[Path]:
    return files_of(folder, ".jpg") if folder.is_dir() else []


def _folders(path: Path) -> list[Path]:
    folders = sorted((entry for entry in path.iterdir() if entry.is_dir()), key=lambda entry: natural(entry.name))
    if not folders:
        raise InputError(f"{path}: holds no folders")
    return folders
