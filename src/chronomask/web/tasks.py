"""What child processes do: functions of plain values, as json has them, to such values."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.categories import plain
from chronomask.config import SegmentConfig
from chronomask.errors import InputError, refusing
from chronomask.files import natural
from chronomask.formats.ytvis import read_tracks, write_tracks
from chronomask.outputs.choice import Outputs
from chronomask.progress import Progress
from chronomask.video import DEFAULT_FPS, IMAGE_SUFFIXES, Selection, VideoSource, open_source
from chronomask.web import media

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,gif,asf"
"""Formats of uploads. Those that name other files or addresses, such as playlists, are not among them."""


def look(
    progress: Progress,
    source: str,
    folder: str,
    shown: str,
    tracks: str | None = None,
    bounds: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Finds out what a video is, and how a browser can show it.

    Args:
        source: path of a video file or folder of frames; of an empty name the video of `tracks` is looked for.
        folder: for the table of times, and the tracks in a folder `run-0`.
        shown: what the video is called.
        tracks: a file or folder of its tracks, of any format, which is written as tracks.json.
        bounds: most pixels and frames, of what a stranger sent.

    Raises:
        InputError: it is no video, too large, or not that of the tracks.
    """
    place = Path(folder)
    if bounds is not None:
        check_upload(Path(source), shown, bounds["pixels"], bounds["frames"])
    file = None if tracks is None else _one_video(Path(tracks))
    path = Path(source) if source else video_of(Path(tracks or ""), file)
    part = None if file is None else _selection(file)
    rate = DEFAULT_FPS if file is None or part is None else (file.videos[0].fps or DEFAULT_FPS) * part.every
    opened = open_source(str(path), rate, part or Selection())
    found = media.looked_at(opened)
    if bounds is not None and (found.frames or 0) > bounds["frames"]:
        raise InputError(f"{shown}: {found.frames:,} frames; {bounds['frames']:,} are possible")
    length = 0
    if file is not None:
        _check_fits(file.videos[0], opened)
        length = file.videos[0].length
        write_tracks(place / "run-0" / "tracks.json", file.videos, file.categories, file.tracks, file.info)
    if found.copy != "needed":
        length = media.write_times(place / "times-source.bin", path, length, part, progress)
    return {
        "source": str(path),
        "name": shown if bounds is not None else opened.name if file is None else file.videos[0].name,
        "width": opened.width,
        "height": opened.height,
        "fps": opened.fps,
        "length": length,
        "copy": found.copy,
        "reason": found.reason,
        "selection": None if part is None else [part.start, part.end, part.every],
    }


def check_upload(path: Path, shown: str, pixels: int, frames: int) -> None:
    """Refuses what nobody should decode, before anything is decoded.

    Raises:
        InputError: it is no video of the usual formats, or larger than is allowed.
    """
    from chronomask.video.decoding import frame_rate, open_container, video_stream

    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    with closing(open_container(str(path), shown, options=options)) as container:
        stream = video_stream(container, shown)
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > pixels:
            raise InputError(f"{shown}: frames of {width}x{height}; {pixels:,} pixels are possible")
        length = stream.frames or (container.duration or 0) / 1e6 * frame_rate(stream)
        if length > frames:
            raise InputError(f"{shown}: {length:,.0f} frames; {frames:,} are possible")


def _one_video(path: Path) -> TracksFile:
    from chronomask.formats.convert import read  # here, for what looks at videos is to be there at once

    file = read(path)
    if len(file.videos) != 1:
        raise InputError(f"{path.name}: holds {len(file.videos)} videos; the page shows one")
    return file


def _selection(file: TracksFile) -> Selection:
    origin = file.info.get("source")
    origin = origin if isinstance(origin, Mapping) else {}
    return Selection(origin.get("start", 0.0), origin.get("end"), origin.get("every", 1))


def _check_fits(entry: VideoEntry, source: VideoSource) -> None:
    if (entry.width, entry.height) != (source.width, source.height):
        found, wanted = f"{source.width}x{source.height}", f"{entry.width}x{entry.height}"
        raise InputError(f"{source.name}: {found} pixels, the tracks are of a video of {wanted}")


def video_of(tracks: Path, file: TracksFile | None) -> Path:
    """The video that tracks are of: the frames that they name, or what is called as they call it, near them.

    Raises:
        InputError: none is there, or several.
    """
    assert file is not None, "without a video there are tracks"
    entry, near = file.videos[0], (tracks.parent, tracks.parent.parent)
    if entry.file_names:
        for root in (*near, *(folder / "JPEGImages" for folder in near)):
            if all((root / name).is_file() for name in entry.file_names[:2]):
                return (root / entry.file_names[0]).parent
    videos = {".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif"}
    found = {
        path.resolve(): path
        for folder in near
        for path in sorted(folder.iterdir(), key=lambda one: natural(one.name))
        if path.stem == entry.name and (path.suffix.lower() in videos or _holds_frames(path))
    }
    if len(found) != 1:
        seen = ", ".join(str(path) for path in found.values()) or f"none called {entry.name!r} lies near it"
        raise InputError(f"{tracks}: which video is it of? ({seen}); say --video VIDEO")
    return next(iter(found.values()))


