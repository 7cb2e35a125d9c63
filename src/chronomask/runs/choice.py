"""Which tracks of a video are wanted, and how they and their origin are told."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chronomask import __version__, rle
from chronomask.annotations.records import Segmentations, Track
from chronomask.categories import Category
from chronomask.config import SegmentConfig
from chronomask.device import processor_features
from chronomask.errors import InputError, close_names, some_names
from chronomask.results import TrackInfo
from chronomask.runs.spool import Spool
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import VideoSource


@dataclass(frozen=True)
class TrackRow:
    """One line of the table of tracks.

    Attributes:
        id: track id, from 1.
        name: class name, or `object`.
        score: how likely the mask is right, in [0, 1].
        class_score: how likely the name is right, in [0, 1]; None where results from elsewhere do not say.
        first, last: numbers of the first and last frame in which it is seen.
        area: mean area in pixels over the frames in which it is seen.
    """

    id: int
    name: str
    score: float
    class_score: float | None
    first: int
    last: int
    area: float


@dataclass(frozen=True)
class CodedTracks:
    """The chosen tracks, read from the spool one at a time, as often as needed."""

    spool: Spool
    chosen: Sequence[TrackInfo]

    def __iter__(self) -> Iterator[Track]:
        for info in self.chosen:
            yield track_of(info, 1, info.category, self.spool.segmentations(info.id))


def chosen_tracks(
    tracks: Iterable[TrackInfo], seen: Iterable[int], config: SegmentConfig, names: Collection[str]
) -> list[TrackInfo]:
    """The tracks to write, of those of a video (best first): of these names, good enough, and not too many.

    Args:
        seen: ids of those that have pixels; a tube too thin to be painted has a name but none.
    """
    present = set(seen)
    good = [info for info in tracks if info.score >= config.score and info.id in present]
    return [info for info in good if info.category.name in names][: config.max_tracks]


def known_classes(segmenter: Segmenter, classes: Collection[str]) -> list[str]:
    """The names that are asked for, sorted; a text is one name.

    Raises:
        InputError: one is no class of the model.
    """
    names = [category.name for category in segmenter.categories]
    wanted = [classes] if isinstance(classes, str) else sorted(set(classes))
    if unknown := [name for name in wanted if name not in names]:
        # All of them: there is no other place where people would look for a class of their own checkpoint.
        hint = close_names(unknown[0], names) or f"its classes are {some_names(names, 200)}"
        raise InputError(f"classes: {unknown[0]!r} is not a class of this model; {hint}")
    return wanted


def check_no_classes(classes: Collection[str]) -> None:
    """Raises InputError if classes are asked for beside points: what is pointed at is followed whatever it is."""
    if classes:
        raise InputError(
            f"classes {', '.join(classes)}: choose among what is found; leave them out where points choose"
        )


def track_of(info: TrackInfo, video_id: int, category: Category, masks: Segmentations) -> Track:
    """A track as files hold it, under the category that it has there; its scores have six digits."""
    scores = round(info.score, 6), round(info.class_score, 6)
    return Track(info.id, video_id, category.id, scores[0], masks, class_score=scores[1])


def track_rows(tracks: Iterable[Track], categories: Iterable[Category]) -> list[TrackRow]:
    """The table of tracks; one that is seen nowhere, as a file from elsewhere may hold, is left out."""
    names, rows = {category.id: category.name for category in categories}, []
    for track in tracks:
        areas = np.fromiter((-1 if size is None else size for size in rle.areas(track.segmentations)), np.int64)
        seen = np.flatnonzero(areas >= 0)
        if len(seen):
            name, scores = names[track.category_id], (track.score, track.class_score)
            rows.append(TrackRow(track.id, name, *scores, int(seen[0]), int(seen[-1]), float(areas[seen].mean())))
    return rows


def provenance(segmenter: Segmenter) -> dict[str, Any]:
    """What made a file of tracks, for its `info`: version, hash of the checkpoint, engine and processor, settings."""
    engine = segmenter.engine
    return {
        "version": __version__,
        "checkpoint_sha256": engine.description.checkpoint_sha256,
        "engine": dataclasses.asdict(engine.info) | {"processor": list(processor_features())},
        "settings": dataclasses.asdict(segmenter.config),
    }


def described(source: VideoSource) -> dict[str, Any]:
    """What tells a source from others, and where in it the frames are that tracks.json speaks of."""
    return {"fingerprint": source.fingerprint() if source.again else None, **dataclasses.asdict(source.selection)}
