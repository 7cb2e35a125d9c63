"""The command that writes a network for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.config import SegmentConfig
from chronomask.errors import InputError


def export(
    model: Annotated[Positional[str], tyro.conf.arg(metavar="MODEL")],
    out: Annotated[Positional[Path], tyro.conf.arg(metavar="OUT")],
    /,
    format: Literal["onnx", "torch", "both"] = "onnx",
    overwrite: bool = False,
    config: Annotated[SegmentConfig, tyro.conf.arg(name="")] = SegmentConfig(),  # noqa: B008  (frozen)
) -> None:
    """Write a network as ONNX or torch.export programs, to be used without PyTorch or without this package.

    Writes encoder and decoder (.onnx, .pt2) and model.json, runs what was written, and prints how far its outputs lie
    from the network's own. `python -m chronomask.runner OUT VIDEO --out DIR` segments a video with it.

    Args:
        model: a bundled model (lite), or a checkpoint file.
        out: folder for the files; made if missing.
        format: onnx for onnxruntime and others (the runner needs it), torch for torch.export's .pt2, or both.
        overwrite: replace what was exported into the folder before.
        config: the settings below are kept with the network; --clip-length is built into it.
    """
    from rich.console import Console
    from rich.table import Table

    from chronomask.export import export as run
    from chronomask.inference.load import checkpoint_file
    from chronomask.runner.description import FILE

    path = checkpoint_file(model)
    if (out / FILE).exists() and not overwrite:
        raise InputError(f"{out}: holds an exported network already; name another folder, or say --overwrite")
    table = Table("file", "output", "largest difference", "of the largest value")
    for found in run(path, out, config, format):
        table.add_row(found.file, found.output, f"{found.largest:.1e}", f"{found.share:.1e}")
    Console().print(table)
    print(f"written: {out}")
