"""One source from beginning to end: segment it, choose the tracks, write the files."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chronomask import __version__, rle
from chronomask.config import SegmentConfig
from chronomask.data.categories import OBJECT, Category
from chronomask.errors import InputError
from chronomask.formats.spool import Spool
from chronomask.formats.ytvis import Track, VideoEntry, write_results, write_tracks
from chronomask.inference.segment import Segmenter, TrackInfo
from chronomask.render import draw_tracks
from chronomask.video import VideoSource, VideoWriter

Progress = Callable[[Iterable, str, int | None], Iterable]
"""Wraps an iterable to show how far it is: (items, what is being done, their number if known)."""


@dataclass(frozen=True)
class TrackRow:
    """One line of the table of tracks.

    Attributes:
        id: track id, from 1.
        name: class name, or `object`.
        score: confidence in [0, 1].
        first, last: numbers of the first and last frame in which it is seen.
        area: mean area in pixels over the frames in which it is seen.
    """

    id: int
    name: str
    score: float
    first: int
    last: int
    area: float


def segment_to_folder(
    segmenter: Segmenter,
    source: VideoSource,
    out: Path,
    *,
    checkpoint: Path,
    classes: tuple[str, ...] = (),
    overlay: bool = True,
    overwrite: bool = False,
    progress: Progress = lambda items, task, total: items,
) -> list[TrackRow]:
    """Writes tracks.json, results.json and overlay.mp4 of a source into a folder; returns the table of tracks.

    Args:
        checkpoint: file of the weights, whose hash is noted in tracks.json.
        classes: only tracks of these names; all if empty.
        overlay: whether to draw the video with its tracks.
        overwrite: whether files of an earlier run may be replaced.
        progress: shows how far the work is.

    Raises:
        InputError: a class that the model does not know, results already there, or nothing could be decoded.
    """
    names = {category.id: category.name for category in (OBJECT, *segmenter.categories)}
    if unknown := sorted(set(classes) - set(names.values())):
        raise InputError(f"classes: {unknown[0]!r} is not a class of this model")
    check_output(out, overwrite)
    with Spool() as spool:
        for result in progress(segmenter.segment(source), f"segmenting {source.name}", source.length):
            spool.add(result)
        wanted = set(classes) or set(names.values())
        chosen = chosen_tracks(segmenter.tracks, spool, segmenter.config, wanted)
        entry = VideoEntry(1, source.name, source.width, source.height, len(spool), source.fps, source.file_names)
        tracks = _Tracks(spool, chosen)
        categories: list[Category] = [OBJECT, *segmenter.categories]
        # While the files are replaced, nothing may claim that they belong together.
        (out / "tracks.json").unlink(missing_ok=True)
        (out / "overlay.mp4").unlink(missing_ok=True)
        write_results(out / "results.json", [entry], tracks)
        if overlay:
            labels = {info.id: f"{info.id} {info.category.name} {info.score:.2f}" for info in chosen}
            _write_overlay(out / "overlay.mp4", source, spool, labels, progress)
        # Last, because it is what says that the folder is complete.
        write_tracks(out / "tracks.json", [entry], categories, tracks, provenance(segmenter, checkpoint))
        return [_row(track, names) for track in tracks]


def chosen_tracks(
    tracks: Iterable[TrackInfo], spool: Spool, config: SegmentConfig, names: Collection[str]
) -> list[TrackInfo]:
    """The tracks to write, of those of a video (best first): of these names, good enough, and not too many."""
    # A tube too thin to survive the upsampling has a name but no pixels.
    present = set(spool.track_ids())
    good = [info for info in tracks if info.score >= config.score and info.id in present]
    return [info for info in good if info.category.name in names][: config.max_tracks]


def provenance(segmenter: Segmenter, checkpoint: Path) -> dict[str, Any]:
    """What made a file of tracks, for its `info`: version, hash of the checkpoint, settings."""
    return {
        "version": __version__,
        "checkpoint_sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "settings": dataclasses.asdict(segmenter.config),
    }


def check_output(out: Path, overwrite: bool) -> None:
    """Finds out before the work begins whether its results can be written; writes nothing.

    Raises:
        InputError: a file stands in the way, the place is not writable, or it holds results that may not be replaced.
    """
    if not overwrite and (out / "tracks.json").exists():
        raise InputError(f"{out / 'tracks.json'}: exists already; name another folder, or say --overwrite")
    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not place.is_dir():
        raise InputError(f"{place}: is not a folder, so {out} cannot hold the results")
    if not os.access(place, os.W_OK):
        raise InputError(f"{place}: may not be written to, so {out} cannot hold the results")


@dataclass(frozen=True)
class _Tracks:
    """The chosen tracks, read from the spool one at a time, as often as needed."""

    spool: Spool
    chosen: list[TrackInfo]

    def __iter__(self) -> Iterator[Track]:
        for info in self.chosen:
            yield Track(info.id, 1, info.category.id, round(info.score, 6), self.spool.segmentations(info.id))


def _write_overlay(path: Path, source: VideoSource, spool: Spool, labels: dict[int, str], progress: Progress) -> None:
    """Second pass: decodes again and draws what was spooled, with the final names and scores."""
    pairs = zip(source, spool, strict=False)
    with VideoWriter(path, source.width, source.height, source.fps) as writer:
        for frame, drawn in progress(pairs, f"drawing {source.name}", len(spool)):
            kept = [index for index, number in enumerate(drawn.track_ids) if int(number) in labels]
            ids = np.array([drawn.track_ids[index] for index in kept], dtype=np.int64)
            masks = np.array([drawn.masks[index] for index in kept], dtype=bool)
            masks = masks.reshape(len(kept), source.height, source.width)
            writer.write(draw_tracks(frame.image, masks, ids, [labels[int(n)] for n in ids]), frame.time)


def _row(track: Track, names: dict[int, str]) -> TrackRow:
    seen = [(index, s) for index, s in enumerate(track.segmentations) if s is not None]
    areas = [rle.area(s) for _, s in seen]
    return TrackRow(track.id, names[track.category_id], track.score, seen[0][0], seen[-1][0], sum(areas) / len(areas))
