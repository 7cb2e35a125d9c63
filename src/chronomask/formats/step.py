"""KITTI-STEP and MOTChallenge-STEP: a folder a video with a PNG a frame; R is the class, 256 G + B the object.

Definition: Weber et al., STEP: Segmenting and Tracking Every Pixel, 2021, and github.com/google-research/deeplab2,
g3doc/setup/kitti_step.md, g3doc/setup/motchallenge_step.md and evaluation/numpy/segmentation_and_tracking_quality.py.
Only objects, which count from 1, become tracks. Pixels of their classes without an object are a crowd of the class; 255
is void. Names of classes are not in the files: they are Cityscapes', those of MOTChallenge-STEP where class 4 has
objects (a fence has none), or those of labels.txt, one a line, whose line number from 0 is the class.
"""

from __future__ import annotations

from pathlib import Path

from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.categories import Category
from chronomask.errors import InputError, refusing
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.conversion_losses import numbering_notes
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import files_of, video_folders
from chronomask.formats.label_maps import LabelledVideo, PixelKind, read_label_maps
from chronomask.formats.numbering import numbered
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

_NOTE = "void and classes without objects (stuff) left out"
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
    found = [read_label_maps(folder, PIXELS) for folder in folders]
    things = {label & 255 for maps in found for label in maps.masks if _object(label)}
    names = _names(path, things)
    tracks: list[Track] = []
    videos: list[VideoEntry] = []
    for folder, maps in zip(folders, found, strict=True):
        strange = [label & 255 for label in maps.masks if label & 255 not in (*range(len(names)), _VOID)]
        if strange:
            known = f"known are 0 to {len(names) - 1}, of photographs none"
            raise InputError(f"{folder}: its red is {strange[0]} somewhere, which is no class: {known}")
        videos.append(VideoEntry(len(videos) + 1, folder.resolve().name, maps.width, maps.height, maps.length))
        tracks += _tracks(maps, videos[-1].id, things - {_VOID})
    categories = tuple(Category(number, names[number]) for number in sorted(things - {_VOID}))
    return TracksFile(numbered(tracks), tuple(videos), categories, notes=(_NOTE, *numbering_notes(tracks)))


def _tracks(maps: LabelledVideo, video: int, things: set[int]) -> list[Track]:
    labels = [label for label in maps.masks if label & 255 in things]
    objects = [label for label in labels if _object(label)]
    apart = len({_object(label) for label in objects}) == len(objects)
    tracks = [
        Track(_object(n) + (0 if apart else (n & 255) << 16), video, n & 255, 1.0, tuple(maps.masks[n]))
        for n in objects
    ]
    crowds = [n for n in labels if not _object(n)]
    return tracks + [Track(0, video, n & 255, 1.0, tuple(maps.masks[n]), crowd=True) for n in crowds]


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
    folders = [path, *sorted(entry for entry in path.iterdir() if entry.is_dir())]
    file = next((files[0] for folder in folders if (files := files_of(folder, ".png"))), None)
    if file is None:
        return False
    with opened(file) as image:
        return image.mode in PIXELS.modes


FORMAT = FileFormat("kitti-step", CAPABILITIES, read, is_folder=_is_folder)
