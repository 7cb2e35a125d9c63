"""The command that shows what the network says of a frame: explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from chronomask.config import SegmentConfig
from chronomask.device import EngineChoice
from chronomask.terminal import begin, console


def explain(
    video: Annotated[Positional[str], tyro.conf.arg(metavar="SRC")],
    /,
    out: Path,
    time: str = "0",
    model: str = "lite",
    checkpoint: Path | None = None,
    device: str = "auto",
    engine: EngineChoice = "auto",
    fps: float = 25.0,
    overwrite: bool = False,
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(),  # noqa: B008  (frozen)
) -> None:
    """Show why objects of a frame were found, merged or missed: what the network says of it, as one picture.

    The tubes of the clip around the frame with their seeds, the heat of centres, the foreground, the embedding as
    colours (objects of one colour cannot be told apart), how sure it is, and where the attention of every level looks.

    Args:
        video: video file, folder of frames or pattern of images.
        out: picture to write, .png, .jpg or .webp.
        time: of the frame, in seconds (12.5) or as hh:mm:ss.
        model: a bundled model (lite), or a folder that `chronomask export` wrote.
        checkpoint: a checkpoint file instead.
        device: auto (a CUDA card where there is one), cpu, cuda, cuda:1, ...
        engine: what computes the network: openvino, torch, onnxruntime (which does not tell the attention), or auto.
        fps: frames a second of folders of frames.
        overwrite: replace the picture.
        config: the settings below.
    """
    begin("opening the source")

    from rich.table import Table

    from chronomask.prompts import seconds
    from chronomask.runs.explain import check_explanation, explain_to_file
    from chronomask.segmenter.load import load
    from chronomask.video import open_source

    moment, source = seconds("time", time), open_source(video, fps)
    check_explanation(source, moment, out, overwrite)
    segmenter = load(checkpoint or model, device, engine, config=config)
    explained = explain_to_file(segmenter, source, moment, out, overwrite)
    table = Table("instance", "seed in frame", "at x, y", "heat", "became", "score")
    for number, found in enumerate(explained.instances, 1):
        place = (str(found.frame), f"{found.x:.0f}, {found.y:.0f}", f"{found.heat:.2f}")
        table.add_row(str(number), *place, found.name or "nothing", f"{found.score:.2f}" if found.name else "")
    console().print(
        table if explained.instances else "no seed: nothing in this clip is hot enough (--cluster.seed-threshold)"
    )
    print(f"written: {out}")
