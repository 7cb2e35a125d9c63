"""YouTube-VIS files of found tracks: `tracks.json` (annotations with scores) and `results.json` (a submission)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from chronomask import rle
from chronomask.categories import Category
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.fields import category_list, entries, field, integer, number, read_json, side
from chronomask.formats.tracks import Track, TracksFile, VideoEntry
from chronomask.rle import Rle

__all__ = [
    "CAPABILITIES",
    "Track",
    "TracksFile",
    "VideoEntry",
    "read_head",
    "read_tracks",
    "write_results",
    "write_tracks",
]

CAPABILITIES = Capabilities(
    title="YouTube-VIS json",
    several_videos="in the file",
    video_ids=True,
    overlaps=True,
    empty_masks=True,
    scores=True,
    classes="ids and names",
    unused_classes=True,
    crowds="yes",
    merged=True,
    fps=True,
    file_names="yes",
    info=True,
)


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
    content = read_json(path)
    if isinstance(content, list):
        return TracksFile(tuple(_read_result(f"{path}: entry {i}", entry, i + 1) for i, entry in enumerate(content)))
    videos, categories = read_head(path, content)
    by_id, known = {video.id: video for video in videos}, {category.id for category in categories}
    tracks: dict[int, Track] = {}
    for i, entry in enumerate(entries(path, content, "annotations")):
        track = _read_annotation(f"{path}: annotations[{i}]", entry, by_id, known)
        if track.id in tracks:
            raise InputError(f"{path}: annotations[{i}]: id {track.id} is the id of an earlier entry too")
        tracks[track.id] = track
    info = content.get("info")
    return TracksFile(tuple(tracks.values()), videos, categories, info if isinstance(info, dict) else {})


def read_head(path: Path, content: Any) -> tuple[tuple[VideoEntry, ...], tuple[Category, ...]]:
    """The videos and categories of a file that holds `content`; its annotations, if it has any, are not looked at.

    Raises:
        InputError: as `read_tracks`.
    """
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold an object with 'videos' and 'categories', not {content!r:.80}")
    listed = enumerate(entries(path, content, "videos"))
    videos = tuple(_read_video(f"{path}: videos[{i}]", entry) for i, entry in listed)
    return videos, category_list(path, content)


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a file whose videos are known: a submission list names none, they are those of `assumed.against`.

    Without that file they are guessed from the masks, and their categories have no names.

    Raises:
        InputError: as `read_tracks`, and where tracks of a list do not fit the videos and categories.
    """
    file = read_tracks(path)
    if file.videos or not file.tracks:
        return file
    if assumed.against is not None:
        videos, categories = read_head(assumed.against, read_json(assumed.against))
    else:
        videos = tuple(_guessed(file, number, path, assumed) for number in sorted({t.video_id for t in file.tracks}))
        categories = tuple(Category(n, f"class {n}") for n in sorted({t.category_id for t in file.tracks}))
    lengths, ids = {video.id: video.length for video in videos}, {category.id for category in categories}
    for i, track in enumerate(file.tracks):
        if lengths.get(track.video_id) != len(track.segmentations) or track.category_id not in ids:
            raise InputError(
                f"{path}: entry {i}: video_id {track.video_id}, category_id {track.category_id} and"
                f" {len(track.segmentations)} segmentations do not fit the videos and categories"
            )
    return replace(file, videos=videos, categories=categories)


def _guessed(file: TracksFile, number: int, path: Path, assumed: Assumed) -> VideoEntry:
    tracks = [track for track in file.tracks if track.video_id == number]
    sizes = [mask["size"] for track in tracks for mask in track.segmentations if mask is not None]
    if not sizes and assumed.size is None:
        raise InputError(f"{path}: video {number} has no mask that tells its size; give --size or --against")
    width, height = (sizes[0][1], sizes[0][0]) if sizes else assumed.size or (0, 0)
    return VideoEntry(number, f"video {number}", width, height, len(tracks[0].segmentations))


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
        "iscrowd": int(track.crowd),  # readers of YouTube-VIS annotations ask for it
        **({"merged": True} if track.merged else {}),
        "areas": [None if mask is None else rle.area(mask) for mask in seen],
        "bboxes": [None if mask is None else list(rle.bbox(mask)) for mask in seen],
    }


def _write_list(file: TextIO, items: Iterable[dict[str, Any]]) -> None:
    """Write a json list entry by entry, one a line, so that no more than one is in memory."""
    file.write("[")
    for place, item in enumerate(items):
        file.write(",\n" if place else "\n")
        file.write(_dumped(item))
    file.write("]")


def _dumped(value: dict[str, Any]) -> str:
    # NaN is no json: other programs could not read the file.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _read_video(where: str, entry: Any) -> VideoEntry:
    video_id, width, height = integer(where, entry, "id"), side(where, entry, "width"), side(where, entry, "height")
    names = entry.get("file_names")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InputError(f"{where}: 'file_names' must be a list of paths, not {names!r:.80}")
    # Training data may leave the length away where it names the frames.
    length = len(names) if names and "length" not in entry else side(where, entry, "length")
    if names is not None and len(names) != length:
        raise InputError(
            f"{where}: 'file_names' has {len(names)} entries, 'length' says that video {video_id} has {length} frames"
        )
    # YouTube-VIS itself has no names: there a video is known by the folder of its frames.
    name = str(entry.get("name") or (Path(names[0]).parent if names else video_id))
    fps = number(where, entry, "fps") if entry.get("fps") is not None else None
    return VideoEntry(video_id, name, width, height, length, fps, None if names is None else tuple(names))


def _read_result(where: str, entry: Any, number_of_entry: int) -> Track:
    """An entry of a submission list, which knows no videos and gets its place for an id."""
    return Track(
        id=number_of_entry,
        video_id=integer(where, entry, "video_id"),
        score=number(where, entry, "score"),
        category_id=integer(where, entry, "category_id"),
        segmentations=_read_masks(where, entry, None),
    )


def _read_annotation(where: str, entry: Any, videos: Mapping[int, VideoEntry], categories: set[int]) -> Track:
    video_id, category_id = integer(where, entry, "video_id"), integer(where, entry, "category_id")
    if video_id not in videos:
        raise InputError(f"{where}: video_id {video_id} is no video of the file")
    if category_id not in categories:
        raise InputError(f"{where}: category_id {category_id} is no category of the file")
    return Track(
        id=integer(where, entry, "id"),
        video_id=video_id,
        category_id=category_id,
        # What a person drew is sure.
        score=number(where, entry, "score") if "score" in entry else 1.0,
        segmentations=_read_masks(where, entry, videos[video_id]),
        crowd=bool(entry.get("iscrowd")),
        merged=bool(entry.get("merged")),
    )


def _read_masks(where: str, entry: Any, video: VideoEntry | None) -> tuple[Rle | None, ...]:
    masks = field(where, entry, "segmentations")
    if not isinstance(masks, list):
        raise InputError(f"{where}: 'segmentations' must be a list, one entry a frame, not {masks!r:.80}")
    if video is not None and len(masks) != video.length:
        raise InputError(
            f"{where}: 'segmentations' has {len(masks)} entries, video {video.id} has {video.length} frames"
        )
    return tuple(_read_mask(where, frame, mask, video) for frame, mask in enumerate(masks))


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
