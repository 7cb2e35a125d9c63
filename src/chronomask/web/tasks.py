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

from chronomask.annotations.records import TracksFile
from chronomask.config import SegmentConfig
from chronomask.errors import InputError, refusing
from chronomask.files import natural
from chronomask.formats.footage import check_size, open_part, part_of
from chronomask.formats.ytvis import read_tracks, write_tracks
from chronomask.outputs.choice import Outputs
from chronomask.progress import Progress
from chronomask.prompts import prompt_of
from chronomask.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Selection, open_source
from chronomask.web import media
from chronomask.web.scoring import score

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
    part = None if file is None else part_of(file)
    opened = open_part(path, None if file is None else file.videos[0].fps, part or Selection())
    found = media.looked_at(opened)
    if bounds is not None and (found.frames or 0) > bounds["frames"]:
        raise InputError(f"{shown}: {found.frames:,} frames; {bounds['frames']:,} are possible")
    length = 0
    if file is not None:
        check_size(file.videos[0], opened)
        length = file.videos[0].length
        write_tracks(place / "run-0" / "tracks.json", file.videos, file.categories, file.tracks, file.info)
    if found.copy != "needed":
        length = media.write_times(place / "times-source.bin", path, length, part, progress)
    return {
        "source": str(path),
        "name": shown if bounds is not None else opened.name if file is None else file.videos[0].name,
        "width": opened.width,
        "height": opened.height,
        "pixel_aspect": float(opened.pixel_aspect),
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
    found = {
        path.resolve(): path
        for folder in near
        for path in sorted(folder.iterdir(), key=lambda one: natural(one.name))
        if path.stem == entry.name and (path.suffix.lower() in VIDEO_SUFFIXES or _holds_frames(path))
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
    place, opened = Path(folder), open_part(source, rate, Selection(*selection or ()))
    count, width, height = media.write_copy(place / "copy.mp4", opened, progress)
    # A run that was interrupted speaks of its first frames.
    media.write_times(place / "times-copy.bin", place / "copy.mp4", length, None)
    return {"length": length or count, "width": width, "height": height}


def segment(
    progress: Progress, source: str, name: str, folder: str, model: str, score: float, times: str | None, again: bool
) -> dict[str, Any]:
    """Finds the tracks of a video; goes on where an earlier process of the same settings was killed.

    Args:
        name: what the video is called.
        folder: for tracks.json.
        model: a bundled one, or a checkpoint file.
        score: tracks below it are left out; low, for the page can hide but not find.
        times: the table of times of the source, which is mended should it have other frames than were segmented; None
            where the browser plays a copy.
        again: whether there are earlier tracks, which what is found before an interruption is not to replace.

    Raises:
        InputError: as `segment_to_folder`.
        KeyboardInterrupt: it was interrupted, and nothing is kept.
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
        if again:
            shutil.rmtree(place)
            raise
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

    opened, place = open_part(source, rate, Selection(*selection or ())), Path(folder)
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


def draw(progress: Progress, tracks: str, video: str, folder: str, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Makes everything that `render` can of tracks, and lists it; folders as zip files.

    Args:
        choice: of outputs, as `outputs.choice.Outputs` has them.
    """
    from chronomask.runs.render import render

    place, outputs = Path(folder), outputs_of(choice)
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