def _holds_frames(path: Path) -> bool:
    return path.is_dir() and any(inner.suffix.lower() in IMAGE_SUFFIXES for inner in path.iterdir())


def copy(
    progress: Progress, source: str, folder: str, rate: float, selection: Sequence[Any] | None, length: int
) -> dict[str, Any]:
    """Makes a copy for the browser, copy.mp4, and its table of times."""
    place, part = Path(folder), Selection(*selection) if selection else Selection()
    opened = open_source(source, rate * part.every, part)
    count, width, height = media.write_copy(place / "copy.mp4", opened, progress)
    # A run that was interrupted speaks of its first frames.
    media.write_times(place / "times-copy.bin", place / "copy.mp4", length, None)
    return {"length": length or count, "width": width, "height": height}


def segment(
    progress: Progress, source: str, name: str, folder: str, model: str, score: float, times: str | None
) -> dict[str, Any]:
    """Finds the tracks of a video; goes on where an earlier process of the same settings was killed.

    Args:
        name: what the video is called.
        folder: for tracks.json.
        model: a bundled one, or a checkpoint file.
        score: tracks below it are left out; low, for the page can hide but not find.
        times: the table of times of the source, which is mended should it have other frames than were segmented; None
            where the browser plays a copy.

    Raises:
        InputError: as `segment_to_folder`.
    """
    from chronomask.runs.interruption import Interrupted
    from chronomask.runs.segment import segment_to_folder
    from chronomask.segmenter import load as loading

    opened, place = open_source(source), Path(folder)
    opened.name = name
    segmenter = loading.load(model, config=SegmentConfig(score=score))
    complete = True
    try:
        resume = (place / ".partial").exists()
        outputs = Outputs(overlay=False)
        segment_to_folder(segmenter, opened, place, outputs=outputs, resume=resume, progress=progress)
    except Interrupted:
        complete = False
    length = read_tracks(place / "tracks.json").videos[0].length
    if times is not None:
        media.write_times(Path(times), Path(source), length, None, progress)
    return {"complete": complete, "length": length, "damage": opened.damage}


def follow(
    progress: Progress,
    source: str,
    rate: float,
    selection: Sequence[Any] | None,
    name: str,
    folder: str,
    model: str,
    prompts: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Follows what a user points at through the video; gives the path of the tracks.

    Args:
        rate, selection: of the frames that are numbered; see `seat.Seat`.
        prompts: points and boxes, as the page has them.
    """
    from chronomask.runs.segment import segment_to_folder
    from chronomask.segmenter import load as loading
    from chronomask.web.seat import prompt_of

    part = Selection(*selection) if selection else Selection()
    opened, place = open_source(source, rate * part.every, part), Path(folder)
    opened.name = name
    said, outputs = [prompt_of(prompt) for prompt in prompts], Outputs(overlay=False)
    segment_to_folder(
        loading.load(model, config=SegmentConfig(score=0.0)),
        opened,
        place,
        outputs=outputs,
        prompts=said,
        overwrite=True,
        progress=progress,
    )
    return {"tracks": os.fspath(place / "tracks.json")}


def thumbs(progress: Progress, media_file: str, wanted: Sequence[Any], folder: str) -> dict[str, Any]:
    """Pictures of tracks; see `media.thumbnails`."""
    return {"made": media.thumbnails(Path(media_file), wanted, Path(folder), progress)}


def draw(progress: Progress, tracks: str, video: str, out: str, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Makes everything that `render` can of tracks, and lists it; folders as zip files.

    Args:
        choice: of outputs, as `outputs.choice.Outputs` has them.
    """
    from chronomask.runs.render import render

    place, outputs = Path(out), outputs_of(choice)
    made = render(Path(tracks), video, place, outputs, overwrite=True, progress=progress) if outputs.drawn else []
    files = [Path(tracks)]
    for path in made:
        files.append(path)
        if path.is_dir():
            files[-1] = path.with_suffix(".zip")
            _pack(path, files[-1])
            shutil.rmtree(path)
    return {"files": [{"name": path.name, "bytes": path.stat().st_size} for path in files]}


def outputs_of(choice: Mapping[str, Any]) -> Outputs:
    """The outputs that a browser asks for.

    Raises:
        InputError: the choice is none, or names a file of this machine.
    """
    known = {field.name for field in fields(Outputs)} - {"csv"}
    if odd := sorted(set(choice) - known):
        raise InputError(f"choice: {odd[0]!r} is none of {', '.join(sorted(known))}")
    with refusing("choice", "cannot be meant"):
        outputs = msgspec.convert(dict(choice), Outputs)
    if outputs.picture is not None:
        raise InputError("choice: background must be green or blur")
    return outputs


def _pack(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))


