"""YouTube-VIS files of found tracks: `tracks.json` (annotations with scores) and `results.json` (a submission)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from chronomask import rle
from chronomask.data.categories import Category
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.rle import Rle


@dataclass(frozen=True)
class VideoEntry:
    """A video of a file.

    Attributes:
        id: what tracks refer to it by.
        name: the file's or folder's name.
        width: in pixels, as displayed (rotation applied).
        height: in pixels, as displayed.
        length: number of frames that the tracks speak about, each of them in order.
        fps: frames a second; None where the file does not say.
        file_names: one path a frame for a folder of frames, else None.
    """

    id: int
    name: str
    width: int
    height: int
    length: int
    fps: float | None = None
    file_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Track:
    """One object followed through one video.

    Attributes:
        id: at least 1, unique in its file.
        video_id: the video's id.
        category_id: the category's id as in the data set (not a network index).
        score: confidence in [0, 1].
        segmentations: one entry a frame of the video, None where the object is out of sight.
    """

    id: int
    video_id: int
    category_id: int
    score: float
    segmentations: Sequence[Rle | None]


@dataclass(frozen=True)
class TracksFile:
    """What a file of tracks holds. Of a plain submission list only `tracks` is known: the rest is empty.

    Attributes:
        tracks: in the order of the file; those of a submission list are numbered from 1.
        videos: in the order of the file.
        categories: in the order of the file.
        info: version, checkpoint and settings that made the file.
    """

    tracks: tuple[Track, ...]
    videos: tuple[VideoEntry, ...] = ()
    categories: tuple[Category, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)


def write_tracks(
    path: str | Path,
    videos: Sequence[VideoEntry],
    categories: Sequence[Category],
    tracks: Iterable[Track],
    info: Mapping[str, Any],
) -> None:
    """Write `tracks.json`: a YouTube-VIS annotation file with scores, areas (pixels) and boxes (x, y, width, height).

    Tracks are taken one at a time, so an iterator over tracks spooled on disk needs the memory of one.

    Raises:
        ValueError: a track whose id is below 1 or used twice, whose video or category is not listed, whose score is
            outside [0, 1], or whose segmentations are not one a frame or not of the video's size.
    """
    head = {
        "info": dict(info),
        "videos": [_video_to_json(video) for video in videos],
        "categories": [{"id": category.id, "name": category.name} for category in categories],
    }
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as file:
        file.write(_dumped(head)[:-1] + ',"annotations":')
        known = {category.id for category in categories}
        _write_list(file, (_annotation(track) for track in _checked(tracks, videos, known)))
        file.write("}\n")


def write_results(path: str | Path, videos: Sequence[VideoEntry], tracks: Iterable[Track]) -> None:
    """Write `results.json`: the plain list that YouTube-VIS servers take, each entry with one segmentation a frame.

    Raises:
        ValueError: as `write_tracks`.
    """
    with written_aside(path) as aside, aside.open("w", encoding="utf-8") as file:
        _write_list(file, (_result(track) for track in _checked(tracks, videos, None)))
        file.write("\n")


def read_tracks(path: str | Path) -> TracksFile:
    """Read a `tracks.json` or a plain submission list.

    Segmentations may be polygons or plain run lengths where the video's size is known; compressed ones are the rule.

    Raises:
        InputError: naming file, entry and field of what is missing or cannot be meant.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise InputError(f"{path}: no json file: {error}") from error
    if isinstance(content, list):
        return TracksFile(tuple(_read_track(path, i, entry, {}, i + 1) for i, entry in enumerate(content)))
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold a list of results or an object with 'annotations', not {content!r:.80}")
    videos = tuple(
        _read_video(f"{path}: videos[{i}]", entry) for i, entry in enumerate(_entries(path, content, "videos"))
    )
    categories = tuple(
        Category(_integer(f"{path}: categories[{i}]", entry, "id"), _text(f"{path}: categories[{i}]", entry, "name"))
        for i, entry in enumerate(_entries(path, content, "categories"))
    )
    by_id = {video.id: video for video in videos}
    annotations = _entries(path, content, "annotations")
    tracks = tuple(_read_track(path, i, entry, by_id, None) for i, entry in enumerate(annotations))
    info = content.get("info")
    return TracksFile(tracks, videos, categories, info if isinstance(info, dict) else {})


def _checked(tracks: Iterable[Track], videos: Sequence[VideoEntry], categories: set[int] | None) -> Iterator[Track]:
    by_id = {video.id: video for video in videos}
    seen: set[int] = set()
    for track in tracks:
        if track.id < 1 or track.id in seen:
            raise ValueError(f"track id {track.id} is {'used twice' if track.id in seen else 'below 1'}")
        seen.add(track.id)
        video = by_id.get(track.video_id)
        if video is None:
            raise ValueError(f"track {track.id} has video_id {track.video_id}, which is no video of the file")
        if categories is not None and track.category_id not in categories:
            raise ValueError(f"track {track.id} has category_id {track.category_id}, which is no category of the file")
        if not 0 <= track.score <= 1:
            raise ValueError(f"track {track.id} has score {track.score}, outside [0, 1]")
        _check_segmentations(track, video)
        yield track


