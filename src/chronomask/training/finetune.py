"""Fine-tuning: an annotator's own classes, from weights that were trained for others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from chronomask.annotations.records import Track, VideoEntry
from chronomask.categories import NO_CLASS, Category
from chronomask.config import TrainConfig
from chronomask.data.entries import Entry, EntryReader
from chronomask.data.preview import clip_strips, frames_for, write_preview
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import open_training_sources
from chronomask.data.synthetic_config import SynthesizeConfig
from chronomask.data.synthetic_videos import synthesize
from chronomask.engines.models import checkpoint_file
from chronomask.errors import InputError
from chronomask.formats.ytvis import write_tracks
from chronomask.model.checkpoint import load_network
from chronomask.model.network import Network
from chronomask.progress import Progress
from chronomask.training.class_head import fit_class_head, with_classes
from chronomask.training.known_objects import KnownObjects, fit_among_others, known_objects

MOST_HELD = 40
"""More entries are not held back: each is segmented twice, which takes a second or more."""


@dataclass(frozen=True, eq=False)
class FineTuning:
    """All that a run of fine-tuning begins with.

    Attributes:
        network: for the annotator's classes.
        training: entries to train on.
        held: entries held back for validation; empty where there is none.
        known: names of the classes that the initial weights had already.
        others: what the network shall not take for one of the annotator's classes; None for networks that see
            otherwise than the bundled model does, or are about to.
    """

    network: Network
    training: EntryReader
    held: EntryReader
    known: tuple[str, ...]
    others: KnownObjects | None = None

    @property
    def source(self) -> WeightedSource:
        """The entries to train on, as the only source of clips."""
        return WeightedSource(self.training, 1.0)


def fine_tuning(weights: str, data: str, config: TrainConfig, holdout: float) -> FineTuning:
    """Opens data and weights; the network's classes are those of which the data has instances.

    Args:
        weights: name of a bundled model, or a checkpoint file.
        data: as for training: an annotation file or folder, with options behind commas.
        config: of the run; its seed decides what is held back.
        holdout: share of the entries that are held back, in [0, 1); at most `MOST_HELD`.

    Raises:
        InputError: the data cannot be used, has no instance of a class, or too few entries to hold one back; or no such
            weights.
    """
    if not 0 <= holdout < 1:
        raise InputError(f"holdout {holdout}: must lie in [0, 1)")
    pretrained = load_network(checkpoint_file(weights))
    categories = classes_in(data, config.skip_broken)
    reader = _opened(data, categories, config.skip_broken)
    training, held = held_back(reader, holdout, config.seed)
    others = known_objects(pretrained) if config.backbone_rate == 0 else None
    torch.manual_seed(config.seed)  # of the scores of new classes
    network, known = with_classes(pretrained, categories, others is not None)
    return FineTuning(network, training, held, tuple(known), others)


def classes_in(data: str, skip_broken: bool = False) -> tuple[Category, ...]:
    """The categories of a data set of which it has instances, in its own order.

    Raises:
        InputError: the data cannot be used, or has no such instance.
    """
    reader = _opened(data, None, skip_broken)
    counts = counted(reader)
    found = tuple(category for category in reader.file_categories if counts[category.name])
    if not found:
        raise InputError(f"{reader.annotations}: not one labelled instance of a class to learn from")
    return found


def _opened(data: str, categories: Sequence[Category] | None, skip_broken: bool) -> EntryReader:
    ((reader, _),) = open_training_sources([data], categories, skip_broken=skip_broken)
    assert isinstance(reader, EntryReader), "files are opened by such readers"
    return reader


def counted(reader: EntryReader) -> Counter[str]:
    """Instances by class name; those of no single class are left out."""
    instances = (info for index in range(len(reader)) for info in reader.instances(index))
    return Counter(info.name for info in instances if not info.crowd and info.class_id >= 0)


def held_back(reader: EntryReader, share: float, seed: int, most: int = MOST_HELD) -> tuple[EntryReader, EntryReader]:
    """The entries to train on, and the share of them, at most so many, that is held back.

    Entries are drawn evenly from those that have the same rarest class, so that both parts see every class; of a class
    that only one entry has, that one is trained on.

    Raises:
        InputError: a share above 0 of fewer than two entries.
    """
    if share > 0 and len(reader) < 2:
        raise InputError(f"{reader.annotations}: {len(reader)} entry; holding some back needs two (--holdout 0: none)")
    counts, groups = counted(reader), defaultdict(list)
    for index in torch.randperm(len(reader), generator=torch.Generator().manual_seed(seed)).tolist():
        names = {info.name for info in reader.instances(index) if not info.crowd and info.class_id >= 0}
        groups[min(names, key=lambda name: (counts[name], name), default="")].append(index)
    count = min(max(1, round(share * len(reader))), most, len(reader) - 1) if share > 0 else 0
    # Every entry by its place within its group, in [0, 1): the first of all groups together are an even draw. The last
    # of each group comes behind all others, for a class of which every entry is held back cannot be learnt.
    places = [
        (place == len(group) - 1, place / len(group), index)
        for group in groups.values()
        for place, index in enumerate(group)
    ]
    held = {index for *_, index in sorted(places)[:count]}
    return _part(reader, [e for i, e in enumerate(reader.entries) if i not in held]), _part(
        reader, [e for i, e in enumerate(reader.entries) if i in held]
    )


def _part(reader: EntryReader, entries: list[Entry]) -> EntryReader:
    part = copy(reader)  # with the same list of what was skipped, so that one list has all of it
    part.entries = entries
    return part


def write_held(held: EntryReader, out: Path, progress: Progress, skip_broken: bool = False) -> tuple[Path, Path]:
    """Writes the entries that were held back as annotated videos; what lies in `out` already is left as it is.

    Stills become short videos under a moving camera; of videos, only the annotations are written.

    Args:
        held: what was held back.
        out: folder for it.
        progress: shows how far the work is.
        skip_broken: leave out entries that cannot be read, with a message each in `held.skipped`.

    Returns:
        The annotation file, and the folder that its file names are relative to.

    Raises:
        InputError: an entry cannot be read or, with `skip_broken`, none can.
    """
    instances = out / "instances.json"
    stills = all(held.length(index) == 1 for index in range(len(held)))
    frames = out / "JPEGImages" if stills else held.images
    if instances.exists():
        return instances, frames
    if stills:
        made = synthesize(held, out, SynthesizeConfig(), skip_broken=skip_broken, progress=progress)
        held.skipped.extend(made.skipped)
    else:
        _write_annotations(held, instances, progress, skip_broken)
    return instances, frames


def _write_annotations(held: EntryReader, path: Path, progress: Progress, skip_broken: bool) -> None:
    """The annotations of these entries alone, with all the fields that evaluation asks for."""
    ids = {category.name: category.id for category in held.file_categories}
    videos: list[VideoEntry] = []
    tracks: list[Track] = []
    for index in progress(range(len(held)), "holding back", len(held)):
        entry, number, length = held.entries[index], len(videos) + 1, held.length(index)
        try:
            if skip_broken:
                for frame in range(length):
                    held.load(index, [frame])  # a frame without readable pixels could not be segmented
            masks = [list(annotation.segmentations) for annotation in entry.annotations]
        except InputError as error:
            if not skip_broken:
                raise
            held.skipped.append(str(error))
            continue
        videos.append(VideoEntry(number, entry.name, entry.width, entry.height, length, None, entry.file_names))
        for annotation, encoded in zip(entry.annotations, masks, strict=True):
            # Crowds, and what has no class of its own: evaluation neither asks for it nor punishes finding it.
            crowd = annotation.meaning.class_id == NO_CLASS
            tracks.append(Track(len(tracks) + 1, number, ids[annotation.name], 1.0, encoded, crowd))
    if not videos:
        raise InputError(f"{held.annotations}: no video that is held back can be read; the last: {held.skipped[-1]}")
    write_tracks(path, videos, held.file_categories, tracks, {})


def fit_new_classes(
    start: FineTuning, config: TrainConfig, progress: Progress, late: Callable[[], bool], kept: Path
) -> bool:
    """Gives the classes that are new to the network sensible scores before the joint training.

    Where other objects are known, all classes are fitted here, beside these: the joint training leaves them alone.

    Args: as for `fit_class_head`.

    Returns:
        Whether it is done; otherwise no time was left, and the next call goes on.
    """
    network, sources = start.network, [start.source]
    how: dict[str, Any] = {"seed": config.seed, "skip_broken": config.skip_broken, "progress": progress}
    if start.others is not None:
        fit_among_others(network, start.others, sources, config.data, **how)
        return True
    if len(start.known) == len(network.config.categories):
        return True
    return fit_class_head(network, sources, config.data, **how, late=late, kept=kept)


def draw_preview(start: FineTuning, config: TrainConfig, path: Path, count: int = 8) -> None:
    """Draws the first clips that the network will learn from as a contact sheet, with their masks and names."""
    categories = start.network.config.categories
    strips = clip_strips(start.source, categories, config.data, count, config.seed, frames_for(path, fps=1.0))
    write_preview(strips, path, width=1280, fps=1.0, made=True, skip_broken=config.skip_broken)


def class_table(start: FineTuning) -> Table:
    """What is learned, from how much."""
    training, held = counted(start.training), counted(start.held)
    table = Table("class", "known already", "instances", "held back", title="fine-tuning")
    for column in table.columns[2:]:
        column.justify = "right"
    for category in start.network.config.categories:
        known = "yes" if category.name in start.known else "no"
        table.add_row(category.name, known, str(training[category.name]), str(held[category.name]))
    table.add_section()
    table.add_row("images or videos", "", str(len(start.training)), str(len(start.held)))
    return table
