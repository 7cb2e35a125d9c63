"""Classes made to fit a format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chronomask.annotations.records import TracksFile
from chronomask.categories import OBJECT, Category
from chronomask.errors import InputError, counted, some_names
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.fit_masks import Step
from chronomask.formats.mots import IGNORED
from chronomask.formats.numbering import named_categories


def classes(file: TracksFile, capabilities: Capabilities) -> Step:
    """Ids, names and unused classes; the region to ignore belongs to every class that is left."""
    if capabilities.classes == "ids and names":
        return file, []
    ignored = [track for track in file.tracks if track.crowd and capabilities.crowds == "one region"]
    counting = [track for track in file.tracks if not track.crowd or capabilities.crowds != "one region"]
    wanted = {track.category_id for track in counting}
    kept = [c for c in file.categories if c.id in wanted or capabilities.unused_classes]
    new = _new_categories(kept, capabilities)
    found = {*new.values()}
    if ignored and not wanted:
        found.add(IGNORED)
    if capabilities.classes == "no":
        found.add(OBJECT)
    losses = _changes(file, new, capabilities)
    if dropped := [c for c in file.categories if c.id not in wanted and c not in found]:
        losses.append(f"unused classes: {counted(len(dropped), 'class')} without tracks left out")
    tracks = [replace(track, category_id=new[track.category_id].id) for track in counting]
    crowded = sorted({track.category_id for track in tracks}) or [IGNORED.id]
    for track in ignored:  # numbered one after the other, as they are read back
        tracks += [replace(track, id=track.id + k, category_id=number) for k, number in enumerate(crowded)]
    categories = tuple(sorted(found, key=lambda category: category.id))
    return replace(file, tracks=tuple(tracks), categories=categories), losses


def _new_categories(kept: Sequence[Category], capabilities: Capabilities) -> dict[int, Category]:
    """By old id, what a category becomes."""
    if capabilities.classes == "no":
        return {category.id: OBJECT for category in kept}
    if capabilities.classes == "names":
        by_name = {category.name: category for category in named_categories(c.name for c in kept)}
        return {category.id: by_name[category.name] for category in kept}
    numbers = [number for number in capabilities.class_numbers or () if number != IGNORED.id]
    if len(kept) > len(numbers):
        raise InputError(f"{len(kept)} classes have tracks, {capabilities.title} has numbers for {len(numbers)}")
    if {category.id for category in kept} <= set(numbers):
        numbers = [category.id for category in kept]
    # One line of labels.txt holds one name.
    return {
        c.id: Category(number, " ".join(c.name.split()) or f"class {number}")
        for number, c in zip(numbers, kept, strict=False)
    }


def _changes(file: TracksFile, new: Mapping[int, Category], capabilities: Capabilities) -> list[str]:
    changed = [c for c in file.categories if c.id in new and new[c.id] != c]
    if not changed:
        return []
    if capabilities.classes == "no":
        ids = {category.id for category in changed}
        count = sum(track.category_id in ids for track in file.tracks)
        return [f"classes: {counted(count, 'track')} written without a class: {some_names(c.name for c in changed)}"]
    renumbered = some_names(f"{c.name} {c.id} → {new[c.id].id}" for c in changed)
    return [f"class ids: {counted(len(changed), 'class')} numbered anew: {renumbered}"]
