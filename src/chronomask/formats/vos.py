"""Folders of YouTube-VOS, MOSE and LVOS: Annotations as DAVIS has them, JPEGImages beside, and the objects in a json.

Definitions: YouTube-VOS (https://youtube-vos.org/dataset/vos), henghuiding/MOSE-api and LingyiHongfd/LVOS. meta.json of
YouTube-VOS has the `category` of each object by video and number; train_meta.json of LVOS has none, and MOSE no file.
A part of the images is annotated: every fifth of YouTube-VOS, of validation sets those in which an object appears.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chronomask.annotations.content import read_row
from chronomask.annotations.problems import shown
from chronomask.annotations.row import Row
from chronomask.errors import InputError
from chronomask.formats.folder import files_of

_MASKS, _IMAGES = "Annotations", "JPEGImages"
_META = re.compile(r"meta|meta_(train|valid|val|test)|(train|valid|val|test)_meta")
"""Names of jsons about objects, which are no annotation files."""


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps what.

    Attributes:
        masks: folder with a folder of PNGs for every video, or such a folder itself.
        images: folder with a folder of pictures for every video; None where there is none.
        meta: the json about the objects, for messages.
        classes: by video and number of the object, its class; None where nothing names classes.
    """

    masks: Path
    images: Path | None = None
    meta: Path | None = None
    classes: Mapping[str, Mapping[int, str]] | None = None

    def class_of(self, folder: Path, number: int) -> str | None:
        """The class of an object that a folder of masks shows; None where classes have no names.

        Raises:
            InputError: the json does not know the video or the object.
        """
        if self.classes is None:
            return None
        video = folder.resolve().name
        if video not in self.classes:
            raise InputError(f"{self.meta}: videos: has no {video!r}, which {folder} is of")
        if number not in self.classes[video]:
            raise InputError(f"{self.meta}: videos.{video}.objects: has no {number}, which {folder} shows")
        return self.classes[video][number]

    def images_of(self, folder: Path) -> dict[str, str]:
        """By the name of a frame, without an ending, the path of its picture in `images`."""
        video = folder.resolve().name
        if self.images is None or not (self.images / video).is_dir():
            return {}
        return {file.stem: f"{video}/{file.name}" for file in files_of(self.images / video, ".jpg")}


def layout_of(path: Path) -> Layout:
    """Finds out where things are, below the folder of a data set or its Annotations.

    Raises:
        InputError: naming the json, field and value where the json about the objects is damaged.
    """
    root = path.resolve().parent if path.resolve().name == _MASKS else path
    if not is_data_set(root):
        return Layout(path)
    images = root / _IMAGES
    files = [file for file in files_of(root, ".json") if _META.fullmatch(file.stem)]
    meta = files[0] if files else None
    return Layout(root / _MASKS, images if images.is_dir() else None, meta, _classes(meta) if meta else None)


def is_data_set(path: Path) -> bool:
    """Whether a folder holds Annotations with a folder of PNGs for every video."""
    masks = path / _MASKS
    return masks.is_dir() and any(files_of(folder, ".png") for folder in masks.iterdir() if folder.is_dir())


def is_all_there_is(path: Path) -> bool:
    """Whether a folder is such a data set, with no other json beside that could be meant."""
    return is_data_set(path) and all(_META.fullmatch(file.stem) for file in files_of(path, ".json"))


def _classes(file: Path) -> dict[str, dict[int, str]] | None:
    found: dict[str, dict[int, str]] = {}
    unnamed: list[Row] = []
    for name, video in read_row(file).members("videos"):
        found[name] = {}
        for number, one in video.members("objects"):
            if not (number.isdecimal() and number.isascii()):
                video.fault("objects", f"{shown(number)} is no whole number of an object")
            if "category" in one:
                found[name][int(number)] = one.text("category")
            else:
                unnamed.append(one)
    if not any(found.values()):
        return None
    for one in unnamed:  # some have one
        one.fault("category", "missing")
    return found
