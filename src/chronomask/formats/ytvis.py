"""YouTube-VIS files of found tracks: `tracks.json` (annotations with scores) and `results.json` (a submission)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from chronomask import rle
from chronomask.annotations import reader
from chronomask.annotations.content import opened
from chronomask.annotations.listing import frames_of, read_listing
from chronomask.annotations.problems import Problems
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.categories import Category
from chronomask.errors import InputError
from chronomask.files import json_text, written_aside
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.file_format import FileFormat

CAPABILITIES = Capabilities(
    title="YouTube-VIS json",
    several_videos="in the file",
    video_ids=True,
    overlaps=True,
    empty_masks=True,
    scores=True,
    class_scores=True,
    classes="ids and names",
    unused_classes=True,
    labelled_classes=True,
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
        ValueError: a track whose id is below 1 or used twice, whose video or category is not listed, one of whose
            scores is outside [0, 1], or whose segmentations are not one a frame or not of the video's size.
    """
    with written_aside(path) as aside:
        _write_tracks(aside, videos, categories, tracks, info)


def _write_tracks(
    path: Path,
    videos: Sequence[VideoEntry],
    categories: Sequence[Category],
    tracks: Iterable[Track],
    info: Mapping[str, Any],
) -> None:
    head = {
        "info": dict(info),
        "videos": [_video_to_json(video) for video in videos],
        "categories": [{"id": category.id, "name": category.name} for category in categories],
    }
    with path.open("w", encoding="utf-8") as file:
        file.write(json_text(head)[:-1] + ',"annotations":')
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
    """Read a `tracks.json` or a plain submission list, all masks checked.

    Segmentations may be polygons or plain run lengths where the video's size is known; compressed ones are the rule.

    Raises:
        InputError: naming file, entry and field of what is missing or cannot be meant.
    """
    return reader.read(path).file


def read_head(path: Path) -> tuple[tuple[VideoEntry, ...], tuple[Category, ...]]:
    """The videos and categories of a file. Frames are asked for; annotations are not looked at.

    Raises:
        InputError: as `read_tracks`, and where a video names no frames.
    """
    problems = Problems(str(path))
    listing = read_listing(reader.opened_annotations(path), problems)
    return tuple(video for video, _ in frames_of(listing, problems)), listing.named


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a file whose videos are known: a submission list names none, they are those of `assumed.against`.

    Without that file they are guessed from the masks, and their categories have no names.

    Raises:
        InputError: as `read_tracks`, and where tracks of a list do not fit the videos and categories.
    """
    content, against = opened(path), None
    if content.listed == "results" and assumed.against is not None:
        listed = reader.opened_annotations(assumed.against)
        against = read_listing(listed, Problems(listed.file))
    file = reader.read(content, against=against).file
    return replace(file, videos=tuple(_sized(video, path, assumed) for video in file.videos))


def _sized(video: VideoEntry, path: Path, assumed: Assumed) -> VideoEntry:
    if video.width:
        return video
    if assumed.size is None:
        raise InputError(f"{path}: video {video.id} has no mask that tells its size; give --size or --against")
    return replace(video, width=assumed.size[0], height=assumed.size[1])


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
        for key in ("score", "class_score"):
            if (value := getattr(track, key)) is not None and not 0 <= value <= 1:
                raise ValueError(f"track {track.id} has {key} {value}, outside [0, 1]")
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
    entry = {key: getattr(video, key) for key in ("id", "name", "width", "height", "length", "fps")}
    if video.labelled_classes is not None:
        entry["labelled_classes"] = list(video.labelled_classes)
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
        **({} if track.class_score is None else {"class_score": track.class_score}),
        "segmentations": iter(track.segmentations),
    }


def _annotation(track: Track) -> dict[str, Any]:
    return {
        "id": track.id,
        **_result(track),
        "iscrowd": int(track.crowd),  # readers of YouTube-VIS annotations ask for it
        **({"merged": True} if track.merged else {}),
        "areas": rle.areas(track.segmentations),
        "bboxes": rle.bboxes(track.segmentations),
    }


def _write_list(file: TextIO, items: Iterable[dict[str, Any]]) -> None:
    """Write a json list entry by entry, one a line, so that no more than one is in memory."""
    file.write("[")
    for place, item in enumerate(items):
        file.write(",\n" if place else "\n")
        _write_item(file, item)
    file.write("]")


def _write_item(file: TextIO, item: dict[str, Any]) -> None:
    """Write an object whose iterators are lists with an entry a frame, some hundred frames at a time.

    The masks of a long track, as Python has them, take many times the memory of their text.
    """
    for place, (key, value) in enumerate(item.items()):
        file.write(f"{',' if place else '{'}{json_text(key)}:")
        if not isinstance(value, Iterator):
            file.write(json_text(value))
            continue
        file.write("[")
        for number, frames in enumerate(iter(lambda value=value: list(islice(value, 500)), [])):
            file.write(("," if number else "") + json_text(frames)[1:-1])
        file.write("]")
    file.write("}")


def write(file: TracksFile, path: Path) -> None:
    """Write a whole file as `tracks.json`, straight to the path, which whoever converts has put aside."""
    _write_tracks(path, file.videos, file.categories, file.tracks, file.info)


FORMAT = FileFormat("youtube-vis", CAPABILITIES, read, write, ending=".json", is_json=lambda json: True)
