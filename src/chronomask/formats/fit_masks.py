"""Masks and flags of tracks made to fit a format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile, by_video, united
from chronomask.errors import counted, some_names
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.mots import IGNORED
from chronomask.rle import Rle

Step = tuple[TracksFile, list[str]]
"""What one step of fitting returns: the file that is left, and a sentence for what it lost."""


def flags(file: TracksFile, capabilities: Capabilities) -> Step:
    """Flags of crowds and of merged objects."""
    losses = []
    merged = [track for track in file.tracks if track.merged]
    if merged and not capabilities.merged:
        losses.append(f"merged: {counted(len(merged), 'track')} no longer said to hold several objects")
        file = replace(file, tracks=tuple(replace(track, merged=False) for track in file.tracks))
    crowds = [track for track in file.tracks if track.crowd]
    if not crowds or capabilities.crowds == "yes":
        return file, losses
    if capabilities.crowds == "no":
        losses.append(f"crowds: {counted(len(crowds), 'crowd')} written as ordinary objects")
        # A region that is to be ignored for every class is one region.
        alike = {(track.video_id, str(track.segmentations)): track.id for track in reversed(crowds)}
        regions = set(alike.values())
        kept = [track for track in file.tracks if not track.crowd or track.id in regions]
        return replace(file, tracks=tuple(replace(track, crowd=False) for track in kept)), losses
    tracks = [track for track in file.tracks if not track.crowd]
    used = sorted({track.category_id for track in tracks}) or [IGNORED.id]
    ignored = replace(file, tracks=tuple(crowds))
    for video in file.videos:
        if own := ignored.of(video):
            masks = tuple(united([track.segmentations[t] for track in own]) for t in range(video.length))
            tracks.append(Track(own[0].id, video.id, IGNORED.id, 1.0, masks, crowd=True))
    spread = {(t.video_id, c, str(t.segmentations)) for t in tracks if t.crowd for c in used}
    if spread != {(t.video_id, t.category_id, str(t.segmentations)) for t in crowds} or len(spread) < len(crowds):
        losses.append(f"crowds: {counted(len(crowds), 'crowd')} written as the region to ignore for all classes")
    elif any(track.score < 1 for track in crowds):
        losses.append(f"crowds: {counted(len(crowds), 'crowd')} written without a score")
    return replace(file, tracks=tuple(tracks)), losses


def overlaps(file: TracksFile, capabilities: Capabilities) -> Step:
    """Pixels that lie in several masks of a frame: the smallest mask keeps them."""
    if capabilities.overlaps:
        return file, []
    rows = [list(track.segmentations) for track in file.tracks]
    pixels, frames, places = 0, 0, by_video(file.tracks)
    for video in file.videos:
        own = [rows[place] for place in places.get(video.id, ())]
        for frame in range(video.length):
            present = [row for row in own if row[frame] is not None]
            count = _separate(present, frame)
            pixels, frames = pixels + count, frames + bool(count)
    if not pixels:
        return file, []
    tracks = tuple(replace(t, segmentations=tuple(row)) for t, row in zip(file.tracks, rows, strict=True))
    shared = f"{counted(pixels, 'pixel')} of {counted(frames, 'frame')} in several tracks"
    return replace(file, tracks=tracks), [f"overlaps: {shared}; the smallest mask keeps them"]


def _separate(rows: list[list[Rle | None]], frame: int) -> int:
    """Take shared pixels from all but the smallest mask; returns how many there were."""
    masks = [mask for row in rows if (mask := row[frame]) is not None]
    areas = [rle.area(mask) for mask in masks]
    if len(masks) < 2 or sum(areas) == rle.area(rle.union(masks)):
        return 0
    bitmaps = [rle.decode(mask) for mask in masks]
    covered = np.sum(bitmaps, axis=0)
    taken = np.zeros(covered.shape, bool)
    for index in sorted(range(len(masks)), key=lambda i: areas[i]):
        rows[index][frame] = rle.encode(bitmaps[index] & ~taken)
        taken |= bitmaps[index]
    return int(np.count_nonzero(covered > 1))


def empty_masks(file: TracksFile, capabilities: Capabilities) -> Step:
    """Masks without a pixel become None; tracks without one are left out."""
    if capabilities.empty_masks:
        return file, []
    tracks, losses, masks = [], [], 0
    for track in file.tracks:
        row = tuple(None if mask is None or rle.area(mask) == 0 else mask for mask in track.segmentations)
        masks += sum(new is None and old is not None for new, old in zip(row, track.segmentations, strict=True))
        tracks.append(replace(track, segmentations=row))
    if masks:
        losses.append(f"empty masks: {counted(masks, 'mask')} without a pixel written as out of sight")
    gone = [track for track in tracks if not any(track.segmentations)]
    if gone:
        losses.append(
            f"empty masks: {counted(len(gone), 'track')} without a pixel left out: {some_names(t.id for t in gone)}"
        )
    return replace(file, tracks=tuple(track for track in tracks if any(track.segmentations))), losses
