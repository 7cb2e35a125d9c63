"""A network as ONNX and as torch.export programs: for the engines of this package, and for use without it.

It is cut in two (`model.halves`), so that every frame passes the backbone once however clips overlap: an encoder of
frames, and a decoder of clips that reads what the encoder gave.

Legend: N frames, T frames of a clip, h w cells of stride 32.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
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
from chronomask.claims import Output, claimed
from chronomask.engines.conversion import check_portable
from chronomask.engines.description import FILE, Description, describe
from chronomask.engines.float16 import keep_as_float16, scales_of
from chronomask.engines.models import checkpoint_file
from chronomask.engines.opening import sha256_of
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.model.checkpoint import load_network
from chronomask.model.halves import decoded_names, feature_names, halves

Format = Literal["onnx", "torch", "both"]

OPSET = 18

TOLERANCE = 1e-3
"""Largest difference of an output from the network's own that passes the check, as a share of its largest value."""

HALF_TOLERANCE = 1e-2
"""The same for weights in float16, where they were not in float16 already."""

_TRACED, _CHECKED = (64, 96), (96, 64)
"""Height and width of the example that is traced; and of another, by which what was written is checked."""


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


def export(
    model: str | Path,
    out: str | Path,
    clip_length: int = 8,
    form: Format = "onnx",
    half: bool = False,
    overwrite: bool = False,
) -> list[Difference]:
    """Writes a network into a folder, for use without PyTorch: encoder.*, decoder.* and model.json.

    Each file is run on frames of another size than it was traced with and compared, before it gets its name.

    Examples:
        >>> chronomask.export("lite", "exported")  # doctest: +SKIP
        >>> segmenter = chronomask.load("exported")  # doctest: +SKIP

    Args:
        model: "lite" or a checkpoint file.
        out: the folder.
        clip_length: frames of a clip, which is built into the decoder.
        form: "onnx" (.onnx), "torch" (.pt2) or "both".
        half: keep the weights of ONNX files as float16, in half the size. What is computed stays float32.
        overwrite: whether an earlier export of the same form may be replaced.

    Returns:
        The differences from the network, one for every output of every file.

    Raises:
        InputError: the checkpoint cannot be used, packages for ONNX are missing, or the folder cannot be written.
        RuntimeError: a written file does not compute what the network does.
    """
    out, checkpoint = Path(out), checkpoint_file(model)
    if clip_length < 1:
        raise InputError(f"clip_length {clip_length}: must be 1 or more")
    with claimed(outputs_of(out, form), [checkpoint], overwrite=overwrite):
        return _exported(checkpoint, out, clip_length, form, half)


def _exported(checkpoint: Path, out: Path, clip_length: int, form: Format, half: bool) -> list[Difference]:
    needed = ("onnx", "onnxscript", "onnxruntime")
    if form != "torch" and (missing := [name for name in needed if find_spec(name) is None]):
        raise InputError(f"ONNX needs the package {missing[0]}: pip install 'chronomask[export]', or --format torch")
    network = load_network(checkpoint)
    check_portable(checkpoint, network.config)
    names = feature_names(network.config), decoded_names(network.config)
    known = describe(network.config, sha256_of(checkpoint), clip_length, *names)
    scales = scales_of(network) if half else None
    writers = {"onnx": [_write_onnx], "torch": [_write_torch], "both": [_write_onnx, _write_torch]}[form]
    differences = []
    with ExitStack() as stack, torch.no_grad(), _quiet():
        # Entered first and so renamed last: it is what says that the folder is complete.
        aside = stack.enter_context(written_aside(out / FILE))
        aside.write_text(known.to_json(__version__) + "\n")
        for part in _halves(*halves(network, clip_length), known):
            program = _program(part)
            expected = part.module(*part.checked)
            expected = expected if isinstance(expected, tuple) else (expected,)
            for write in writers:
                file, found = write(program, part, out, stack, scales)
                differences += _differences(file, part, expected, found, HALF_TOLERANCE if half else TOLERANCE)
    return differences


