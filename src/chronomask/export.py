"""A network as ONNX and as torch.export programs, for use without this package's model code.

It is cut in two, so that every frame passes the backbone once however clips overlap: an encoder of frames, and a
decoder of clips that reads what the encoder gave.

Legend: N frames, T frames of a clip, H W pixels, h w = H/4 W/4, C channels, E embedding dimensions, L classes.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from chronomask import __version__
from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.model.checkpoint import load_network
from chronomask.model.folding import fold_batch_norm
from chronomask.model.network import FrameFeatures, Network
from chronomask.runner.description import FILE, STRIDE, Description

Format = Literal["onnx", "torch", "both"]

OPSET = 18
LEVELS = ("stride_4", "stride_8", "stride_16", "stride_32")
FRAME_CLASSES = "frame_class_logits"

TOLERANCE = 1e-3
"""Largest difference of an output from the network's own that passes the check, as a share of its largest value."""

_TRACED, _CHECKED = (64, 96), (96, 64)
"""Height and width of the example that is traced; and of another, by which what was written is checked."""


class Encoder(nn.Module):
    """Frames (N 3 H W, uint8 RGB, H and W multiples of 32) to pyramid levels, and class scores where they come so."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        features = self.network.encode(frames)
        return (*features.levels, *(() if features.class_logits is None else (features.class_logits,)))


class ClipDecoder(nn.Module):
    """The encoder's outputs for the T frames of one clip to the pixel outputs `names`.

    The embedding holds offsets only, to which whoever runs the decoder adds the coordinates: these depend on the size
    of the frame before it was padded.
    """

    def __init__(self, network: Network, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *features: Tensor) -> tuple[Tensor, ...]:
        levels, scores = list(features[: len(LEVELS)]), features[len(LEVELS) :]
        size = (levels[0].shape[2] * STRIDE, levels[0].shape[3] * STRIDE)
        outputs = self.network.decode(FrameFeatures(levels, scores[0] if scores else None), 1, size)
        # A copy, for an output that is a view of an input may not be exported.
        return tuple(getattr(outputs, name)[0].clone() for name in self.names)


@dataclass(frozen=True)
class Difference:
    """How far an output of a written file lies from that of the network.

    Attributes:
        file: name of the file.
        output: name of the output.
        largest: absolute difference.
        share: of the largest absolute value of the output.
    """

    file: str
    output: str
    largest: float
    share: float


@dataclass(frozen=True, eq=False)
class _Half:
    """One half of a network: its name, inputs and outputs; sizes that stay free; what it is traced and checked with."""

    name: str
    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    free: tuple[Any, ...]
    traced: tuple[Tensor, ...]
    checked: tuple[Tensor, ...]


def export(checkpoint: Path, out: Path, settings: SegmentConfig, form: Format) -> list[Difference]:
    """Writes the network of a checkpoint into a folder: encoder.*, decoder.* and model.json.

    Before a file gets its name it is run on frames of another size than it was traced with, and compared.

    Args:
        settings: kept in model.json; the clip length is built into the decoder.
        form: "onnx" (.onnx), "torch" (.pt2) or "both".

    Returns:
        The differences found, one for every output of every file.

    Raises:
        InputError: the checkpoint cannot be used, packages for ONNX are missing, or the folder cannot be written.
        RuntimeError: a written file computes something else than the network.
    """
    needed = ("onnx", "onnxscript", "onnxruntime")
    if form != "torch" and (missing := [name for name in needed if find_spec(name) is None]):
        raise InputError(f"ONNX needs the package {missing[0]}: pip install 'chronomask[export]', or --format torch")
    network = _prepared(load_network(checkpoint))
    writers = {"onnx": [_write_onnx], "torch": [_write_torch], "both": [_write_onnx, _write_torch]}[form]
    differences = []
    with ExitStack() as stack, torch.no_grad(), _quiet():
        # Entered first and so renamed last: it is what says that the folder is complete.
        aside = stack.enter_context(written_aside(out / FILE))
        aside.write_text(_description(checkpoint, network, settings).to_json() + "\n")
        for half in _halves(network, settings.clip_length):
            program = torch.export.export(half.module, half.traced, dynamic_shapes=half.free)
            expected = half.module(*half.checked)
            for write in writers:
                file, found = write(program, half, out, stack)
                differences += _differences(file, half, expected, found)
    _remove_others(out, {difference.file for difference in differences})
    return differences


def _prepared(network: Network) -> Network:
    network = fold_batch_norm(network).requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = False  # in place they make tracing take three times as long
    network.coordinates = lambda like, size: like.new_zeros(())  # the true size does not reach the decoder
    return network


def _remove_others(out: Path, written: Collection[str]) -> None:
    """Takes away what an earlier export in another form left in the folder: it may be of other weights."""
    stems = {Path(name).stem for name in written}
    for path in (out / f"{stem}{ending}" for stem in stems for ending in (".onnx", ".pt2")):
        if path.name not in written:
            path.unlink(missing_ok=True)


def _halves(network: Network, length: int) -> tuple[_Half, _Half]:
    config = network.config
    features = (*LEVELS, FRAME_CLASSES) if config.class_source == "backbone" else LEVELS
    outputs = (
        "embedding",
        "log_variance",
        "heat",
        "class_logits",
        *(["foreground_logits"] if config.foreground else []),
    )
    encoder, decoder = Encoder(network).eval(), ClipDecoder(network, outputs).eval()
    # Two frames at least, for the tracer takes a size of one to stay one; and for the check another number.
    traced, checked = (_frames(max(2, length) + more, *size) for more, size in ((0, _TRACED), (1, _CHECKED)))
    count, h, w = Dim("N", min=1, max=4096), Dim("h", min=1, max=1024), Dim("w", min=1, max=1024)
    per_cell = (8, 4, 2, 1, 2)[: len(features)]  # of stride 32; class scores have the stride 16
    return (
        _Half("encoder", encoder, ("frames",), features, ({0: count, 2: 32 * h, 3: 32 * w},), (traced,), (checked,)),
        _Half(
            "decoder",
            decoder,
            features,
            outputs,
            (tuple({2: n * h, 3: n * w} for n in per_cell),),
            tuple(x[:length] for x in encoder(traced)),
            tuple(x[:length] for x in encoder(checked)),
        ),
    )


def _frames(count: int, height: int, width: int) -> Tensor:
    noise = np.random.default_rng(0).integers(0, 256, (count, 3, height, width), dtype=np.uint8)
    return torch.from_numpy(noise)


def _write_onnx(program: ExportedProgram, half: _Half, out: Path, stack: ExitStack) -> tuple[str, list[np.ndarray]]:
    """Writes a half; gives the name of the file and its outputs for `half.checked`."""
    import onnxruntime

    path = out / f"{half.name}.onnx"
    aside = stack.enter_context(written_aside(path))
    model = torch.onnx.export(
        program,
        dynamo=True,
        input_names=half.inputs,
        output_names=half.outputs,
        opset_version=OPSET,
        verbose=False,
    )
    assert model is not None, "with dynamo a program comes back"
    model.save(aside, external_data=False)
    session = onnxruntime.InferenceSession(aside, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: x.numpy() for name, x in zip(half.inputs, half.checked, strict=True)})
    return path.name, [np.asarray(x) for x in found]


def _write_torch(program: ExportedProgram, half: _Half, out: Path, stack: ExitStack) -> tuple[str, list[np.ndarray]]:
    """As `_write_onnx`."""
    path = out / f"{half.name}.pt2"
    aside = stack.enter_context(written_aside(path))
    torch.export.save(program, aside)
    return path.name, [x.numpy() for x in torch.export.load(aside).module()(*half.checked)]


def _differences(file: str, half: _Half, expected: tuple[Tensor, ...], found: list[np.ndarray]) -> list[Difference]:
    differences = []
    for name, mine, theirs in zip(half.outputs, expected, found, strict=True):
        largest = float(np.abs(mine.numpy() - theirs).max())
        differences.append(Difference(file, name, largest, largest / max(1e-6, float(mine.abs().max()))))
        if not differences[-1].share <= TOLERANCE:
            raise RuntimeError(f"{file}: {name} differs by {largest:.2g} from what the network computes")
    return differences


def _description(checkpoint: Path, network: Network, settings: SegmentConfig) -> Description:
    config = network.config
    return Description(
        version=__version__,
        checkpoint_sha256=hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        categories=config.categories,
        embedding=config.embedding,
        class_stride=16 if config.class_source == "backbone" else STRIDE,
        tube_score=config.tube_score,
        settings=settings,
    )


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Without what PyTorch's exporter says of packages that are not needed, and of its own old parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
