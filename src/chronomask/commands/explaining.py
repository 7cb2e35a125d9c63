"""The command that shows what the network says of a frame: explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from chronomask.commands.options import ModelOptions
from chronomask.config import SegmentConfig
from chronomask.terminal import begin, console


def explain(
    video: Annotated[Positional[str], tyro.conf.arg(metavar="SRC")],
    /,
    out: Path,
    time: str = "0",
    network: Annotated[ModelOptions, tyro.conf.arg(name="")] = ModelOptions(),  # noqa: B008  (frozen)
    fps: float = 25.0,
    overwrite: bool = False,
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(),  # noqa: B008
) -> None:
    """Show why objects of a frame were found, merged or missed: what the network says of it, as one picture.

    The tubes of the clip around the frame with their seeds, the heat of centres, the foreground, the embedding as
    colours (objects of one colour cannot be told apart), how sure it is, and where the attention of every level looks;
    onnxruntime does not tell the last.

    Args:
        video: video file, folder of frames or pattern of images.
        out: picture to write, .png, .jpg or .webp.
        time: which frame: its time in seconds (12.5), mm:ss or hh:mm:ss.
        network: the options below.
        fps: frames a second of folders of frames.
        overwrite: replace the picture.
        config: the settings below.
    """
    begin("opening the source")

    from rich.table import Table

    from chronomask.prompts import seconds
    from chronomask.runs.explain import check_explanation, explain_to_file
    from chronomask.video import open_source

    moment, source = seconds("time", time), open_source(video, fps)
    check_explanation(source, moment, out, overwrite)
    explained = explain_to_file(network.open(config), source, moment, out, overwrite)
    table = Table("instance", "seed in frame", "at x, y", "heat", "became", "score")
    for number, found in enumerate(explained.instances, 1):
        place = (str(found.frame), f"{found.x:.0f}, {found.y:.0f}", f"{found.heat:.2f}")
        table.add_row(str(number), *place, found.name or "nothing", f"{found.score:.2f}" if found.name else "")
    console().print(
        table if explained.instances else "no seed: nothing in this clip is hot enough (--cluster.seed-threshold)"
    )
    print(f"written: {out}")
