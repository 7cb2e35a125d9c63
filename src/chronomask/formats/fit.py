"""Tracks made to fit a format: what it cannot carry is taken out, and named."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.errors import InputError, counted, some_names
from chronomask.files import natural
from chronomask.formats import mots
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.fit_classes import classes
from chronomask.formats.fit_masks import Step, empty_masks, flags, overlaps
from chronomask.formats.numbering import numbered, numbered_in_video

_LONGEST = 50
"""Letters of a name of a file or folder, of which systems allow 255 bytes."""

_DEEPEST = 100
"""Lists and objects in one another; readers of json give up behind some hundred."""


@dataclass(frozen=True)
class Fitted:
    """What a format can carry of a file.

    Attributes:
        file: equal to what is read back once it is written in the format; only polygons change its pixels.
        losses: one sentence for every kind of thing that this file loses.
    """

    file: TracksFile
    losses: tuple[str, ...]


def fit(file: TracksFile, capabilities: Capabilities) -> Fitted:
    """Take out of a file what a format cannot carry. Tracks come by video and id.

    Raises:
        InputError: a score outside [0, 1], no video, or more tracks or classes than the format has numbers for.
    """
    if not file.videos:
        raise InputError("the source names no videos")
    for track in file.tracks:
        for name, value in (("score", track.score), ("class score", track.class_score)):
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"track {track.id} has the {name} {value}, outside [0, 1]")
    losses: list[str] = []
    # Crowds first, for they leave the classes; overlaps before empty masks, for a mask may lose its last pixel there.
    for step in (flags, overlaps, empty_masks, classes, _empty_frames, _videos, _numbers, _facts):
        file, lost = step(file, capabilities)
        losses += lost
    return Fitted(file, tuple(losses))


def _empty_frames(file: TracksFile, capabilities: Capabilities) -> Step:
    """Videos end with their last mask where nothing else says how long they are."""
    if capabilities.empty_frames:
        return file, []
    videos, losses = [], []
    for video in file.videos:
        ends = [t + 1 for track in file.of(video) for t, mask in enumerate(track.segmentations) if mask]
        length = max(ends, default=0)
        if length == 0:
            losses.append(f"empty frames: video {video.name} has no object and is left out")
        elif length < video.length:
            losses.append(
                f"empty frames: the last {video.length - length} of {video.length} frames of {video.name} have no"
                f" object and are not written (say --length {video.length} when reading)"
            )
        if length:
            names = video.file_names and video.file_names[:length]
            videos.append(replace(video, length=length, file_names=names))
    lengths = {video.id: video.length for video in videos}
    tracks = tuple(replace(t, segmentations=tuple(t.segmentations[: lengths[t.video_id]])) for t in file.tracks)
    return replace(file, videos=tuple(videos), tracks=tracks), losses


def _videos(file: TracksFile, capabilities: Capabilities) -> Step:
    """Names that can be names of files and folders, all different, and ids in the order of these names."""
    if capabilities.video_ids:
        return file, []
    names: dict[int, str] = {}
    taken = {"labels"}  # MOTS keeps names in labels.txt
    for video in file.videos:
        plain = re.sub(r"[^\w. -]+", "_", video.name)[:_LONGEST].strip(". ") or "video"
        name, copy = plain, 1
        while name.casefold() in taken:
            copy += 1
            name = f"{plain}-{copy}"
        taken.add(name.casefold())
        names[video.id] = name
    ordered = sorted(file.videos, key=lambda video: natural(names[video.id]))
    numbers = {video.id: number for number, video in enumerate(ordered, 1)}
    losses = []
    if changed := [f"{v.name} → {names[v.id]}" for v in file.videos if v.name != names[v.id]]:
        losses.append(f"video names: {counted(len(changed), 'name')} changed: {some_names(changed)}")
    if changed := [f"{v.name} {v.id} → {numbers[v.id]}" for v in file.videos if v.id != numbers[v.id]]:
        losses.append(f"video ids: {counted(len(changed), 'video')} numbered anew: {some_names(changed)}")
    videos = tuple(replace(video, id=numbers[video.id], name=names[video.id]) for video in ordered)
    tracks = tuple(replace(track, video_id=numbers[track.video_id]) for track in file.tracks)
    return replace(file, videos=videos, tracks=tracks), losses


def _numbers(file: TracksFile, capabilities: Capabilities) -> Step:
    """Track ids as they are read back; each new id stands beside the old one."""
    pairs: list[tuple[int, Track]] = []
    for video in file.videos:
        own = _numbered_in_video(file, video, capabilities)
        crowds = [track for track in file.of(video) if track.crowd]
        if len(own) + len(crowds) < len(file.of(video)):
            room = len(capabilities.track_ids)
            raise InputError(
                f"video {video.name} has more than the {room} tracks that {capabilities.title} has ids for"
            )
        pairs += [(track.id, replace(track, id=number)) for number, track in own]
        # The region to ignore has no number of its own there.
        kept = capabilities.crowds == "yes"
        pairs += [(track.id, track if kept else replace(track, id=0)) for track in crowds]
    pairs.sort(key=lambda pair: (pair[1].video_id, pair[1].id == 0, pair[1].id))  # as they come back numbered
    tracks = numbered([track for _, track in pairs])
    changed = [f"{old} → {new.id}" for (old, _), new in zip(pairs, tracks, strict=True) if old != new.id]
    losses = [f"track ids: {counted(len(changed), 'track')} numbered anew: {some_names(changed)}"] if changed else []
    return replace(file, tracks=tracks), losses


def _numbered_in_video(file: TracksFile, video: VideoEntry, capabilities: Capabilities) -> list[tuple[int, Track]]:
    if not capabilities.ids_with_class:
        return numbered_in_video(file, video, capabilities.track_ids)
    written = mots.numbers_of(file, video)
    ids = mots.ids_of({number: track.category_id for number, track in written})
    return [(ids[number], track) for number, track in written]


def _facts(file: TracksFile, capabilities: Capabilities) -> Step:
    losses = []
    if not capabilities.scores and (scored := [track for track in file.tracks if track.score != 1]):
        losses.append(f"scores: {counted(len(scored), 'score')} left out")
        file = replace(file, tracks=tuple(replace(track, score=1.0) for track in file.tracks))
    if not capabilities.class_scores and (named := [t for t in file.tracks if t.class_score is not None]):
        losses.append(f"class scores: {counted(len(named), 'class score')} left out")
        file = replace(file, tracks=tuple(replace(track, class_score=None) for track in file.tracks))
    if not capabilities.fps and (rates := {video.fps for video in file.videos} - {None}):
        losses.append(f"fps: {some_names(f'{rate:g}' for rate in rates)} left out (say --fps when reading)")
    if capabilities.file_names == "no" and any(video.file_names for video in file.videos):
        losses.append("file names: paths of frames left out")
    if capabilities.file_names == "needed" and (unnamed := [v for v in file.videos if not v.file_names]):
        losses.append(
            f"file names: made up for {some_names(v.name for v in unnamed)}, such as {_file_names(unnamed[0])[0]}"
        )
    if not capabilities.labelled_classes and (partial := [v for v in file.videos if v.labelled_classes is not None]):
        losses.append(
            f"labelled classes: which objects of {some_names(v.name for v in partial)} are all annotated is left out"
        )
    if file.info and not capabilities.info:
        losses.append(f"info: {some_names(file.info)} left out")
    info, odd = _of_json(dict(file.info)) if capabilities.info else ({}, 0)
    if odd:
        losses.append(f"info: {counted(odd, 'value')} that json does not hold, such as NaN, became null")
    videos = tuple(_described(video, capabilities) for video in file.videos)
    return replace(file, videos=videos, info=info), losses


def _of_json(value: Any, depth: int = 0) -> tuple[Any, int]:
    """A value that every reader of json takes, and how much in it is null now: no finite number, or too deep."""
    if isinstance(value, float) and not math.isfinite(value):
        return None, 1
    if not isinstance(value, dict | list):
        return value, 0
    if depth == _DEEPEST:
        return None, 1
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = {key: _of_json(inner, depth + 1) for key, inner in items}
    odd = sum(count for _, count in found.values())
    plain = {key: inner for key, (inner, _) in found.items()}
    return plain if isinstance(value, dict) else list(plain.values()), odd


def _described(video: VideoEntry, capabilities: Capabilities) -> VideoEntry:
    match capabilities.file_names:
        case "yes":
            names = video.file_names
        case "needed":
            names = video.file_names or _file_names(video)
        case "no":
            names = None
    labelled = video.labelled_classes if capabilities.labelled_classes else None
    return replace(video, fps=video.fps if capabilities.fps else None, file_names=names, labelled_classes=labelled)


def _file_names(video: VideoEntry) -> tuple[str, ...]:
    return tuple(f"{video.name}/{frame:05d}.jpg" for frame in range(video.length))
