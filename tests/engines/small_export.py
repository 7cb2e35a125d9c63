"""Exports one small half of a network, which has sizes that stay free."""

from contextlib import ExitStack
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from chronomask.engines import export as room


class Pooled(nn.Module):
    def forward(self, x):
        return (nn.functional.avg_pool2d(x, 32),)


def exported(folder: Path) -> torch.export.ExportedProgram:
    count, h, w = Dim("N", min=1, max=9), Dim("h", min=1, max=9), Dim("w", min=1, max=9)
    free, frames = ({0: count, 2: 32 * h, 3: 32 * w},), (torch.ones(2, 3, 64, 96),)
    half = room._Half("encoder", Pooled(), ("frames",), ("pooled",), free, frames, frames)
    with ExitStack() as stack, torch.no_grad(), room._quiet():
        program = room._program(half)
        for write in (room._write_onnx, room._write_torch):
            write(program, half, folder, stack, None)
    return program
