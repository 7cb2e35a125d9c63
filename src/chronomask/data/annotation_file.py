"""Annotations of every format to train on: the records of `annotations`, with what their categories mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from chronomask.annotations.listing import STILLS, VIDEOS, Form, frames_of
from chronomask.annotations.reader import Reading, opened_annotations, read
from chronomask.annotations.records import Track, VideoEntry
from chronomask.categories import NO_CLASS, Category
from chronomask.data.entries import Annotation, Entry, EntryReader
from chronomask.data.layouts import images_of
from chronomask.data.mapping import BY_NAME, CategoryMapping, Meaning


class AnnotationFileReader(EntryReader):
    """Opens an annotation file and checks it; masks stay encoded, and images unopened, until a frame is loaded.

    Crowds are ignored pixels, or instances without a class where they are marked `merged` (one mask for rider and
    vehicle). Where the `labelled_classes` of an entry leave out a class of the network, pixels outside its masks are
    unknown rather than background.

    Args:
        annotations: the file or folder.
        images: the folder that file names are relative to; None to look for it (`images_of`).
        categories: the network's classes; None for the file's own.
        mapping: how the file's categories become those classes.
        complete: whether every object is annotated; if not, everything outside the masks is unknown.
        skip_broken: leave out what is broken, with a message each in `skipped`. What lies outside the masks of an
            entry that lost an annotation is unknown.
        reading: what was read of it, if it was read already.

    Raises:
        InputError: the file, or without `skip_broken` an entry or annotation in it, cannot be used.
    """

    form: ClassVar[Form]

    def __init__(
        self,
        annotations: Path,
        images: Path | None,
        categories: Sequence[Category] | None,
        mapping: CategoryMapping = BY_NAME,
        *,
        complete: bool = True,
        skip_broken: bool = False,
        reading: Reading | None = None,
    ) -> None:
        super().__init__(annotations, images or annotations.parent)
        if reading is None:
            policy = "collect" if skip_broken else "raise"
            reading = read(opened_annotations(annotations), policy, form=self.form, masks="encoded")
        self.category_names, self.held_back = reading.listing.categories, reading.content.held_back
        self.class_names = tuple(dict.fromkeys(self.category_names.values()))
        self.file_categories = reading.listing.named
        categories = self.file_categories if categories is None else categories
        self.meanings = mapping.meanings(self.class_names, categories)
        self.entries = self._entries(reading, complete, len(categories))
        self.skipped += [f"{annotations}: {problem}" for problem in reading.problems.errors]
        if images is None:
            beside = annotations / "annotations.json" if annotations.is_dir() else annotations
            self.images = images_of(beside, [entry.file_names[0] for entry in self.entries])

    def _entries(self, reading: Reading, complete: bool, classes: int) -> list[Entry]:
        found: dict[int, list[Annotation]] = {number: [] for number in reading.listing.videos}
        for track in reading.tracks.values():
            found[track.video_id].append(self._annotation(track))
        entries = []
        for video, file_names in frames_of(reading.listing, reading.problems, self.form):
            # Instances first, in the order of their masks.
            annotations = sorted(found[video.id], key=lambda annotation: annotation.meaning.role != "instance")
            whole = complete and video.id not in reading.robbed and _labels_all(video, self.meanings, classes)
            entries.append(Entry(video.name, file_names, video.height, video.width, tuple(annotations), whole))
        return entries

    def _annotation(self, track: Track) -> Annotation:
        name = self.category_names[track.category_id]
        meaning = self.meanings[name]
        if track.merged:
            meaning = Meaning(NO_CLASS, meaning.role)
        elif track.crowd and meaning.role == "instance":
            meaning = Meaning(NO_CLASS, "ignore")
        return Annotation(name, meaning, track.segmentations, track.stated_area or None)


class YtvisVideos(AnnotationFileReader):
    """Videos, of YouTube-VIS form (OVIS too) or read of another format: frames as images, one mask or null a frame."""

    form = VIDEOS
    title = "YouTube-VIS-form videos"


class CocoImages(AnnotationFileReader):
    """COCO-form stills, which are videos of one frame: instances as polygons or run lengths."""

    form = STILLS
    title = "COCO-form stills"


def _labels_all(video: VideoEntry, meanings: Mapping[str, Meaning], classes: int) -> bool:
    """Whether nothing of the network's classes is left unlabelled in an entry."""
    labelled = video.labelled_classes
    if labelled is None:
        return True
    seen = {meanings[name].class_id for name in labelled}
    missed = {meaning.class_id for name, meaning in meanings.items() if name not in labelled}
    return set(range(classes)) <= seen - missed
