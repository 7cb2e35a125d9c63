"""Where the files of a data set lie: the layouts in which COCO, YouTube-VIS, OVIS, SA-V and VOC are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from chronomask.annotations.reader import Reading
from chronomask.annotations.records import VideoEntry
from chronomask.errors import InputError
from chronomask.files import natural
from chronomask.video.images import IMAGE_SUFFIXES

VOC_LISTS = Path("ImageSets", "Segmentation")
"""Where VOC keeps the lists of its images, one name a line."""
VOC_OBJECTS = "SegmentationObject"


def annotations_in(folder: Path) -> Path:
    """The one thing in a folder that annotations can be read from: a json file, a list of VOC images, or VOC's root.

    Raises:
        InputError: there is none, or more than one; the message lists them.
    """
    files = sorted(path for place in (folder, folder / "annotations") for path in place.glob("*.json"))
    for root in [folder, *sorted(folder.glob("VOC20*")), *sorted(folder.glob("VOCdevkit/VOC20*"))]:
        if (root / VOC_OBJECTS).is_dir():
            files += sorted((root / VOC_LISTS).glob("*.txt")) or [root]
    if not files:
        raise InputError(f"{folder}: holds neither an annotation file (*.json) nor the folders of Pascal VOC")
    if len(files) > 1:
        listed = "\n".join(f"  {path}" for path in files)
        raise InputError(f"{folder}: holds several files that could be meant; name one:\n{listed}")
    return files[0]


def voc_root(listing: Path) -> Path:
    """The root of VOC's folders for a list of images in it, or for that root itself.

    Raises:
        InputError: the path lies in no such folders.
    """
    above = listing.absolute().parents
    root = listing if listing.is_dir() else above[min(2, len(above) - 1)]
    if not (root / VOC_OBJECTS).is_dir():
        raise InputError(f"{listing}: lies in no VOC folders: there is no {root / VOC_OBJECTS}")
    return root


def images_of(annotations: Path, file_names: Sequence[str]) -> Path:
    """The folder that the file names of an annotation file are relative to: the first in which one of them exists.

    Looked for are the folders beside the file, and those of its split: `train` for `annotations_train.json`,
    `train2017` for `annotations/instances_train2017.json`.

    Raises:
        InputError: none of the first names exists in any of the folders; the message lists those.
    """
    folders = [folder for folder in _candidates(annotations) if folder.is_dir()]
    # More than one, so that one missing image is not taken for a wrong folder.
    for name in islice(file_names, 20):
        for folder in folders:
            if (folder / name).is_file():
                return folder
    if not file_names:
        return annotations.parent
    listed = ", ".join("this folder" if folder == Path() else str(folder) for folder in folders)
    raise InputError(f"{annotations}: its image {file_names[0]} was not found in {listed}; say --images FOLDER")


def with_frames(reading: Reading, images: Path | None) -> Reading:
    """A reading whose videos all have names of frames: where the format has none, those of the pictures in `images`.

    Raises:
        InputError: there are no such names, or a folder has not as many pictures as its video has frames.
    """
    unnamed = [video for video in reading.listing.videos.values() if video.file_names is None]
    if unnamed and images is None:
        file = reading.problems.file
        raise InputError(
            f"{file}: says nowhere which pictures its frames are; name the folder that has a folder of them for each"
            f" video, or make a data set: chronomask convert {file} FOLDER --to dataset --video VIDEO"
        )
    videos = dict(reading.listing.videos)
    for video in unnamed:
        videos[video.id] = replace(video, file_names=pictures_of(images or Path(), video))
    return replace(reading, listing=replace(reading.listing, videos=videos))


def pictures_of(images: Path, video: VideoEntry) -> tuple[str, ...]:
    """Names of the pictures in the folder of a video's name, in natural order, one a frame.

    Raises:
        InputError: there are not as many.
    """
    folder = images / video.name
    found = [path for path in folder.glob("[!.]*") if path.suffix.lower() in IMAGE_SUFFIXES]
    found.sort(key=lambda path: natural(path.name))
    if len(found) != video.length:
        raise InputError(f"{folder}: holds {len(found)} pictures, but video {video.name} has {video.length} frames")
    return tuple(f"{video.name}/{path.name}" for path in found)


def _candidates(annotations: Path) -> list[Path]:
    """Where the images may lie, the likeliest folder first, each once."""
    beside, above = annotations.parent, annotations.parent.parent
    splits = dict.fromkeys([annotations.stem.rsplit("_", 1)[-1], annotations.stem])
    found = [beside / "JPEGImages", beside / "images", beside / "JPEGImages_24fps", beside]
    for place in (beside, above):
        for split in splits:
            found += [place / split / "JPEGImages", place / split, place / "images" / split]
    found += [above / "JPEGImages", above / "images", above / "JPEGImages_24fps"]
    return list(dict.fromkeys(found))
