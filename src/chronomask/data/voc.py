"""Pascal VOC's segmentation sets: instances and classes as palette images."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import UInt8

from chronomask.categories import VOC, Category
from chronomask.data.entries import Annotation, Entry, EntryReader
from chronomask.data.labels import FrameLabels, paint
from chronomask.data.layouts import VOC_OBJECTS, voc_root
from chronomask.data.mapping import BY_NAME, CategoryMapping
from chronomask.errors import InputError, refusing
from chronomask.video.pictures import opened

VOID = 255
"""Palette index of pixels that belong to nobody in particular: the outlines of objects."""

T = TypeVar("T")


class VocImages(EntryReader):
    """Stills of the VOC layout: `JPEGImages`, `SegmentationObject`, `SegmentationClass`, `Annotations`.

    A pixel of the object image holds the number of its instance. Its class is what most of its pixels have in the
    class image or, where that does not tell, the object of that number in the xml. Sets whose xml names other classes
    than VOC's 20 are understood by the xml alone. Void pixels are ignored.

    The palette images are looked through when it is opened. Of an annotation, what stands for its encoded mask is its
    number.

    Args:
        listing: a list of image names (`ImageSets/Segmentation/*.txt`), or the root of the layout for every image that
            has an object image.
        categories: the network's classes; None for the set's own.
        mapping: how VOC's names become those classes.
        images: the folder of the images, if it is not `JPEGImages`.
        complete: whether every object is annotated; if not, everything outside the masks is unknown.
        skip_broken: leave out images without readable annotations, with a message each in `skipped`.

    Raises:
        InputError: the layout, or without `skip_broken` an entry in it, cannot be used.
    """

    title = "Pascal VOC stills"

    def __init__(
        self,
        listing: Path,
        categories: Sequence[Category] | None,
        mapping: CategoryMapping = BY_NAME,
        *,
        images: Path | None = None,
        complete: bool = True,
        skip_broken: bool = False,
    ) -> None:
        self.root = voc_root(listing)
        super().__init__(listing, images or self.root / "JPEGImages")
        # The xml of all images comes first, for together they tell whose classes these are.
        self.xml_names = self._of_each(_listed(listing, self.root), self._names_in_xml, skip_broken)
        named = {name for names in self.xml_names.values() for name in names}
        self.own_classes = not named <= {category.name for category in VOC}
        own = tuple(Category(number, name) for number, name in enumerate(sorted(named), 1))
        self.file_categories = own if self.own_classes else VOC
        self.class_names = tuple(category.name for category in self.file_categories)
        self.meanings = mapping.meanings(self.class_names, self.file_categories if categories is None else categories)
        entries = self._of_each(self.xml_names, partial(self._entry, complete=complete), skip_broken)
        self.entries = list(entries.values())

    def labels(self, index: int, frame: int) -> FrameLabels:
        """The only frame without its pixels.

        Raises:
            InputError: the object image cannot be read any more.
        """
        entry = self.entries[index]
        numbers = self._palette(VOC_OBJECTS, entry.name)
        of_role = {
            role: [found.segmentations[0] for found in entry.annotations if found.meaning.role == role]
            for role in ("instance", "ignore", "drop")
        }
        masks = [numbers == number for number in of_role["instance"]]
        ignore = np.isin(numbers, [VOID, *of_role["ignore"]])
        unknown = np.isin(numbers, of_role["drop"]) | (not entry.complete)
        labels = paint(masks, entry.height, entry.width)
        return FrameLabels(labels, ignore, unknown)

    def _of_each(self, names: Iterable[str], read: Callable[[str], T], skip_broken: bool) -> dict[str, T]:
        found = {}
        for name in names:
            try:
                found[name] = read(name)
            except InputError as error:
                if not skip_broken:
                    raise
                self.skipped.append(str(error))
        return found

    def _names_in_xml(self, name: str) -> list[str]:
        xml = self.root / "Annotations" / f"{name}.xml"
        return _names_in(xml)

    def _entry(self, name: str, complete: bool) -> Entry:
        """An image with what stands in its object image: instances first."""
        numbers = self._palette(VOC_OBJECTS, name)
        height, width = numbers.shape
        classes = None
        if not self.own_classes and (self.root / "SegmentationClass").is_dir():
            classes = self._palette("SegmentationClass", name)
            if classes.shape != numbers.shape:
                raise InputError(f"{self.annotations}: {name}: its object and class images differ in size")
        found = []
        areas = np.bincount(numbers.ravel(), minlength=VOID + 1)
        for number in range(1, VOID):
            if areas[number]:
                votes = None if classes is None else np.bincount(classes[numbers == number], minlength=VOID + 1)
                named = self._class_name(name, number, votes)
                found.append(Annotation(named, self.meanings[named], (number,), float(areas[number])))
        found.sort(key=lambda annotation: annotation.meaning.role != "instance")
        return Entry(name, (f"{name}.jpg",), height, width, tuple(found), complete)

    def _class_name(self, name: str, number: int, votes: np.ndarray | None) -> str:
        """Of object `number` of an image; `votes` are its pixels by index of the class image."""
        if votes is not None and votes[1 : len(VOC) + 1].any():
            return VOC[int(votes[1 : len(VOC) + 1].argmax())].name
        if number <= len(in_xml := self.xml_names[name]):
            return in_xml[number - 1]
        raise InputError(f"{self.annotations}: {name}: object {number} has no class, in neither class image nor xml")

    def _palette(self, folder: str, name: str) -> UInt8[np.ndarray, "H W"]:
        path = self.root / folder / f"{name}.png"
        with opened(path) as image:
            if image.mode not in ("P", "L"):
                raise InputError(f"{path}: an image with a palette is needed, this one has mode {image.mode}")
            return np.array(image)


def _listed(listing: Path, root: Path) -> list[str]:
    if listing.is_dir():
        return sorted(path.stem for path in (root / VOC_OBJECTS).glob("*.png"))
    with refusing(listing, "cannot be read as a list of images"):
        lines = listing.read_text(encoding="utf-8").splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise InputError(f"{listing}: {repeated[0]} is listed more than once")
    return names


def _names_in(xml: Path) -> list[str]:
    with refusing(xml, "cannot be read as xml"):
        if not xml.is_file():
            return []
        root = ElementTree.parse(xml).getroot()
    return [found.findtext("name", "").strip() for found in root.iter("object")]