def outputs_of(out: Path, form: Format) -> list[Output]:
    """What `export` writes into a folder, for `chronomask.claims`.

    Raises:
        InputError: the folder holds a network in another form too, which would not be replaced: it may be of other
            weights.
    """
    endings = {"onnx": (".onnx",), "torch": (".pt2",), "both": (".onnx", ".pt2")}[form]
    written = [out / f"{stem}{ending}" for stem in ("encoder", "decoder") for ending in endings]
    for path in (out / f"{stem}{ending}" for stem in ("encoder", "decoder") for ending in (".onnx", ".pt2")):
        if path not in written and path.exists():
            hint = "say --format both, or name another folder"
            raise InputError(f"{path}: is of an earlier export, and would not fit this one; {hint}")
    return [Output(path, inside=True) for path in (*written, out / FILE)]


def _halves(encoder: nn.Module, decoder: nn.Module, known: Description) -> tuple[_Half, _Half]:
    length, features = known.clip_length, known.features
    # Two frames at least, for the tracer takes a size of one to stay one; and for the check another number.
    traced, checked = (_frames(max(2, length) + more, *size) for more, size in ((0, _TRACED), (1, _CHECKED)))
    count, h, w = Dim("N", min=1, max=4096), Dim("h", min=1, max=1024), Dim("w", min=1, max=1024)
    clips = []
    for frames in (traced, checked):
        given = dict(zip(features, encoder(frames), strict=True))
        clips.append(tuple(given[name][:length] for name in known.decoded))
    per_cell = [32 // int(name.split("_")[1]) for name in known.decoded]
    free = tuple({2: n * h, 3: n * w} for n in per_cell)
    return (
        _Half("encoder", encoder, ("frames",), features, ({0: count, 2: 32 * h, 3: 32 * w},), (traced,), (checked,)),
        _Half("decoder", decoder, known.decoded, ("pixels",), (free,), *clips),
    )


def _program(part: _Half) -> ExportedProgram:
    """A half of the network, traced; without what is of this run alone and would go into the files."""
    program = torch.export.export(part.module, part.traced, dynamic_shapes=part.free)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    ranges = sorted(program.range_constraints.items(), key=str)  # they come in the order of a set
    program.range_constraints.clear()
    program.range_constraints.update(ranges)
    return program


def _frames(count: int, height: int, width: int) -> Tensor:
    noise = np.random.default_rng(0).integers(0, 256, (count, 3, height, width), dtype=np.uint8)
    return torch.from_numpy(noise)


def _write_onnx(
    program: ExportedProgram, part: _Half, out: Path, stack: ExitStack, scales: list[np.ndarray] | None
) -> tuple[str, list[np.ndarray]]:
    """Writes a half of the network; gives the name of the file and its outputs for `part.checked`.

    Args:
        scales: see `float16.scales_of`; with them, weights are kept in 16 bits.
    """
    import onnxruntime

    path = out / f"{part.name}.onnx"
    aside = stack.enter_context(written_aside(path))
    model = torch.onnx.export(
        program,
        dynamo=True,
        input_names=part.inputs,
        output_names=part.outputs,
        opset_version=OPSET,
        verbose=False,
    )
    assert model is not None, "with dynamo a program comes back"
    model.save(aside, external_data=False)
    if scales is not None:
        keep_as_float16(aside, scales)
    session = onnxruntime.InferenceSession(aside.read_bytes(), providers=["CPUExecutionProvider"])
    found = session.run(None, {name: x.numpy() for name, x in zip(part.inputs, part.checked, strict=True)})
    return path.name, [np.asarray(x) for x in found]


def _write_torch(
    program: ExportedProgram, part: _Half, out: Path, stack: ExitStack, scales: list[np.ndarray] | None
) -> tuple[str, list[np.ndarray]]:
    """As `_write_onnx`; always in float32."""
    path = out / f"{part.name}.pt2"
    aside = stack.enter_context(written_aside(path))
    with aside.open("wb+") as file:  # the name of a path would go into the file, and has to be UTF-8
        torch.export.save(program, file)
        file.seek(0)
        found = torch.export.load(file).module()(*part.checked)
    return path.name, [x.numpy() for x in (found if isinstance(found, tuple) else (found,))]


def _differences(
    file: str, part: _Half, expected: tuple[Tensor, ...], found: list[np.ndarray], tolerance: float
) -> list[Difference]:
    differences = []
    for name, mine, theirs in zip(part.outputs, expected, found, strict=True):
        largest = float(np.abs(mine.numpy() - theirs).max())
        differences.append(Difference(file, name, largest, largest / max(1e-6, float(mine.abs().max()))))
        if not differences[-1].share <= tolerance:
            raise RuntimeError(f"{file}: {name} differs by {largest:.2g} from what the network computes")
    return differences


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
