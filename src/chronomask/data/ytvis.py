"""YouTube-VIS-form videos (OVIS too): frames as images, one mask or null a frame for every instance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chronomask.data.annotation_file import AnnotationFileReader
from chronomask.data.entries import Entry
from chronomask.data.faults import Row, area, shown, text, texts, whole
from chronomask.errors import InputError


class YtvisVideos(AnnotationFileReader):
    """Annotated videos; see AnnotationFileReader. A video without a name is called as the folder of its frames."""

    entry_key = "videos"
    reference = "video_id"

    def _entry(self, row: Row, place: str, complete: bool) -> Entry:
        files = texts(row, "file_names", place)
        if not files or row.get("length", len(files)) != len(files):
            raise InputError(f"{place}: {len(files)} file_names for a video of length {shown(row.get('length'))}")
        name = text(row, "name", place) if row.get("name") else str(Path(files[0]).parent)
        return Entry(name, files, whole(row, "height", place, 1), whole(row, "width", place, 1), (), complete)

    def _segmentations(self, row: Row, place: str, length: int) -> Sequence[Any]:
        masks = row.get("segmentations")
        if not isinstance(masks, list):
            raise InputError(f"{place}: segmentations {shown(masks)}: a list is needed, one mask or null a frame")
        if len(masks) != length:
            raise InputError(f"{place}: {len(masks)} segmentations for a video of {length} frames")
        return masks

    def _area(self, row: Row, place: str) -> float | None:
        areas = row.get("areas") or []
        if not isinstance(areas, list):
            raise InputError(f"{place}: areas {shown(areas)} is no list")
        stated = [number for number in (area(value, "areas", place) for value in areas) if number]
        return sum(stated) / len(stated) if stated else None
