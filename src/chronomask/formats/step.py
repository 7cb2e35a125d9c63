"""KITTI-STEP and MOTChallenge-STEP: a folder a video with a PNG a frame; R is the class, 256 G + B the object.

Definition: Weber et al., STEP: Segmenting and Tracking Every Pixel, 2021, and github.com/google-research/deeplab2,
g3doc/setup/kitti_step.md, g3doc/setup/motchallenge_step.md and evaluation/numpy/segmentation_and_tracking_quality.py.
Only objects, which count from 1, become tracks. Pixels of their classes without an object are a crowd of the class; 255
is void. Names of classes are not in the files: they are Cityscapes', those of MOTChallenge-STEP where class 4 has
objects (a fence has none), or those of labels.txt, one a line, whose line number from 0 is the class.
"""

from __future__ import annotations

from pathlib import Path

from chronomask.annotations.records import TracksFile
from chronomask.categories import Category
from chronomask.errors import InputError, refusing
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import all_files_of, video_folders
from chronomask.formats.label_maps import PixelKind, read_label_maps
from chronomask.video.pictures import opened

CAPABILITIES = Capabilities(
    title="KITTI-STEP PNG (read only)",
    several_videos="a folder each",
    classes="numbers",
    class_numbers=range(255),
    track_ids=range(1, 2**16),
    crowds="yes",
)
PIXELS = PixelKind(("RGB",), "a PNG in colour: class, object // 256, object % 256")

_VOID = 255
_CITYSCAPES = [
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation"),
    *("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
]
_PEOPLE = ["sidewalk", "building", "vegetation", "sky", "person", "rider", "bicycle"]
_PERSON = 4
"""In MOTChallenge-STEP."""


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a folder of PNGs, or a folder of such folders. Stuff and void are left out, which stands in `notes`.

    An id is the object's number, or 65536 x class + number where numbers of a video's objects repeat.

    Raises:
        InputError: naming a file that is no PNG in colour, of another size than the first, or with an unknown class.
    """
    folders = video_folders(path, ".png")
    maps = [read_label_maps(folder, PIXELS) for folder in folders]
    things = {label & 255 for one in maps for label in one.masks if _object(label)}
    names = _names(path, things)
    found = Collected(path, assumed, notes=["void and classes without objects (stuff) left out"])
    for folder, one in zip(folders, maps, strict=True):
        strange = [label & 255 for label in one.masks if label & 255 not in (*range(len(names)), _VOID)]
        if strange:
            known = f"known are 0 to {len(names) - 1}, of photographs none"
            raise InputError(f"{folder}: its red is {strange[0]} somewhere, which is no class: {known}")
        video = found.add_video(folder.resolve().name, one.size, one.length)
        labels = [label for label in one.masks if label & 255 in things - {_VOID}]
        objects = [number for label in labels if (number := _object(label))]
        apart = len(set(objects)) == len(objects)
        for label in labels:
            number, class_id = _object(label), label & 255
            if number and not apart:
                number += class_id << 16
            found.add_track(video, number, class_id, one.masks[label], crowd=number == 0)
    return found.file([Category(number, names[number]) for number in sorted(things - {_VOID})])


def _object(label: int) -> int:
    """The object of a colour, 0 where there is none; its green counts 256s."""
    return (label >> 8 & 255) * 256 + (label >> 16)


def _names(path: Path, things: set[int]) -> list[str]:
    file = path / "labels.txt"
    if not file.is_file():
        return _PEOPLE if things == {_PERSON} else _CITYSCAPES
    with refusing(file, "cannot be read as text"):
        return file.read_text(encoding="utf-8").splitlines()


def _is_folder(path: Path) -> bool:
    """Whether the first PNG is in colour, as no other format's is."""
    if (file := next(all_files_of(path, ".png"), None)) is None:
        return False
    with opened(file) as image:
        return image.mode in PIXELS.modes


FORMAT = FileFormat("kitti-step", CAPABILITIES, read, is_folder=_is_folder)
