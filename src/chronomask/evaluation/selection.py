"""Which classes count: all, some, none at all, or in each video those that somebody looked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from chronomask.annotations.records import Track
from chronomask.categories import OBJECT
from chronomask.config import EvaluateConfig
from chronomask.errors import InputError, close_names
from chronomask.evaluation.records import GroundTruth
from chronomask.formats.reading import Note, unheard


def selected(
    config: EvaluateConfig, truth: GroundTruth, found: Sequence[Track], note: Note = unheard
) -> tuple[GroundTruth, list[Track]]:
    """The objects and results that count: of the settings, `classes`, `open_vocabulary` and `class_agnostic` decide.

    With thousands of categories nobody looks for each of them in every video, and a result of another one is neither
    right nor wrong. `note` is told of classes that no object has, for these have no score.

    Raises:
        InputError: a class that is none of the file's, or no object is of any of them.
    """
    chosen = list(found)
    if config.classes:
        truth, chosen = _of_classes(truth, chosen, config.classes)
        seen = {truth.categories[number] for number in truth.present}
        missing = ", ".join(repr(name) for name in config.classes if name not in seen)
        if not seen:
            raise InputError(f"classes: {missing}: no object of the annotations, so that there is nothing to score")
        if missing:
            note(f"classes: {missing}: no object of the annotations, and so no score")
    if config.open_vocabulary:
        looked_for = _looked_for(truth)
        chosen = [track for track in chosen if track.category_id in looked_for[track.video_id]]
    return without_classes(truth, chosen) if config.class_agnostic else (truth, chosen)


def without_classes(truth: GroundTruth, found: Sequence[Track]) -> tuple[GroundTruth, list[Track]]:
    """Truth and results, as if there were one class only."""
    one = {1: OBJECT.name}
    tracks = [replace(track, category_id=1) for track in truth.tracks]
    return replace(truth, categories=one, tracks=tracks), [replace(track, category_id=1) for track in found]


def _of_classes(truth: GroundTruth, found: Sequence[Track], names: Sequence[str]) -> tuple[GroundTruth, list[Track]]:
    known = set(truth.categories.values())
    if unknown := [name for name in names if name not in known]:
        hint = close_names(unknown[0], known) or "it is the name of no category of the annotations"
        raise InputError(f"classes: {unknown[0]!r}: {hint}")
    kept = {number: name for number, name in truth.categories.items() if name in names}
    tracks = [track for track in truth.tracks if track.category_id in kept]
    return replace(truth, categories=kept, tracks=tracks), [track for track in found if track.category_id in kept]


def _looked_for(truth: GroundTruth) -> dict[int, set[int]]:
    """The categories that were looked for, by video."""
    looked_for: dict[int, set[int]] = defaultdict(set)
    for track in truth.tracks:
        looked_for[track.video_id].add(track.category_id)
    ids = defaultdict(list)
    for number, name in truth.categories.items():
        ids[name].append(number)
    for number, video in truth.videos.items():
        for name in video.labelled_classes or ():
            looked_for[number].update(ids[name])
    return looked_for
