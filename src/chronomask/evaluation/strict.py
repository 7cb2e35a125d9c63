"""What servers are strict about though it can be read, and what is hardly meant: warnings, from a second look."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from chronomask import rle
from chronomask.annotations.content import whole_value
from chronomask.annotations.masks import Masks
from chronomask.annotations.problems import Problems
from chronomask.annotations.reader import Reading, form_of
from chronomask.annotations.records import Track
from chronomask.annotations.row import Row
from chronomask.evaluation.records import MAX_RESULTS

_TOLERANCE = 1.0
"""Pixels by which stated areas and boxes may differ from those of the masks: tools round in different ways."""


@dataclass(frozen=True)
class StrictLook:
    """A second look at annotations or results (`scored`) that were read."""

    reading: Reading
    scored: bool

    def warn(self) -> None:
        """Adds warnings of fields that the official evaluator stops without, and of contradictions, to its problems."""
        problems = self.reading.problems
        if self.reading.content.held_back:
            problems.warn("annotations", "none: this is no ground truth; it names videos and categories alone")
        missing: dict[str, list[str]] = {}
        for index, row in self.reading.content.rows(self.reading.content.listed, Problems(problems.file, "collect")):
            self._fields(row, missing)
            if (track := self.reading.tracks.get(index)) is not None:
                self._track(row, track)
        for key, rows in missing.items():
            more = f" here and in {len(rows) - 1} more" if len(rows) > 1 else ""
            problems.warn(f"{rows[0]}.{key}", f"missing{more}, and the official evaluator stops without")
        counts = Counter((track.video_id, track.category_id) for track in self.reading.tracks.values())
        for (video_id, category_id), count in counts.items():
            if self.scored and count > MAX_RESULTS:
                message = (
                    f"{count} results for video {video_id} and category {category_id}: the best {MAX_RESULTS} count"
                )
                problems.warn(self.reading.content.listed, message)

    def _fields(self, row: Row, missing: dict[str, list[str]]) -> None:
        """Places of missing fields are collected by their names: whoever leaves one out does so everywhere."""
        warn = self.reading.problems.warn
        if row.fields.get("id") == 0 and self.reading.content.listed == "annotations":
            warn(f"{row.place}.id", "0, which other evaluators take for unmatched")
        if not self.scored:
            for key in ("iscrowd", form_of(self.reading.content).areas):
                if key not in row:
                    missing.setdefault(key, []).append(row.place)

    def _track(self, row: Row, track: Track) -> None:
        warn, masks = self.reading.problems.warn, track.masks
        if not 0 <= track.score <= 1:
            warn(f"{row.place}.score", f"{track.score} is outside [0, 1]")
        if not masks.areas.any():
            warn(f"{row.place}.segmentations", "no pixel in any frame")
        if track.areas is not None:
            stated = np.array([area or 0 for area in track.areas], np.float64)
            self._compare(f"{row.place}.areas", stated, masks.areas)
        self._boxes(whole_value(row.fields.get("bboxes")), masks, f"{row.place}.bboxes")

    def _boxes(self, boxes: Any, masks: Masks, place: str) -> None:
        if boxes is None:
            return
        try:
            stated = msgspec.convert(boxes, list[tuple[float, float, float, float] | None])
        except msgspec.ValidationError as error:
            self.reading.problems.warn(place, f"{error}; a box is [x, y, width, height]")
            return
        if len(stated) != len(masks):
            self.reading.problems.warn(place, f"{len(stated)} boxes for a video of {len(masks)} frames")
            return
        drawn = np.array([box or [0.0] * 4 for box in rle.bboxes(masks)])
        self._compare(place, np.array([box or [0.0] * 4 for box in stated]), drawn)

    def _compare(self, place: str, stated: np.ndarray, drawn: np.ndarray) -> None:
        """One warning for the first frame that differs, and how many more do."""
        difference = np.abs(stated - drawn)
        alike = (difference if stated.ndim == 1 else difference.max(1)) <= _TOLERANCE
        frames = np.flatnonzero(~alike)  # NaN is like nothing
        if len(frames):
            t = int(frames[0])
            more = f" ({len(frames) - 1} more frames disagree)" if len(frames) > 1 else ""
            message = f"{stated[t].tolist()}, the mask has {drawn[t].tolist()}{more}"
            self.reading.problems.warn(f"{place}[{t}]", message)
