"""Annotation and result files, parsed entry by entry with every fault noted.

Both kinds are YouTube-VIS json. An annotation file is an object with `videos`, `categories` and `annotations`; results
are the plain list that servers take, or an annotation file whose annotations have a `score` (`tracks.json`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chronomask.evaluation.fields import (
    check_id,
    is_whole,
    parse_areas,
    parse_flag,
    parse_score,
    parse_tube,
    stated_size,
)
from chronomask.evaluation.problems import Collector, shown
from chronomask.evaluation.records import FoundTrack, GroundTruth, TrueTrack
from chronomask.formats.ytvis import VideoEntry

MAX_RESULTS = 100
"""YouTube-VIS scores so many results a video and category, those with the highest scores."""


def parse_truth(data: Any, found: Collector) -> GroundTruth:
    """The usable part of an annotation file; what is wrong with the rest goes to `found`."""
    if not isinstance(data, Mapping):
        found.error("file", f"an object with videos, categories and annotations is needed, this is {shown(data)}")
        return GroundTruth({}, {}, [])
    videos = parse_videos(_entries(data, "videos", found), found)
    categories = parse_categories(_entries(data, "categories", found), found)
    tracks = []
    ids: set[int] = set()
    for index, entry in enumerate(_entries(data, "annotations", found)):
        place = f"annotations[{index}]"
        if not isinstance(entry, Mapping):
            found.error(place, f"{shown(entry)} is no object")
            continue
        check_id(entry, place, ids, found)
        crowd = parse_flag(entry, place, found)
        tube = parse_tube(entry, place, found, videos, categories)
        area = parse_areas(entry, place, found, tube)
        if tube is not None and area is not None:
            tracks.append(TrueTrack(index, entry["video_id"], entry["category_id"], tube, area, crowd))
    return GroundTruth(videos, categories, tracks)


def parse_results(
    data: Any, found: Collector, videos: Mapping[int, VideoEntry] | None, categories: Mapping[int, str] | None
) -> list[FoundTrack]:
    """The usable part of a result file; what is wrong with the rest goes to `found`.

    Args:
        data: what the file holds.
        found: takes the problems.
        videos: of the annotation file; None without one, then masks need only agree among themselves.
        categories: of the annotation file; None without one, then any whole number passes.
    """
    listed = "results"
    if isinstance(data, Mapping):
        listed = "annotations"
        own = parse_videos(_entries(data, "videos", found), found), parse_categories(data.get("categories"), found)
        videos, categories = (own[0] if videos is None else videos), (own[1] if categories is None else categories)
        data = _entries(data, "annotations", found)
    elif not isinstance(data, Sequence) or isinstance(data, str):
        found.error("file", f"a list of results is needed, this is {shown(data)}")
        return []
    guessed: dict[int, VideoEntry] = {}
    tracks = []
    ids: set[int] = set()
    for index, entry in enumerate(data):
        place = f"{listed}[{index}]"
        if not isinstance(entry, Mapping):
            found.error(place, f"{shown(entry)} is no object")
            continue
        if "id" in entry:
            check_id(entry, place, ids, found)
        score = parse_score(entry, place, found)
        known = _guessed(entry, guessed) if videos is None else videos
        tube = parse_tube(entry, place, found, known, categories)
        if entry.get("areas") is not None:
            parse_areas(entry, place, found, tube)
        if tube is not None and score is not None:
            tracks.append(FoundTrack(index, entry["video_id"], entry["category_id"], tube, score))
    _warn_of_surplus(tracks, listed, found)
    return tracks


def _entries(data: Mapping[str, Any], key: str, found: Collector) -> Sequence[Any]:
    entries = data.get(key)
    if isinstance(entries, list | tuple):
        return entries
    found.error(key, "missing" if key not in data else f"{shown(entries)} is no list")
    return []


def parse_videos(entries: Any, found: Collector) -> dict[int, VideoEntry]:
    """Videos by id."""
    videos: dict[int, VideoEntry] = {}
    ids: set[int] = set()
    for index, entry in enumerate(entries):
        place = f"videos[{index}]"
        if not isinstance(entry, Mapping):
            found.error(place, f"{shown(entry)} is no object")
            continue
        fine = check_id(entry, place, ids, found)
        for key in ("height", "width", "length"):
            if not is_whole(entry.get(key)) or entry[key] < 1:
                found.error(f"{place}.{key}", f"{shown(entry.get(key))} is no whole number above 0")
                fine = False
        names = entry.get("file_names")
        names = tuple(names) if isinstance(names, list | tuple) else None
        if fine and names is not None and len(names) != entry["length"]:
            found.error(f"{place}.file_names", f"{len(names)} names for a video of {entry['length']} frames")
        if fine:
            name = entry.get("name") or (str(Path(str(names[0])).parent) if names else f"video {entry['id']}")
            size = {key: entry[key] for key in ("width", "height", "length")}
            videos[entry["id"]] = VideoEntry(id=entry["id"], name=str(name), **size, file_names=names)
    return videos


def parse_categories(entries: Any, found: Collector) -> dict[int, str]:
    """Names of categories by id."""
    names: dict[int, str] = {}
    ids: set[int] = set()
    for index, entry in enumerate(entries or ()):
        place = f"categories[{index}]"
        if not isinstance(entry, Mapping):
            found.error(place, f"{shown(entry)} is no object")
        elif check_id(entry, place, ids, found):
            name = entry.get("name")
            if not isinstance(name, str):
                found.warn(f"{place}.name", "missing" if name is None else f"{shown(name)} is no text")
            elif name in names.values():
                found.warn(f"{place}.name", f"{name!r} is the name of an earlier category too")
            names[entry["id"]] = str(name)
    return names


def _guessed(entry: Mapping[str, Any], guessed: dict[int, VideoEntry]) -> Mapping[int, VideoEntry]:
    """The video of a result without an annotation file: sized as the first result of that video says."""
    video_id, masks = entry.get("video_id"), entry.get("segmentations")
    if not is_whole(video_id) or video_id in guessed or not isinstance(masks, list | tuple):
        return guessed
    size = stated_size(masks)
    video = VideoEntry(video_id, f"video {video_id}", *(size or (1, 1))[::-1], length=len(masks))
    if size is None:  # a track without masks says nothing about others
        return {video_id: video}
    guessed[video_id] = video
    return guessed


def _warn_of_surplus(tracks: Sequence[FoundTrack], listed: str, found: Collector) -> None:
    counts = Counter((track.video_id, track.category_id) for track in tracks)
    for (video_id, category_id), count in counts.items():
        if count > MAX_RESULTS:
            message = f"{count} results for video {video_id} and category {category_id}: the best {MAX_RESULTS} count"
            found.warn(listed, message)