def _check_segmentations(track: Track, video: VideoEntry) -> None:
    if len(track.segmentations) != video.length:
        raise ValueError(
            f"track {track.id} has {len(track.segmentations)} segmentations, video {video.name} {video.length} frames"
        )
    for segmentation in track.segmentations:
        if segmentation is not None and list(segmentation["size"]) != [video.height, video.width]:
            raise ValueError(
                f"track {track.id} has a mask of size {segmentation['size']}, video {video.name} is"
                f" [{video.height}, {video.width}] ([height, width])"
            )


def _video_to_json(video: VideoEntry) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": video.id,
        "name": video.name,
        "width": video.width,
        "height": video.height,
        "length": video.length,
        "fps": video.fps,
    }
    if video.file_names is not None:
        if len(video.file_names) != video.length:
            raise ValueError(f"video {video.name} has {len(video.file_names)} file names for {video.length} frames")
        entry["file_names"] = list(video.file_names)
    return entry


def _result(track: Track) -> dict[str, Any]:
    return {
        "video_id": track.video_id,
        "category_id": track.category_id,
        "score": float(track.score),
        "segmentations": list(track.segmentations),
    }


def _annotation(track: Track) -> dict[str, Any]:
    seen = track.segmentations
    return {
        "id": track.id,
        **_result(track),
        "iscrowd": 0,  # readers of YouTube-VIS annotations ask for it
        "areas": [None if mask is None else rle.area(mask) for mask in seen],
        "bboxes": [None if mask is None else list(rle.bbox(mask)) for mask in seen],
    }


def _write_list(file: TextIO, entries: Iterable[dict[str, Any]]) -> None:
    """Write a json list entry by entry, one a line, so that no more than one is in memory."""
    file.write("[")
    for number, entry in enumerate(entries):
        file.write(",\n" if number else "\n")
        file.write(_dumped(entry))
    file.write("]")


def _dumped(value: dict[str, Any]) -> str:
    # NaN is no json: other programs could not read the file.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _entries(path: Path, content: dict[str, Any], key: str) -> list[Any]:
    value = content.get(key)
    if not isinstance(value, list):
        raise InputError(f"{path}: needs a list '{key}', has {value!r:.80}")
    return value


def _field(where: str, entry: Any, key: str) -> Any:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be an object, not {entry!r:.80}")
    if key not in entry:
        raise InputError(f"{where}: has no field '{key}'")
    return entry[key]


def _integer(where: str, entry: Any, key: str) -> int:
    value = _field(where, entry, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{where}: '{key}' must be a whole number, not {value!r:.80}")
    return value


def _text(where: str, entry: Any, key: str) -> str:
    value = _field(where, entry, key)
    if not isinstance(value, str):
        raise InputError(f"{where}: '{key}' must be text, not {value!r:.80}")
    return value


def _read_video(where: str, entry: Any) -> VideoEntry:
    width, height, length = (_integer(where, entry, key) for key in ("width", "height", "length"))
    if min(width, height, length) < 1:
        raise InputError(f"{where}: width {width}, height {height} and length {length} must be at least 1")
    names = entry.get("file_names")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InputError(f"{where}: 'file_names' must be a list of paths, not {names!r:.80}")
    # YouTube-VIS itself has no names: there a video is known by the folder of its frames.
    name = entry.get("name") or (str(Path(names[0]).parent) if names else str(entry.get("id")))
    fps = entry.get("fps")
    return VideoEntry(
        id=_integer(where, entry, "id"),
        name=str(name),
        width=width,
        height=height,
        length=length,
        fps=float(fps) if isinstance(fps, int | float) else None,
        file_names=tuple(names) if names is not None else None,
    )


def _read_track(path: Path, index: int, entry: Any, videos: Mapping[int, VideoEntry], number: int | None) -> Track:
    """One entry; `number` is the id it gets when it stands in a submission list, which also knows no videos."""
    where = f"{path}: entry {index}" if number else f"{path}: annotations[{index}]"
    video_id = _integer(where, entry, "video_id")
    video = videos.get(video_id)
    if number is None and video is None:
        raise InputError(f"{where}: video_id {video_id} is no video of the file")
    score = _field(where, entry, "score")
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise InputError(f"{where}: 'score' must be a number, not {score!r:.80}")
    segmentations = _field(where, entry, "segmentations")
    if not isinstance(segmentations, list):
        raise InputError(f"{where}: 'segmentations' must be a list, one entry a frame, not {segmentations!r:.80}")
    if video is not None and len(segmentations) != video.length:
        raise InputError(
            f"{where}: 'segmentations' has {len(segmentations)} entries, video {video_id} has {video.length} frames"
        )
    return Track(
        id=_integer(where, entry, "id") if number is None else number,
        video_id=video_id,
        category_id=_integer(where, entry, "category_id"),
        score=float(score),
        segmentations=tuple(_read_mask(where, frame, mask, video) for frame, mask in enumerate(segmentations)),
    )


def _read_mask(where: str, frame: int, mask: Any, video: VideoEntry | None) -> Rle | None:
    if mask is None:
        return None
    try:
        if video is not None:
            return rle.from_annotation(mask, video.height, video.width)
        size = mask.get("size") if isinstance(mask, dict) else None
        if not isinstance(size, list) or len(size) != 2 or not all(isinstance(s, int) and s > 0 for s in size):
            raise InputError(f"must be run lengths with a size [height, width], not {mask!r:.80}")
        return rle.from_annotation(mask, size[0], size[1])
    except InputError as error:
        raise InputError(f"{where}: segmentations[{frame}]: {error}") from error
