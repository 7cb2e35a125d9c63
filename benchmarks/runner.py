"""The exported network in onnxruntime against PyTorch: frames a second, in float32 and in int8.

    python benchmarks/runner.py [CHECKPOINT] [VIDEO] [--rounds 3] [--json FILE]

CHECKPOINT is a bundled model or a checkpoint file, "lite" by default; without a VIDEO it is the sample of the demo.
Rates are those of the network alone, on clips of a stream that is under way (8 frames, 4 new ones), medians of rounds
in which the ways take turns. int8 is onnxruntime's static quantisation of convolutions and matrix products (a scale for
every channel of the weights; ranges of activations from clips of the same video, which flatters it). How much of the
float32 tracks is left is the IoU of each with its best int8 track.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from rich.console import Console
from rich.table import Table
from segment import ROOT, network_rate

from chronomask.annotations.masks import Masks
from chronomask.config import SegmentConfig
from chronomask.evaluation.overlap import track_iou
from chronomask.export import export
from chronomask.formats.spool import Spool
from chronomask.inference.load import checkpoint_file, load
from chronomask.runner import Runner
from chronomask.runner.description import FILE, read_description
from chronomask.runner.network import DECODER, ENCODER, ExportedNetwork
from chronomask.runner.shrink import shrunk
from chronomask.video import open_source


class Inputs(CalibrationDataReader):
    """What a half of the network is calibrated on."""

    def __init__(self, inputs: Iterator[dict[str, np.ndarray]]) -> None:
        self._inputs = inputs

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._inputs, None)


def quantise(folder: Path, images: list[np.ndarray], out: Path) -> None:
    """Writes the int8 form of an exported network into a folder."""
    out.mkdir()
    (out / FILE).write_text((folder / FILE).read_text())
    network, config = _opened(folder)
    frames = np.stack([shrunk(image, config) for image in images[:: max(1, len(images) // 24)]])
    height, width = frames.shape[2:]
    padded = np.pad(frames, ((0, 0), (0, 0), (0, -height % 32), (0, -width % 32)))
    names = [entry.name for entry in onnxruntime.InferenceSession(folder / DECODER).get_inputs()]
    starts = range(0, len(frames) - config.clip_length + 1, config.clip_length)
    clips = (network.encode(frames[start : start + config.clip_length]) for start in starts)
    inputs = {
        ENCODER: ({"frames": padded[k : k + 1]} for k in range(len(padded))),
        DECODER: (dict(zip(names, features, strict=True)) for features in clips),
    }
    for name, reader in inputs.items():
        prepared = out / f"prepared-{name}"
        quant_pre_process(folder / name, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            out / name,
            Inputs(reader),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        )


def exported_rate(folder: Path, images: list[np.ndarray], clips: int) -> float:
    """As `network_rate` of benchmarks/segment.py."""
    network, config = _opened(folder)
    frames = np.stack([shrunk(images[number % len(images)], config) for number in range(config.clip_length)])
    features = network.encode(frames)
    for clip in range(clips + 2):
        if clip == 2:
            begin = time.perf_counter()
        fresh = network.encode(frames[: config.step])
        features = [np.concatenate([old[config.step :], new]) for old, new in zip(features, fresh, strict=True)]
        network.decode(features, (frames.shape[2], frames.shape[3]))
    return clips * config.step / (time.perf_counter() - begin)


def tracks(folder: Path, images: list[np.ndarray]) -> list[Masks]:
    """Masks of the tracks above the default score."""
    runner = Runner(folder)
    with Spool() as spool:
        for result in runner.segment(images):
            spool.add(result)
        present = set(spool.track_ids())
        good = [track.id for track in runner.tracks if track.score >= SegmentConfig().score and track.id in present]
        return [Masks.of(spool.segmentations(number), *images[0].shape[:2]) for number in good]


def _opened(folder: Path) -> tuple[ExportedNetwork, SegmentConfig]:
    description = read_description(folder)
    return ExportedNetwork(folder, description, ["CPUExecutionProvider"]), description.settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?", default="lite")
    parser.add_argument("video", nargs="?", default=str(ROOT / "examples" / "sample.mp4"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=14, help="timed in a round")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    path = checkpoint_file(options.checkpoint)
    images = [frame.image for frame in islice(open_source(options.video), 56)]
    if len(images) < SegmentConfig().clip_length:
        parser.error(f"{options.video}: has {len(images)} frames, a clip {SegmentConfig().clip_length}")
    segmenter = load(path, "cpu")
    with TemporaryDirectory() as place:
        float32, int8 = Path(place) / "float32", Path(place) / "int8"
        export(path, float32, SegmentConfig(), "onnx")
        quantise(float32, images, int8)
        ways: dict[str, Callable[[], float]] = {
            "PyTorch float32": lambda: network_rate(segmenter, images, options.clips),
            "onnxruntime float32": lambda: exported_rate(float32, images, options.clips),
            "onnxruntime int8": lambda: exported_rate(int8, images, options.clips),
        }
        rates = [{name: rate() for name, rate in ways.items()} for _ in range(options.rounds)]
        best = track_iou(tracks(float32, images), tracks(int8, images)).max(1, initial=0.0)
    medians = {name: float(np.median([found[name] for found in rates])) for name in ways}
    table = Table("network alone", "frames/s", "of PyTorch")
    for name, rate in medians.items():
        table.add_row(name, f"{rate:.1f}", f"{rate / medians['PyTorch float32']:.2f}")
    Console().print(table)
    print("IoU of the float32 tracks with their int8 ones:", ", ".join(f"{iou:.3f}" for iou in best))
    print(f"{torch.get_num_threads()} threads; onnxruntime {onnxruntime.__version__}, PyTorch {torch.__version__}")
    if options.json:
        content = {"frames/s": medians, "rounds": rates, "int8 IoU": best.tolist()}
        options.json.write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
