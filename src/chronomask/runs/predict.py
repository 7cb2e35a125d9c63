"""A whole data set: segment every video of an annotation file, so that train, predict, evaluate closes the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from chronomask.annotations.records import Track, VideoEntry, all_frames
from chronomask.categories import OBJECT, Category
from chronomask.claims import Output, check_frames
from chronomask.config import EVERYTHING
from chronomask.data.mapping import joined
from chronomask.engines.opening import sha256_of
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_head, write_results, write_tracks
from chronomask.progress import Progress, silent
from chronomask.runs.choice import chosen_tracks, provenance, track_of
from chronomask.runs.log import Log
from chronomask.runs.partial import LOG, check_claims, check_workplace, workplace
from chronomask.runs.spool import Spool
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import open_frames


def predict(
    model: str | Path | Segmenter,
    instances: str | Path,
    frames: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> int:
    """Segments every video of a data set and writes the tracks; returns how many there are.

    Finished videos are kept in `<out>.partial`: if a run was killed, call it again. Tracks carry the category ids of
    the data set. The model's classes join its categories by name (case and `_` aside), and between known data sets by
    tables: car, bus and truck all become OVIS's vehical. Each track gets the most probable of the classes that have a
    category, or `object` if none is sure and the data set has such a category.

    Examples:
        >>> chronomask.predict("lite", "instances.json", "JPEGImages", "val/tracks.json") > 0
        True

    Args:
        model: "lite", an exported network or a checkpoint file, which give tracks of every score; or what `load`
            returned.
        instances: file in YouTube-VIS form that names the videos and categories. Annotations in it are not read.
        frames: the folder that `file_names` are relative to.
        out: file for the tracks, in the form of tracks.json. A plain submission list goes to results.json beside it.
        overwrite: whether existing files, and finished videos of a run with other settings, may be replaced.
        progress: shows how far the work is.

    Raises:
        InputError: the output may not be written, the file lacks something, no class is in common, a frame is missing
            or has the wrong size, the disk is full, or a partial run has other settings.
    """
    instances, frames, out = Path(instances), Path(frames), Path(out)
    check_output(out, [instances], frames, overwrite)
    segmenter = model if isinstance(model, Segmenter) else load(model, config=EVERYTHING)
    videos, categories = read_head(instances)
    check_frames([output.path for output in _outputs(out)], frames, all_frames(videos))
    category_of = category_of_class(segmenter, categories)
    if not category_of.keys() - {OBJECT.name}:
        raise InputError(f"{instances}: none of its categories is a class of the model")
    info = provenance(segmenter)
    header = {"info": info, "instances_sha256": sha256_of(instances)}
    go_on = "give the same command again, which goes on"
    with workplace(_partial(out), out.parent, out, resume=True, go_on=go_on) as place:
        check_claims(place.folder, _outputs(out), [instances], [frames], overwrite)
        with closing(Log(place.folder / LOG, header, overwrite)) as log:
            done = {entry["video"]: entry["tracks"] for entry in log.entries}
            place.claim([output.path.name for output in _outputs(out)])
            place.worth_keeping = True
            for video in progress(videos, "predicting", len(videos)):
                if video.id not in done:
                    tracks = _tracks_of(segmenter, video, frames, category_of, place.folder)
                    done[video.id] = [dataclasses.asdict(track) for track in tracks]
                    log.add({"video": video.id, "tracks": done[video.id]})
        found = _numbered(done[video.id] for video in videos)
        write_results(place.results / "results.json", videos, found)
        write_tracks(place.results / out.name, videos, categories, found, info)
        place.publish(["results.json", out.name])
    return len(found)


def check_output(out: Path, reads: Sequence[Path], frames: Path, overwrite: bool) -> None:
    """Finds out before the work begins whether its results can be written; writes none.

    Args: as for `predict`, and all that is read.

    Raises:
        InputError: as `chronomask.claims.check_outputs`; or somebody works there.
    """
    if out.name == "results.json":
        raise InputError(f"{out}: that name is for the submission list; name the file tracks.json, say")
    check_workplace(_partial(out), out.parent, out)
    check_claims(_partial(out), _outputs(out), reads, [frames], overwrite)


def _outputs(out: Path) -> list[Output]:
    return [Output(out.with_name("results.json"), inside=True), Output(out)]


def _partial(out: Path) -> Path:
    return out.with_name(out.name + ".partial")


def category_of_class(segmenter: Segmenter, categories: Sequence[Category]) -> dict[str, Category]:
    """The data set's category of every class of the model that has one, and of `object`."""
    by_name = {category.name: category for category in categories}
    known = (category.name for category in segmenter.categories if category != OBJECT)
    classes = joined(list(known), by_name)
    if OBJECT.name in by_name:
        classes[OBJECT.name] = OBJECT.name
    return {name: by_name[theirs] for name, theirs in classes.items()}


def _tracks_of(
    segmenter: Segmenter, video: VideoEntry, frames: Path, category_of: dict[str, Category], folder: Path
) -> Iterator[Track]:
    files = [frames / name for name in video.file_names or ()]
    source = open_frames(video.name, files, annotated=(video.width, video.height))
    with Spool(folder) as spool:
        for result in segmenter.segment(source, raw=True):
            spool.add(result)
        spool.rename(segmenter.relink())
        for info in chosen_tracks(segmenter.named(category_of), spool.track_ids(), segmenter.config, category_of):
            yield track_of(info, video.id, category_of[info.category.name], list(spool.segmentations(info.id)))


def _numbered(videos: Iterable[list[dict[str, Any]]]) -> list[Track]:
    """Track ids are unique in a file; those of the segmenter only in a video."""
    numbers = count(1)
    return [dataclasses.replace(Track(**track), id=next(numbers)) for tracks in videos for track in tracks]
