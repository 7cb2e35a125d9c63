"""The command that writes a network for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.config import SegmentConfig
from chronomask.terminal import begin, console


def export(
    model: Annotated[Positional[str], tyro.conf.arg(metavar="MODEL")],
    out: Annotated[Positional[Path], tyro.conf.arg(metavar="OUT")],
    /,
    format: Literal["onnx", "torch", "both"] = "onnx",
    clip_length: int = SegmentConfig.clip_length,
    half: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a network as ONNX or torch.export programs, to be used without PyTorch or without this package.

    Writes encoder and decoder (.onnx, .pt2) and model.json, runs what was written, and prints how far its outputs lie
    from the network's own. `chronomask segment VIDEO --model OUT --out DIR` segments a video with it.

    Args:
        model: a bundled model (lite), or a checkpoint file.
        out: folder for the files; made if missing.
        format: onnx for OpenVINO, onnxruntime and others, torch for torch.export's .pt2, or both.
        clip_length: frames of a clip, which is built into the decoder.
        half: keep the weights of ONNX files in 16 bits: half the size; what is computed stays float32.
        overwrite: replace what was exported into the folder before, in the same format.
    """
    begin(f"exporting {model}")

    from rich.table import Table

    from chronomask.engines.export import export as run

    table = Table("file", "output", "largest difference", "of the largest value")
    for found in run(model, out, clip_length, format, half, overwrite):
        table.add_row(found.file, found.output, f"{found.largest:.1e}", f"{found.share:.1e}")
    console().print(table)
    print(f"written: {out}")
