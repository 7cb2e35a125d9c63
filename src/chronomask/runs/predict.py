"""A whole data set: segment every video of an annotation file, so that train, predict, evaluate closes the loop."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from chronomask.annotations.records import Track, VideoEntry
from chronomask.categories import OBJECT, Category
from chronomask.data.mapping import joined
from chronomask.errors import InputError
from chronomask.files import prepare_place
from chronomask.formats.ytvis import read_head, write_results, write_tracks
from chronomask.progress import Progress, silent
from chronomask.runs.partial import full_disk_explained
from chronomask.runs.segment import chosen_tracks, provenance, track_of
from chronomask.runs.spool import Spool, difference
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import open_frames


def predict(
    segmenter: Segmenter,
    instances: Path,
    frames: Path,
    out: Path,
    *,
    progress: Progress = silent,
) -> int:
    """Segments all videos of a YouTube-VIS-form file and writes their tracks; returns the number of tracks.

    Finished videos are kept in `<out>.partial`, and a killed run goes on behind them. Tracks carry the data set's own
    category ids. The model's classes join its categories as `data.mapping.joined` has it: by name, case and `_` aside,
    and between known data sets by tables, several classes to one category where that is what it means (car, bus and
    truck to OVIS's vehical). Each track gets the most probable of the classes that have a category, or `object` where
    none is sure and the data set has such a category.

    Args:
        instances: names the videos and categories; annotations in it are not looked at.
        frames: the folder that `file_names` are relative to.
        out: tracks in the form of tracks.json; a plain submission list goes to results.json beside it.
        progress: shows how far the work is.

    Raises:
        InputError: a file without what is needed of it, no class in common, a frame that is missing or of the wrong
            size, a place that cannot be written to, a full disk, or a partial run with other settings.
    """
    videos, categories = read_head(instances)
    category_of = _category_of(segmenter, categories)
    if not category_of.keys() - {OBJECT.name}:
        raise InputError(f"{instances}: none of its categories is a class of the model")
    if out.name == "results.json":
        raise InputError(f"{out}: that name is for the submission list; name the file tracks.json, say")
    prepare_place(out)
    results, partial = out.with_name("results.json"), out.with_name(out.name + ".partial")
    prepare_place(results)
    prepare_place(partial)
    info = provenance(segmenter)
    header = {"info": info, "instances_sha256": hashlib.sha256(instances.read_bytes()).hexdigest()}
    done = _finished(partial, header)
    with full_disk_explained(out, "give the same command again, which goes on"):
        with partial.open("a") as log:
            if not done and partial.stat().st_size == 0:
                log.write(json.dumps(header) + "\n")
            for video in progress(videos, "predicting", len(videos)):
                if video.id not in done:
                    found = [dataclasses.asdict(track) for track in _tracks_of(segmenter, video, frames, category_of)]
                    done[video.id] = found
                    log.write(json.dumps({"video": video.id, "tracks": found}) + "\n")
                    log.flush()
        tracks = _numbered(done[video.id] for video in videos)
        write_results(results, videos, tracks)
        write_tracks(out, videos, categories, tracks, info)
    partial.unlink()
    return len(tracks)


def _category_of(segmenter: Segmenter, categories: Sequence[Category]) -> dict[str, Category]:
    """The data set's category of every class of the model that has one, and of `object`."""
    by_name = {category.name: category for category in categories}
    known = (category.name for category in segmenter.categories if category != OBJECT)
    classes = joined(list(known), by_name)
    if OBJECT.name in by_name:
        classes[OBJECT.name] = OBJECT.name
    return {name: by_name[theirs] for name, theirs in classes.items()}


def _tracks_of(
    segmenter: Segmenter, video: VideoEntry, frames: Path, category_of: dict[str, Category]
) -> Iterator[Track]:
    files = [frames / name for name in video.file_names or ()]
    source = open_frames(video.name, files, annotated=(video.width, video.height))
    with Spool() as spool:
        for result in segmenter.segment(source, raw=True):
            spool.add(result)
        for info in chosen_tracks(segmenter.named(category_of), spool.track_ids(), segmenter.config, category_of):
            yield track_of(info, video.id, category_of[info.category.name], list(spool.segmentations(info.id)))


def _numbered(videos: Iterable[list[dict[str, Any]]]) -> list[Track]:
    """Track ids are unique in a file; those of the segmenter only in a video."""
    numbers = count(1)
    return [dataclasses.replace(Track(**track), id=next(numbers)) for tracks in videos for track in tracks]


def _finished(partial: Path, header: dict[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """Tracks by video of an interrupted run; a last line that was cut off is left out, and cut from the file."""
    if not partial.exists():
        return {}
    whole, done = 0, {}
    for number, line in enumerate(partial.read_bytes().splitlines(keepends=True)):
        if not line.endswith(b"\n"):
            break
        entry = json.loads(line)
        if number == 0 and entry != json.loads(json.dumps(header)):
            found = difference(entry, json.loads(json.dumps(header)))
            raise InputError(f"{partial}: {found}; give the same, or delete the file to start anew")
        if number > 0:
            done[entry["video"]] = entry["tracks"]
        whole += len(line)
    with partial.open("r+b") as file:
        file.truncate(whole)
    return done
