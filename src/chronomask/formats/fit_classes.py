"""Classes made to fit a format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chronomask.categories import OBJECT, Category
from chronomask.errors import InputError
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.losses import Step, counted, listed
from chronomask.formats.mots import IGNORED
from chronomask.formats.tracks import Track, TracksFile, named_categories


def classes(file: TracksFile, capabilities: Capabilities) -> Step:
    """Ids, names and unused classes; the region to ignore has a class of its own."""
    if capabilities.classes == "ids and names":
        return file, []
    used = {track.category_id for track in file.tracks}
    wanted = {track.category_id for track in file.tracks if not _ignored(track, capabilities)}
    kept = [c for c in file.categories if c.id in wanted or (capabilities.unused_classes and c.id not in used)]
    new = _new_categories(kept, capabilities)
    found = {*new.values()}
    if used - wanted:
        found.add(IGNORED)
    if capabilities.classes == "no":
        found.add(OBJECT)
    losses = _changes(file, new, capabilities)
    if dropped := [c for c in file.categories if c.id not in used and c not in found]:
        losses.append(f"unused classes: {counted(len(dropped), 'class')} without tracks left out")
    tracks = tuple(
        track if _ignored(track, capabilities) else replace(track, category_id=new[track.category_id].id)
        for track in file.tracks
    )
    return replace(file, tracks=tracks, categories=tuple(sorted(found, key=lambda category: category.id))), losses


def _ignored(track: Track, capabilities: Capabilities) -> bool:
    return track.crowd and capabilities.crowds == "one region"


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
        return [f"classes: {counted(count, 'track')} written without a class: {listed(c.name for c in changed)}"]
    renumbered = listed(f"{c.name} {c.id} → {new[c.id].id}" for c in changed)
    return [f"class ids: {counted(len(changed), 'class')} numbered anew: {renumbered}"]
