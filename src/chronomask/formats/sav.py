"""SA-V, the data of SAM 2: a json a video, with one mask of every object for each annotated frame; no classes.

Definition: facebookresearch/sam2, sav_dataset/README.md, and its reader training/dataset/vos_segment_loader.py. People
drew the objects of VIDEO_manual.json, VIDEO_auto.json has further ones. Objects count from 0 in each, ids of tracks
from 1: masklet 0 is track 1. An object out of sight has a mask without a pixel: at null, SAM 2's own training leaves
the whole frame out.

Videos have 24 frames a second, of which every fourth is annotated. The records have these frames alone, and `info` says
which they are, so that a data set can be made of the video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chronomask import rle
from chronomask.annotations.content import read_row
from chronomask.annotations.masks import EncodedMasks
from chronomask.annotations.problems import shown
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row, is_whole
from chronomask.bounds import MAX_LENGTH, MAX_SIDE
from chronomask.categories import OBJECT
from chronomask.files import json_text, natural
from chronomask.formats import sav_frames
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import MANY, Capabilities
from chronomask.formats.collected import annotated_notes
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import file_or_files_of, files_of, write_files
from chronomask.formats.numbering import numbered, numbered_in_video, numbering_notes

CAPABILITIES = Capabilities(title="SA-V json", several_videos="a file each", overlaps=True, fps=True)

_STEP = 4
"""Every fourth frame is annotated."""

_MANUAL, _AUTO = "_manual", "_auto"
_SMALL, _MEDIUM = 32**2, 96**2
"""Pixels below which an object is small, and medium."""


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a json file, a folder of them, or a validation or test set (`sav_frames`).

    Two files of one video are read as one, the manual objects first.

    Raises:
        InputError: naming file, field and value of what is missing or cannot be meant.
    """
    if path.is_dir() and sav_frames.is_data_set(path):
        return sav_frames.read(path)
    films: dict[str, tuple[VideoEntry, int]] = {}
    tracks, last = list[Track](), dict[int, int]()
    notes: list[str] = []
    for file in sorted(file_or_files_of(path, ".json"), key=_order):
        row = read_row(file)
        video, frames = _video(row, len(films) + 1)
        known = films.setdefault(video.name, (video, frames))[0]
        if replace(video, id=known.id) != known:
            row.fault("video_id", f"{video.name!r} has another size, length or rate in an earlier file")
        found = _tracks(row, known)
        if known.id in last:
            found = [replace(track, id=number) for number, track in enumerate(found, last[known.id] + 1)]
            notes.append(f"{video.name}: the objects of {file.name} are counted on from {last[known.id] + 1}")
        last |= {known.id: max(track.id for track in found)} if found else {}
        tracks += found
    notes += [*annotated_notes(sum(v.length for v, _ in films.values()), sum(n for _, n in films.values()))]
    stepped = all(video.length < frames for video, frames in films.values())
    info = {"source": {"every": _STEP}} if stepped else {}
    videos = tuple(video for video, _ in films.values())
    return TracksFile(numbered(tracks), videos, (OBJECT,), info, (*notes, *numbering_notes(tracks)))


def _order(file: Path) -> tuple[list[tuple[int, int, str]], bool]:
    """Sorting key: files by video, that of its manual objects first."""
    return natural(file.stem.removesuffix(_AUTO).removesuffix(_MANUAL)), file.stem.endswith(_AUTO)


def _video(row: Row, number: int) -> tuple[VideoEntry, int]:
    """The video of the annotated frames, and how many frames there are."""
    name, frames = row.text("video_id"), _whole(row, "video_frame_count", MAX_LENGTH)
    width, height = _whole(row, "video_width", MAX_SIDE), _whole(row, "video_height", MAX_SIDE)
    length = len(row.listed("masklet"))
    step = 1 if length == frames else _STEP
    # Players differ by a frame or two in what they count.
    if length == 0 or abs(length * step - frames) > step:
        row.fault("masklet", f"{length} frames of a video of {frames}: neither each nor every fourth")
    fps = _rate(row, frames) / step if "video_duration" in row else None
    return VideoEntry(number, name, width, height, length, fps), frames


