"""What the json files of COCO and of YouTube-VIS have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chronomask.categories import Category
from chronomask.data.entries import Annotation, Entry, EntryReader
from chronomask.data.faults import Faults, Row, flag, ids, text, texts, whole
from chronomask.data.layouts import images_of
from chronomask.data.mapping import BY_NAME, CategoryMapping, Meaning
from chronomask.data.reading import read_json
from chronomask.errors import InputError
from chronomask.structures import NO_CLASS


class AnnotationFileReader(EntryReader, ABC):
    """Opens an annotation file and checks it; masks stay encoded, and images unopened, until a frame is loaded.

    Crowds are ignored pixels, or instances without a class where they are marked `merged` (one mask for rider and
    vehicle). Where the `labelled_classes` of an entry leave out a class of the network, pixels outside its masks are
    unknown rather than background.

    Args:
        annotations: the json file.
        images: the folder that file names are relative to; None to look for it (`images_of`).
        categories: the network's classes; None for the file's own.
        mapping: how the file's categories become those classes.
        complete: whether every object is annotated; if not, everything outside the masks is unknown.
        skip_broken: leave out what is broken, with a message each in `skipped`. What lies outside the masks of an
            entry that lost an annotation is unknown.
        content: what the file holds, if it was read already.

    Raises:
        InputError: the file, or without `skip_broken` an entry or annotation in it, cannot be used.
    """

    entry_key: str
    """The list of entries in the file."""
    reference: str
    """The field of an annotation that says which entry it belongs to."""

    def __init__(
        self,
        annotations: Path,
        images: Path | None,
        categories: Sequence[Category] | None,
        mapping: CategoryMapping = BY_NAME,
        *,
        complete: bool = True,
        skip_broken: bool = False,
        content: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(annotations, images or annotations.parent)
        content = read_json(annotations) if content is None else content
        faults = Faults(annotations, self.skipped if skip_broken else None)
        self.category_names, _ = faults.parsed(content, "categories", lambda row, place: text(row, "name", place))
        self.class_names = tuple(dict.fromkeys(self.category_names.values()))
        self.file_categories = tuple(Category(number, name) for number, name in self.category_names.items())
        categories = self.file_categories if categories is None else categories
        self.meanings = mapping.meanings(self.class_names, categories)

        def entry_of(row: Row, place: str) -> Entry:
            return self._entry(row, place, complete and _labels_all(row, place, self.meanings, len(categories)))

        entries, broken = faults.parsed(content, self.entry_key, entry_of)
        # Two entries with one id are both lost, for nobody knows whose the annotations are.
        lost = ids(broken, "id")
        found, robbed = self._annotations(content, faults, entries, lost)
        self.entries = [
            replace(entry, annotations=found[number], complete=entry.complete and number not in robbed)
            for number, entry in entries.items()
            if number not in lost
        ]
        if images is None:
            self.images = images_of(annotations, [entry.file_names[0] for entry in self.entries])

    @abstractmethod
    def _entry(self, row: Row, place: str, complete: bool) -> Entry:
        """A still or video, as yet without annotations."""

    @abstractmethod
    def _segmentations(self, row: Row, place: str, length: int) -> Sequence[Any]:
        """The encoded masks of an annotation, one a frame or None."""

    @abstractmethod
    def _area(self, row: Row, place: str) -> float | None:
        """The area that an annotation states."""

    def _annotations(
        self, content: Row, faults: Faults, entries: Mapping[int, Entry], lost: set[int]
    ) -> tuple[dict[int, tuple[Annotation, ...]], set[int]]:
        """The annotations of every entry, instances first; and the entries that lost one."""

        def annotation_of(row: Row, place: str) -> tuple[int, Annotation] | None:
            number = whole(row, self.reference, place)
            if number in lost:
                return None
            if number not in entries:
                raise InputError(f"{place}: {self.reference} {number} is not among the file's {self.entry_key}")
            return number, self._annotation(row, place, len(entries[number].file_names))

        annotated, broken = faults.parsed(content, "annotations", annotation_of)
        found: dict[int, list[Annotation]] = {number: [] for number in entries}
        for number, annotation in filter(None, annotated.values()):
            found[number].append(annotation)
        for listed in found.values():
            listed.sort(key=lambda annotation: annotation.meaning.role != "instance")
        return {number: tuple(listed) for number, listed in found.items()}, ids(broken, self.reference)

    def _annotation(self, row: Row, place: str, length: int) -> Annotation:
        category = whole(row, "category_id", place)
        if category not in self.category_names:
            raise InputError(f"{place}: category_id {category} is not among the file's categories")
        name = self.category_names[category]
        meaning = self.meanings[name]
        if flag(row, "merged", place):
            meaning = Meaning(NO_CLASS, meaning.role)
        elif flag(row, "iscrowd", place) and meaning.role == "instance":
            meaning = Meaning(NO_CLASS, "ignore")
        masks = self._segmentations(row, place, length)
        return Annotation(whole(row, "id", place), name, meaning, masks, self._area(row, place))


def _labels_all(row: Row, place: str, meanings: Mapping[str, Meaning], classes: int) -> bool:
    """Whether nothing of the network's classes is left unlabelled in an entry."""
    if "labelled_classes" not in row:
        return True
    labelled = texts(row, "labelled_classes", place)
    if strange := sorted(set(labelled) - meanings.keys()):
        raise InputError(f"{place}: labelled_classes has {strange[0]!r}, which is none of the file's categories")
    seen = {meanings[name].class_id for name in labelled}
    missed = {meaning.class_id for name, meaning in meanings.items() if name not in labelled}
    return set(range(classes)) <= seen - missed
