"""Commands that run the network on videos: segment, predict."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import Positional

from chronomask.commands.progress import progress_bar
from chronomask.config import SegmentConfig
from chronomask.errors import InputError

if TYPE_CHECKING:
    from chronomask.inference.job import TrackRow


def segment(
    sources: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="SRC...")],
    /,
    out: Path,
    model: str = "lite",
    checkpoint: Path | None = None,
    device: str = "auto",
    classes: str = "",
    fps: float = 25.0,
    overlay: bool = True,
    overwrite: bool = False,
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(),  # noqa: B008  (frozen)
) -> None:
    """Find, name, cut out and follow every object of a video.

    Writes overlay.mp4 (the video with its tracks drawn in), tracks.json (YouTube-VIS annotations with scores) and
    results.json (a YouTube-VIS submission), and prints a table of the tracks.

    Args:
        sources: video files, folders of frames, or patterns of images. With one, the files lie in --out; with several,
            in a folder of its own for each.
        out: folder for the results; made if missing.
        model: a bundled model.
        checkpoint: a checkpoint file instead of a bundled model.
        device: auto (a CUDA card where there is one), cpu, cuda, cuda:1, ...
        classes: only tracks of these classes, names joined by commas, such as "person,dog"; all by default.
        fps: frames a second of folders of frames.
        overlay: whether to write overlay.mp4.
        overwrite: replace the results of an earlier run.
        config: the settings below.
    """
    from chronomask.inference.job import check_output, segment_to_folder
    from chronomask.inference.load import bundled_weights, load
    from chronomask.video import open_source

    if not sources:
        raise InputError("no source: name at least one video file, folder of frames or pattern")
    opened = [open_source(source, fps) for source in sources]
    folders = [out] if len(opened) == 1 else [out / source.name for source in opened]
    if len(set(folders)) < len(folders):
        raise InputError("two sources have the same name, and so would have the same folder of results")
    for folder in folders:
        check_output(folder, overwrite)
    path = checkpoint or bundled_weights(model)
    segmenter = load(path, device, config)
    wanted = tuple(name.strip() for name in classes.split(",") if name.strip())
    for source, folder in zip(opened, folders, strict=True):
        rows = segment_to_folder(
            segmenter,
            source,
            folder,
            checkpoint=path,
            classes=wanted,
            overlay=overlay,
            overwrite=overwrite,
            progress=progress_bar,
        )
        if source.damage:
            print(f"chronomask: warning: {source.name}: {source.damage}", file=sys.stderr)
        _print_tracks(rows, folder, overlay)


def _print_tracks(rows: list[TrackRow], folder: Path, overlay: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "class", "score", "first", "last", "mean area")
    for row in rows:
        table.add_row(str(row.id), row.name, f"{row.score:.2f}", str(row.first), str(row.last), f"{row.area:,.0f} px")
    console = Console()
    console.print(table if rows else "no tracks above the score threshold (--score)")
    print(f"results: {folder / 'tracks.json'}, {folder / 'results.json'}")
    if overlay:
        print(f"overlay: {folder / 'overlay.mp4'}")


def predict(
    instances: Annotated[Positional[Path], tyro.conf.arg(metavar="INSTANCES.json")],
    /,
    frames: Path,
    out: Path,
    model: str = "lite",
    checkpoint: Path | None = None,
    device: str = "auto",
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(score=0.0, max_tracks=100),  # noqa: B008
) -> None:
    """Segment every video of a data set, for evaluation.

    Finished videos are kept: a killed run continues when the same command is given again. Low-scored tracks are kept,
    because average precision wants them.

    Args:
        instances: YouTube-VIS-form file that lists the videos and categories (annotations in it are not looked at).
        frames: folder that the file names of the frames are relative to.
        out: file for the tracks; the plain submission list goes to results.json beside it.
        model: a bundled model.
        checkpoint: a checkpoint file instead of a bundled model.
        device: auto (a CUDA card where there is one), cpu, cuda, cuda:1, ...
        config: the settings below.
    """
    from chronomask.inference.load import bundled_weights, load
    from chronomask.inference.predict import predict as run

    path = checkpoint or bundled_weights(model)
    found = run(load(path, device, config), instances, frames, out, checkpoint=path, progress=progress_bar)
    print(f"{found} tracks: {out}, {out.with_name('results.json')}")
