"""Commands that run the network on videos: segment, predict."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import Positional

from chronomask.commands.naming import default_out, listed
from chronomask.commands.options import ModelOptions, PartOptions, PointOptions
from chronomask.commands.progress import live_line, progress_bar
from chronomask.config import EVERYTHING, SegmentConfig
from chronomask.errors import InputError
from chronomask.outputs.choice import Outputs
from chronomask.prompts import check_prompts
from chronomask.terminal import begin, console, note, tell

if TYPE_CHECKING:
    from chronomask.runs.segment import Summary
    from chronomask.segmenter.segmenter import Segmenter
    from chronomask.video import VideoSource


def segment(
    sources: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="SRC...")],
    /,
    out: Path | None = None,
    network: Annotated[ModelOptions, tyro.conf.arg(name="")] = ModelOptions(),  # noqa: B008  (frozen)
    classes: str = "",
    part: Annotated[PartOptions, tyro.conf.arg(name="")] = PartOptions(),  # noqa: B008
    pointed: Annotated[PointOptions, tyro.conf.arg(name="")] = PointOptions(),  # noqa: B008
    overwrite: bool = False,
    resume: bool = False,
    live: bool = False,
    outputs: Annotated[Outputs, tyro.conf.arg(name="")] = Outputs(),  # noqa: B008
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(),  # noqa: B008
) -> int:
    """Find, name, cut out and follow every object of a video.

    Writes tracks.json (YouTube-VIS annotations with scores), results.json (a YouTube-VIS submission), overlay.mp4 (the
    video with its tracks drawn in) and what else is asked for, and prints a table of the tracks.

    Ctrl-C ends a file early: the tracks of the frames so far are written, and --resume goes on. A camera or stream has
    no other end: there everything is written, with the frames themselves as recording.mp4.

    Args:
        sources: video files, folders of frames, patterns of images, cameras (0, 1, ... or camera:NAME) or addresses
            (rtsp://..., http://..., udp://...). With one, the files lie in --out; with several, in a folder of its own
            for each. One that cannot be read does not stop the others; the exit code is then 2.
        out: folder for the results; made if missing. Other files in it are left alone. By default one in the current
            folder, named after the video.
        network: the options below.
        classes: only tracks of these classes, names joined by commas, such as "person,dog"; all by default. Every track
            gets the likeliest of these names; where none is likely enough it is left out. The class score is the
            probability among these names, so it is higher than among all.
        part: the options below.
        pointed: the options below.
        overwrite: replace the results of an earlier run, finished or not; only those that are written again.
        resume: go on with an interrupted run of the same source and settings; its results are those of a run in one
            piece. What is complete already is left as it is.
        live: follow several cameras or streams at once, with one engine. Each gets an equal share, and the newest of
            its frames; the lines say how far each is behind.
        outputs: what is written, below.
        config: the settings below.
    """
    begin("opening the source" if len(sources) == 1 else f"opening {len(sources)} sources")

    prompts, failures = pointed.prompts(len(sources)), _Failures(len(sources) > 1)
    opened = _opened(sources, part, failures)
    _check_live(opened, live)
    for source in opened if prompts else ():
        check_prompts(prompts, source)
    folders = _folders(opened, out, len(sources))
    _check_outputs(opened, folders, network.checkpoint, outputs, overwrite, resume)
    if not opened:
        return 2
    for source in opened:
        _print_source(source)  # at once, for the first clip takes its time
    segmenter = network.open(config)
    wanted = {"classes": listed(classes), "outputs": outputs, "overwrite": overwrite}
    if live:
        return _follow(segmenter, opened, folders, wanted, failures)
    for source, folder in zip(opened, folders, strict=True):
        with failures.told(), _interruption_told(folder, source.live):
            _segment(segmenter, source, folder, {**wanted, "prompts": prompts, "resume": resume}, failures)
    return 2 if failures.any else 0


def _folders(sources: Sequence[VideoSource], out: Path | None, named: int) -> list[Path]:
    """Where the results of each source belong; `named` is how many were asked for."""
    if out is None:
        folders = [default_out(source.name, source.files, "-tracks") for source in sources]
    else:
        folders = [out / source.name if named > 1 else out for source in sources]
    if shared := next((folder for folder in folders if folders.count(folder) > 1), None):
        raise InputError(f"{shared}: would hold the results of two sources of that name; segment them in two calls")
    return folders


def _check_outputs(
    sources: Sequence[VideoSource],
    folders: Sequence[Path],
    checkpoint: Path | None,
    outputs: Outputs,
    overwrite: bool,
    resume: bool,
) -> None:
    """Raises InputError unless all results may be written; no source may be among those of another."""
    from chronomask.runs.segment import check_output

    reads = [file for source in sources for file in source.files] + ([checkpoint] if checkpoint else [])
    for source, folder in zip(sources, folders, strict=True):
        check_output(folder, outputs, source, reads, overwrite, resume)


def _segment(
    segmenter: Segmenter, source: VideoSource, folder: Path, wanted: Mapping[str, Any], failures: _Failures
) -> None:
    """One source; `wanted` are arguments of `segment_to_folder`."""
    from chronomask.outputs.later import render_command
    from chronomask.runs.live import Live
    from chronomask.runs.segment import segment_to_folder

    progress = live_line(source) if isinstance(source, Live) else progress_bar
    summary = segment_to_folder(segmenter, source, folder, progress=progress, **wanted)
    _print_summary(summary, source)
    if summary.missing is not None:
        failures.any = True
        found = ",".join(str(row.id) for row in summary.tracks)
        command = found and render_command(folder, source, replace(wanted["outputs"], cutout_tracks=found))
        others = f"; to cut out what was found: {command}" if command else ""
        tell(f"{summary.missing}; the rest is written{others}")


def _check_live(sources: Sequence[VideoSource], live: bool) -> None:
    waiting = [source.name for source in sources if not source.live]
    if live and waiting:
        raise InputError(f"live: {waiting[0]} is a file; --live is for cameras and streams alone")
    if not live and len(sources) - len(waiting) > 1:
        raise InputError("several cameras or streams: follow all of them at once by --live")


def _follow(
    segmenter: Segmenter,
    sources: Sequence[VideoSource],
    folders: Sequence[Path],
    wanted: Mapping[str, Any],
    failures: _Failures,
) -> int:
    """Segments live sources side by side; `wanted` are arguments of `follow`."""
    from chronomask.commands.progress import live_lines
    from chronomask.fleet.cameras import follow
    from chronomask.runs.live import Live

    lives = [source for source in sources if isinstance(source, Live)]
    with live_lines() as line_of:
        ended = list(follow(segmenter, lives, folders, progress=line_of, **wanted))
    # Faults of ours come last, for they end the command.
    for source, found in sorted(ended, key=lambda one: _is_ours(one[1])):
        with failures.told():
            if isinstance(found, Exception):
                raise found
            print(f"{source.name}:")
            _print_summary(found, source)
    return 2 if failures.any else 0


def _is_ours(found: Summary | Exception) -> bool:
    return isinstance(found, Exception) and not isinstance(found, InputError)


class _Failures:
    """Of several sources, one that cannot be used must not stop the others: its error is printed, and remembered."""

    def __init__(self, several: bool) -> None:
        self.any = False
        self._several = several

    @contextmanager
    def told(self) -> Generator[None, None, None]:
        try:
            yield
        except InputError as error:
            if not self._several:
                raise
            self.any = True
            tell(error)


def _opened(sources: tuple[str, ...], part: PartOptions, failures: _Failures) -> list[VideoSource]:
    from chronomask.runs.live import Live
    from chronomask.video import open_source

    if not sources:
        raise InputError("no source: name at least one video file, folder of frames, pattern, camera or address")
    selection = part.selection()
    opened: list[VideoSource] = []
    for text in sources:
        with failures.told():
            source = open_source(text, part.fps, selection)
            opened.append(Live(source) if source.live else source)
    return opened


@contextmanager
def _interruption_told(folder: Path, live: bool) -> Generator[None, None, None]:
    from chronomask.runs.interruption import Interrupted

    try:
        yield
    except Interrupted as interrupted:
        kept = f"the tracks of the first {interrupted.frames} frames are in {folder / 'tracks.json'}"
        rest = "" if live else "; the same command with --resume goes on"
        tell(f"{kept}{rest}")
        raise


def _print_source(source: VideoSource) -> None:
    length = "" if source.length is None else f", {source.length:,} frames"
    about = f"{source.width}x{source.height}, {source.fps:.4g} frames a second{length}"
    tell(f"{source.name}: {about}")


def _print_summary(summary: Summary, source: VideoSource) -> None:
    from rich.table import Table

    if source.damage:
        tell(f"{source.damage}; {summary.frames} frames were segmented", "warning")
    table = Table("id", "class", "class score", "score", "first", "last", "mean area")
    for row in summary.tracks:
        named = "" if row.class_score is None else f"{row.class_score:.2f}"
        seen = (str(row.first), str(row.last), f"{row.area:,.0f} px")
        table.add_row(str(row.id), row.name, named, f"{row.score:.2f}", *seen)
    console().print(table if summary.tracks else "no tracks of the wanted score (--score) and class (--classes)")
    for path in summary.paths:
        print(f"written: {path}")
    note(*summary.unclear)


def predict(
    instances: Annotated[Positional[Path], tyro.conf.arg(metavar="INSTANCES.json")],
    /,
    frames: Path,
    out: Path,
    network: Annotated[ModelOptions, tyro.conf.arg(name="")] = ModelOptions(),  # noqa: B008  (frozen)
    overwrite: bool = False,
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = EVERYTHING,
) -> None:
    """Segment every video of a data set, for evaluation.

    Finished videos are kept: a killed run continues when the same command is given again. Low-scored tracks are kept,
    because average precision wants them.

    Args:
        instances: YouTube-VIS-form file that lists the videos and categories (annotations in it are not looked at).
        frames: folder that the file names of the frames are relative to.
        out: file for the tracks; the plain submission list goes to results.json beside it.
        network: the options below.
        overwrite: replace files that are there, and what an interrupted run with other settings has done.
        config: the settings below.
    """
    begin(f"reading {instances}")

    from chronomask.runs.predict import check_output
    from chronomask.runs.predict import predict as run

    check_output(out, [instances, *([network.checkpoint] if network.checkpoint else [])], frames, overwrite)
    segmenter = network.open(config)
    found = run(segmenter, instances, frames, out, overwrite=overwrite, progress=progress_bar)
    print(f"{found} tracks: {out}, {out.with_name('results.json')}")