def _whole(row: Row, key: str, most: int) -> int:
    """A whole number that is written as 483.0."""
    value = row.number(key)
    if not (value == int(value) and 1 <= value <= most):
        row.fault(key, f"{value:g} is no whole number from 1 to {most}")
    return int(value)


def _rate(row: Row, frames: int) -> float:
    """Frames a second: the number with the fewest digits that gives the duration."""
    duration = row.number("video_duration")
    if duration <= 0:
        row.fault("video_duration", f"{duration:g} is not above 0")
    rate = frames / duration
    return next((r for digits in range(15) if (r := round(rate, digits)) and frames / r == duration), rate)


def _tracks(row: Row, video: VideoEntry) -> list[Track]:
    ids = row.listed("masklet_id")
    for place, number in enumerate(ids):
        if not is_whole(number) or number < 0 or number in ids[:place]:
            row.fault(f"masklet_id[{place}]", f"{shown(number)} is no whole number from 0 that is there once")
    frames = []
    for place, masks in enumerate(row.listed("masklet")):
        if not isinstance(masks, list) or len(masks) != len(ids):
            found = f"{len(masks)} masks" if isinstance(masks, list) else shown(masks)
            row.fault(f"masklet[{place}]", f"{found}: must be a list of one mask for each of {len(ids)} masklet_id")
        checked = EncodedMasks(masks, video.height, video.width, row.problems.file, f"masklet[{place}][{{}}]").checked(
            row.problems
        )
        assert checked is not None, "faults are raised"
        frames.append([mask if area else None for mask, area in zip(checked, checked.areas, strict=True)])
    rows = zip(*frames, strict=True) if ids else ()
    return [Track(number + 1, video.id, OBJECT.id, 1.0, masks) for number, masks in zip(ids, rows, strict=True)]


def write(file: TracksFile, path: Path) -> None:
    """Write a file (`path` ends in .json, one video) or a folder of one file a video, with a mask for every frame.

    Raises:
        InputError: several videos for one file.
    """
    write_files(file, path, f"{_MANUAL}.json", _write_video)


def _write_video(file: TracksFile, video: VideoEntry, path: Path) -> None:
    tracks = [track for _, track in numbered_in_video(file, video, MANY)]
    nothing = rle.encode(np.zeros((video.height, video.width), bool))
    content: dict[str, Any] = {
        "video_id": video.name,
        "video_frame_count": float(video.length),
        "video_height": float(video.height),
        "video_width": float(video.width),
        "video_resolution": float(video.width * video.height),
        "masklet": [[track.segmentations[t] or nothing for track in tracks] for t in range(video.length)],
        "masklet_id": [track.id - 1 for track in tracks],
        "masklet_num": len(tracks),
    }
    if video.fps is not None:
        content["video_duration"] = video.length / video.fps
    facts = [_facts(track, video) for track in tracks]
    content |= {key: [fact[key] for fact in facts] for key in (facts[0] if facts else ())}
    path.write_text(json_text(content), encoding="utf-8")


def _facts(track: Track, video: VideoEntry) -> dict[str, float | int | str]:
    """What the file says of an object beside its masks."""
    areas = [area for area in rle.areas(track.segmentations) if area is not None]
    mean = sum(areas) / len(areas)
    seen = [mask is not None for mask in track.segmentations]
    first = seen.index(True)
    return {
        "masklet_size_rel": mean / (video.width * video.height),
        "masklet_size_abs": mean,
        "masklet_size_bucket": "small" if mean < _SMALL else "medium" if mean < _MEDIUM else "large",
        "masklet_visibility_changes": _changes(seen[first:]),
        "masklet_first_appeared_frame": first,
        "masklet_frame_count": video.length,
        "masklet_type": "manual",
    }


def _changes(seen: Sequence[bool]) -> int:
    return sum(before != after for before, after in pairwise(seen))


def _is_folder(path: Path) -> bool:
    return sav_frames.is_data_set(path) or any(file.stem.endswith((_MANUAL, _AUTO)) for file in files_of(path, ".json"))


FORMAT = FileFormat(
    "sa-v",
    CAPABILITIES,
    read,
    write,
    ending=".json",
    held=(".json",),
    is_json=lambda json: "masklet" in json.keys,
    is_folder=_is_folder,
)
