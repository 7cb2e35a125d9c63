"""COCO-form still images: videos of one frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chronomask.data.annotation_file import AnnotationFileReader
from chronomask.data.entries import Entry
from chronomask.data.faults import Row, area, shown, text, whole
from chronomask.errors import InputError


class CocoImages(AnnotationFileReader):
    """Annotated stills: instances as polygons or run lengths; see AnnotationFileReader."""

    entry_key = "images"
    reference = "image_id"

    def _entry(self, row: Row, place: str, complete: bool) -> Entry:
        name = text(row, "file_name", place)
        return Entry(name, (name,), whole(row, "height", place, 1), whole(row, "width", place, 1), (), complete)

    def _segmentations(self, row: Row, place: str, length: int) -> Sequence[Any]:
        segmentation = row.get("segmentation")
        if not isinstance(segmentation, dict | list) or not segmentation:
            raise InputError(f"{place}: segmentation {shown(segmentation)}: polygons or run lengths are needed")
        return (segmentation,)

    def _area(self, row: Row, place: str) -> float | None:
        return area(row.get("area"), "area", place)
