"""What a process uses, what a network needs, and what this machine can do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # who measures memory does not want it
    import torch


def peak_memory() -> float:
    """Peak resident memory of this process in MiB. getrusage would count in what the parent had before the start."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**10


class Pace(NamedTuple):
    """How fast something was; processor time is what a busy machine disturbs least.

    Attributes:
        rate: frames a second.
        spent: processor milliseconds a frame.
    """

    rate: float
    spent: float


class Watch:
    """Measures a pace, from when it is made."""

    def __init__(self) -> None:
        self._begin = time.perf_counter(), time.process_time()

    def pace(self, frames: int) -> Pace:
        """Of so many frames until now."""
        seconds, spent = time.perf_counter() - self._begin[0], time.process_time() - self._begin[1]
        return Pace(frames / seconds, 1000 * spent / frames)


def operations(checkpoint: Path, size: tuple[int, int], length: int, step: int) -> float:
    """Of the network as it is trained, for one more frame of a stream: PyTorch's own count.

    Of convolutions and matrix products alone, a multiplication and an addition being two.

    Args:
        size: height and width of the frames.
        length: frames of a clip.
        step: how many of them are new.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from chronomask.model.checkpoint import load_network

    network = load_network(checkpoint)
    frames = torch.zeros((length, 3, *size), dtype=torch.uint8)
    with torch.inference_mode():
        features = network.encode(frames)
        with FlopCounterMode(display=False) as counter:
            network.encode(frames[:step])
            network.decode(features, 1, size)
    return counter.get_total_flops() / step


def matrix_rate(dtype: torch.dtype, most: int = 2048, times: int = 3) -> float:
    """Operations a second of a product of large matrices by PyTorch on one core, the best of some.

    The matrices have up to `most` rows; fewer where a product takes long, as that of bfloat16 does on processors that
    have to emulate it.
    """
    import torch

    shared, size = torch.get_num_threads(), 128
    torch.set_num_threads(1)  # with more of them a busy machine makes them wait for each other
    while size < most and _seconds(dtype, size, times) < 0.02:
        size *= 2
    rate = 2 * size**3 / _seconds(dtype, size, times)
    torch.set_num_threads(shared)
    return rate


def _seconds(dtype: torch.dtype, size: int, times: int) -> float:
    """Of one product of square matrices, the shortest; the first, which sets things up, is not counted."""
    import torch

    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(times + 1):
        begin = time.perf_counter()
        (a @ b)[0, 0].item()
        seconds.append(time.perf_counter() - begin)
    return min(seconds[1:])


def described(model: str, spent: float) -> str:
    """What the processor is and can do, and how much of that the network uses at so many processor ms a frame."""
    import torch

    from chronomask.config import SegmentConfig
    from chronomask.device import processor_features
    from chronomask.engines.models import model_files

    lines = [f"processor: {', '.join(processor_features())}"]
    try:
        from chronomask.engines.openvino import imported

        openvino = imported()

        lines.append(f"OpenVINO: {openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')}")
    except ImportError:
        lines.append("OpenVINO: not installed")
    rates = {name: matrix_rate(getattr(torch, name)) for name in ("float32", "bfloat16")}
    lines += [
        f"products of {name} matrices: {rate / 1e9:.0f} x 10^9 operations a second and core"
        for name, rate in rates.items()
    ]
    if (checkpoint := model_files(model).checkpoint) is not None:
        config = SegmentConfig()
        needed = operations(checkpoint, (config.short_side, config.long_side), config.clip_length, config.step)
        shares = ", ".join(f"{1000 * needed / spent / rate:.2f} of {name}'s" for name, rate in rates.items())
        lines.append(
            f"network at 256x448: {needed / 1e9:.2f} x 10^9 operations a frame; with the last column's, {shares} rate"
        )
    return "\n".join(lines)
