"""A data set to train on: the frames as images in JPEGImages, and instances.json in YouTube-VIS form beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.claims import Output, check_outputs, only_endings
from chronomask.errors import InputError
from chronomask.files import folder_written_aside
from chronomask.formats.footage import open_part, part_of
from chronomask.formats.ytvis import write_tracks
from chronomask.video import Selection, VideoSource, open_source

_QUALITY = 95
"""Of the JPEG files: what a frame loses is then far below what compression took from the video."""


def write_dataset(file: TracksFile, sources: Sequence[str | Path], path: Path, overwrite: bool = False) -> None:
    """Write a data set, whole or not at all.

    Args:
        file: the tracks of videos.
        sources: what each video was segmented from, in the order of `file.videos`.
        path: folder to make.
        overwrite: whether an earlier data set may be replaced: a folder with an instances.json, and nothing but .jpg
            and .json files.

    Raises:
        InputError: not one source a video, one with another size or number of frames than the tracks have, or
            there is something at `path` that may not be replaced.
    """
    _check_number(file, sources)
    check_outputs([data_set(path)], overwrite=overwrite)
    selection = part_of(file)
    with folder_written_aside(path) as aside:
        videos = [
            _extract(video, source, selection, aside / "JPEGImages", whole=file.info.get("complete", True))
            for video, source in zip(file.videos, sources, strict=True)
        ]
        write_tracks(aside / "instances.json", videos, file.categories, file.tracks, file.info)


def data_set(path: Path) -> Output:
    """A data set that will be written, for `chronomask.claims`: one may take the place of another."""

    def refusal(folder: Path) -> str | None:
        if not (folder / "instances.json").is_file():
            return "holds no instances.json, so it is no data set to replace"
        return only_endings((".jpg", ".json"))(folder)

    return Output(path, refusal)


def check_footage(file: TracksFile, sources: Sequence[str | Path]) -> None:
    """Find out whether tracks can be of these videos.

    Raises:
        InputError: not one source a video, or one of another size.
    """
    _check_number(file, sources)
    for video, source in zip(file.videos, sources, strict=True):
        _check_size(video, source, open_source(source))


def _check_number(file: TracksFile, sources: Sequence[str | Path]) -> None:
    if len(sources) != len(file.videos):
        names = ", ".join(video.name for video in file.videos)
        raise InputError(f"{len(sources)} videos given, the tracks are of {len(file.videos)}: {names}")


def _check_size(video: VideoEntry, path: str | Path, source: VideoSource) -> None:
    if (source.width, source.height) != (video.width, video.height):
        raise InputError(f"{path}: is {source.width}x{source.height}, the tracks are of {video.width}x{video.height}")


def _extract(video: VideoEntry, path: str | Path, selection: Selection, images: Path, whole: bool) -> VideoEntry:
    source = open_part(path, video.fps, selection)
    _check_size(video, path, source)
    folder = images / str(video.id)
    folder.mkdir(parents=True)
    names: list[str] = []
    for frame in source:
        if len(names) == video.length:
            if not whole:  # segmenting it was interrupted
                break
            raise InputError(f"{path}: has more than the {video.length} frames of the tracks")
        name = f"{video.id}/{len(names):05d}.jpg"
        Image.fromarray(frame.image).save(images / name, quality=_QUALITY)
        names.append(name)
    if len(names) < video.length:
        raise InputError(f"{path}: has {len(names)} frames, the tracks have {video.length}")
    return replace(video, file_names=tuple(names))