def score(progress: Progress, truth: str, tracks: str, video: str, folder: str) -> dict[str, Any]:
    """Scores tracks against what is true, with names and without, and writes a report.

    Args:
        truth: annotations in any format, of this video, or of several with one of its name.
    """
    from chronomask.evaluation.evaluate import evaluate
    from chronomask.evaluation.filmstrip import FRAMES
    from chronomask.formats.convert import read

    place, found = Path(folder), read_tracks(Path(tracks))
    part = _selection(found)
    true, found = _together(read(Path(truth)), found)
    with_frames = _some_frames(video, part, true, place / "frames", FRAMES, progress)
    for name, file in (("truth.json", true), ("found.json", found)):
        videos = with_frames if name == "truth.json" else file.videos
        write_tracks(place / name, videos, file.categories, file.tracks, {})
    paths = place / "truth.json", place / "found.json"
    named = evaluate(*paths, report=place / "report.html", frames=place / "frames", overwrite=True)
    anonymous = evaluate(*paths, class_agnostic=True)
    shutil.rmtree(place / "frames")
    return {"named": named.to_json(), "anonymous": anonymous.to_json()}


def _together(true: TracksFile, found: TracksFile) -> tuple[TracksFile, TracksFile]:
    """The true tracks of the video that tracks were found in, and these with the same ids of classes.

    Raises:
        InputError: there is no such video, or one of another length or size.
    """
    (entry,) = found.videos
    same = [video for video in true.videos if len(true.videos) == 1 or video.name == entry.name]
    if len(same) != 1:
        names = ", ".join(video.name for video in true.videos[:10])
        raise InputError(f"ground truth: no single video is called {entry.name!r}; there are {names or 'none'}")
    for what in ("width", "height", "length"):
        if getattr(same[0], what) != getattr(entry, what):
            values = f"{getattr(same[0], what)}, of the tracks {getattr(entry, what)}"
            raise InputError(f"ground truth: {what} of the video is {values}")
    ids = {plain(category.name): category.id for category in true.categories}
    names = {category.id: plain(category.name) for category in found.categories}
    spare = max(ids.values(), default=0) + 1
    # What has a name that is no class there can only be right where names do not count.
    unknown = replace(found.categories[0], id=spare, name="none of these") if found.categories else None
    categories = (*true.categories, *([unknown] if unknown else []))
    tracks = tuple(replace(track, category_id=ids.get(names[track.category_id], spare)) for track in found.tracks)
    kept = tuple(track for track in true.tracks if track.video_id == same[0].id)
    tracks = tuple(replace(track, video_id=same[0].id) for track in tracks)
    return (
        TracksFile(kept, (same[0],), categories),
        TracksFile(tracks, (replace(entry, id=same[0].id),), categories),
    )


def _some_frames(
    video: str, part: Selection, file: TracksFile, folder: Path, count: int, progress: Progress
) -> tuple[VideoEntry, ...]:
    """The video with names for its frames, those of a film strip being there."""
    (entry,) = file.videos
    wanted = set(np.linspace(0, entry.length - 1, count).round().astype(int).tolist())
    folder.mkdir(parents=True, exist_ok=True)
    for frame in progress(open_source(video, (entry.fps or DEFAULT_FPS) * part.every, part), "frames", entry.length):
        if frame.index in wanted:
            Image.fromarray(frame.image).save(folder / f"{frame.index}.jpg", quality=80)
        if frame.index >= entry.length:
            break
    return (replace(entry, file_names=tuple(f"{number}.jpg" for number in range(entry.length))),)


def teach(
    progress: Progress, tracks: str, video: str, folder: str, weights: str, steps: int | None = None
) -> dict[str, Any]:
    """Fine-tunes a model on corrected tracks; gives the path of the new checkpoint."""
    from chronomask.config import MachineConfig, fine_tune_recipe
    from chronomask.formats.conversion import convert
    from chronomask.training.run import fine_tune

    place = Path(folder)
    convert(tracks, place / "data", "dataset", video=[video], overwrite=True)
    config = fine_tune_recipe()
    config = config if steps is None else replace(config, steps=steps)
    watcher = _Steps(progress, config.steps)
    data = f"{place / 'data' / 'instances.json'},partial"
    ended = fine_tune(
        data, place / "run", weights, holdout=0, config=config, machine=MachineConfig(workers=0), monitors=[watcher]
    )
    return {"weights": os.fspath(ended.weights)}


class _Steps:
    """Tells how many steps of a training run are done."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self._steps = iter(progress(range(steps), "learning", steps))

    def on_step(self, report: Any) -> None:
        next(self._steps, None)

    def on_checkpoint(self, step: int, network: Any, out: Path) -> None:
        return None


TASKS = {
    "look": look,
    "copy": copy,
    "segment": segment,
    "follow": follow,
    "thumbs": thumbs,
    "draw": draw,
    "score": score,
    "teach": teach,
}
