"""The command that draws tracks: render."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from chronomask.commands.naming import default_out, listed
from chronomask.commands.progress import progress_bar
from chronomask.outputs.choice import Outputs
from chronomask.terminal import begin


def render(
    tracks: Annotated[Positional[Path], tyro.conf.arg(metavar="TRACKS")],
    /,
    video: str,
    out: Path | None = None,
    classes: str = "",
    overwrite: bool = False,
    outputs: Annotated[Outputs, tyro.conf.arg(name="")] = Outputs(),  # noqa: B008  (frozen)
) -> None:
    """Draw tracks, such as corrected ones, into their video, without the network.

    Writes what segment writes of a video beside the tracks themselves: overlay.mp4, mask images, cutouts, the objects
    before another background, and tracks.csv.

    Args:
        tracks: a tracks.json, or tracks in another format that convert reads; of one video.
        video: the video or folder of frames that the tracks are of.
        out: folder for the results; by default one in the current folder, named after the video with "-drawn".
        classes: only tracks of these classes, names joined by commas; all by default.
        overwrite: replace what is there already.
        outputs: what is drawn, below.
    """
    begin(f"reading {tracks}")

    from chronomask.runs.render import render as run

    path = Path(video)
    name = f"{path.stem if path.is_file() else path.name}-drawn"
    folder = default_out(name, [path], "-new") if out is None else out
    paths = run(tracks, video, folder, outputs, classes=listed(classes), overwrite=overwrite, progress=progress_bar)
    for path in paths:
        print(f"written: {path}")
