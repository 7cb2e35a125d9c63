"""From the name of a model to a Segmenter."""

from __future__ import annotations

from pathlib import Path

from chronomask.config import SegmentConfig
from chronomask.device import EngineChoice, Precision
from chronomask.engines.models import model_files
from chronomask.engines.opening import open_engine
from chronomask.errors import InputError
from chronomask.heap import return_large_blocks
from chronomask.segmenter.segmenter import Segmenter


def load(
    name_or_path: str | Path = "lite",
    device: str = "auto",
    engine: EngineChoice = "auto",
    precision: Precision = "auto",
    config: SegmentConfig | None = None,
) -> Segmenter:
    """Loads a model, ready to segment any number of videos.

    With glibc (Linux), blocks of memory beyond 8 MB go back to the system as soon as they are free, from then on and in
    all of the process: otherwise frames of 4K would leave it with some hundred megabytes that nobody uses.

    Examples:
        >>> segmenter = chronomask.load("lite")
        >>> len(segmenter.categories)
        86

    Args:
        name_or_path: "lite", a folder that `chronomask export` wrote, or a checkpoint file of this project.
        device: "auto", "cpu", "cuda", "cuda:1", ...
        engine: what computes the network: "openvino", "onnxruntime" or "torch". "auto" takes PyTorch if there is a CUDA
            card, and OpenVINO otherwise.
        precision: "float32", "bfloat16", or "auto": bfloat16 if this processor is faster with it. The edges of masks
            differ by a few pixels between the two. tracks.json says which was used.
        config: how videos are segmented. The defaults suit the bundled model.

    Raises:
        InputError: there is no such model, device or engine, or it cannot do what you ask for.
    """
    return_large_blocks()
    config = config or SegmentConfig()
    if not isinstance(config, SegmentConfig):
        raise InputError(f"config: must be a chronomask.SegmentConfig, not {type(config).__name__}")
    chosen = open_engine(
        model_files(name_or_path), config.clip_length, device=device, engine=engine, precision=precision
    )
    return Segmenter(chosen, config)
