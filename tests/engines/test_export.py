"""Exported files: what lies in the folder, what they compute, and that they need no PyTorch."""

import gc
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import nn
from torch.export import Dim

from chronomask import load, rle
from chronomask.cli import main
from chronomask.config import ClusterConfig, SegmentConfig
from chronomask.engines import export as room
from chronomask.engines.description import FILE, read_description
from chronomask.engines.engine import padded
from chronomask.engines.float16 import without_scale
from chronomask.engines.models import ModelFiles
from chronomask.engines.opening import open_engine
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_tracks
from chronomask.model import mobilenet
from chronomask.model.checkpoint import load_network, save_network
from chronomask.tracking.outputs import place
from chronomask.training.objective import tracked_outputs
from chronomask.video import VideoWriter, open_source
from engines import small_export
from model.networks import CATEGORIES, network_of, noise, tensors_of, tiny
from untyped import untyped

LENGTH = 4
WITHOUT = Path(__file__).parents[1] / "without.py"
COEFFICIENTS = (-1.0, 0.1, 2.0, 1.0, 1.0, -0.5, 0.5)


@contextmanager
def quick():
    """For exporting: without type checks, and without garbage collection, which looks at all that the tracer holds."""
    with untyped():
        gc.disable()
        try:
            yield
        finally:
            gc.enable()


@contextmanager
def shallow():
    """Backbones of inverted residuals with one block a stage."""
    with pytest.MonkeyPatch.context() as patch:
        for table in ("_LITE0", "_MOBILENET_V2"):
            patch.setattr(mobilenet, table, tuple(replace(stage, blocks=1) for stage in getattr(mobilenet, table)))
        yield


@pytest.fixture(scope="module")
def network(checkpoint):
    """Class scores of stride 4, no foreground, and coordinates of all kinds; weights that fit into 16 bits."""
    with shallow():
        return load_network(checkpoint)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    fields = {"embedding": ("y", "x", "t", "free"), "squeezes": (1, 1, 0, 0), "tube_score": COEFFICIENTS}
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    with shallow():
        save_network(path, network_of(tiny(backbone="mobilenet_v2", **fields)), half=True)
    return path


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "new"
    with quick(), shallow():
        assert main(["export", str(checkpoint), str(folder), "--clip-length", str(LENGTH), "--half"]) == 0
    return folder


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_holds_both_halves_and_their_description(exported, checkpoint):
    assert names_in(exported) == ["decoder.onnx", "encoder.onnx", FILE]
    known = read_description(exported)
    assert known.categories == CATEGORIES
    assert known.embedding == ("y", "x", "t", "free")
    assert known.foreground is False
    assert known.tube_score == COEFFICIENTS
    assert known.clip_length == LENGTH
    assert known.features == ("level_16", "level_4", "level_8", "taps_16", "taps_32")
    assert known.decoded == ("level_4", "level_8", "taps_16", "taps_32")
    assert known.checkpoint_sha256 == room.sha256_of(checkpoint)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("size", [(32, 32), (64, 160), (50, 70), (129, 45)])
def test_any_size_gives_the_outputs_of_the_network(exported, network, name, size):
    frames = noise(1, LENGTH, 3, *size)
    with torch.no_grad():
        expected = tensors_of(tracked_outputs(network(frames), 0))
    engine = open_engine(ModelFiles(exported, None), LENGTH, device="cpu", engine=name, precision="float32")
    features = [*engine.encode(padded(frames[0, :1].numpy())), *engine.encode(padded(frames[0, 1:].numpy()))]
    found = place(engine.decode(features), [], engine.description.embedding, False, size)
    assert found.foreground is None
    for key, values in expected.items():
        np.testing.assert_allclose(getattr(found, key), values, atol=1e-4 * np.abs(values).max())


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_names_that_are_no_utf8(exported, tmp_path, name):
    folder = shutil.copytree(exported, tmp_path / os.fsdecode(b"caf\xe9"))
    engine = open_engine(ModelFiles(folder, None), LENGTH, device="cpu", engine=name)
    assert engine.description.categories == CATEGORIES


class Doubled(nn.Module):
    """Half of a network, as good as another. It doubles, or does worse at sizes other than the traced one."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return (x * (2.0 if torch.compiler.is_exporting() else self.factor),)


@pytest.fixture
def older(tmp_path):
    """A folder with files of an earlier export."""
    for name in ("encoder.onnx", "encoder.pt2", FILE):
        (tmp_path / name).write_text("old")
    return tmp_path


def export_doubled(checkpoint, folder, form, monkeypatch, factor=2.0):
    free, inputs = ({0: Dim("N", min=1, max=9)},), [(torch.rand(n, 3),) for n in (4, 5)]
    half = room._Half("encoder", Doubled(factor), ("frames",), ("stride_4",), free, *inputs)
    monkeypatch.setattr(room, "_halves", lambda *_: (half,))
    with quick(), shallow():
        return room.export(checkpoint, folder, 1, form, overwrite=True)


def test_both_forms_are_checked(checkpoint, older, monkeypatch):
    differences = export_doubled(checkpoint, older, "both", monkeypatch)
    assert [(found.file, found.output) for found in differences] == [
        ("encoder.onnx", "stride_4"),
        ("encoder.pt2", "stride_4"),
    ]
    assert max(found.largest for found in differences) < 1e-6
    program = torch.export.load(older / "encoder.pt2").module()
    assert program(torch.ones(7, 3))[0].tolist() == [[2.0] * 3] * 7


def test_no_path_of_this_machine_goes_into_the_files(exported):
    assert not [path.name for path in exported.iterdir() if b"halves.py" in path.read_bytes()]


def test_an_export_is_the_same_every_time(tmp_path):
    """Whatever order the sets of a process have; PyTorch keeps the ranges of sizes in that of one."""
    folders = [tmp_path / "first", tmp_path / os.fsdecode(b"caf\xe9")]
    with quick():
        folders[0].mkdir()
        ranges = list(small_export.exported(folders[0]).range_constraints)
    assert len(ranges) == 5
    assert ranges == sorted(ranges, key=str)
    folders[1].mkdir()
    again = "import pathlib, sys; from engines import small_export; small_export.exported(pathlib.Path(sys.argv[1]))"
    environment = os.environ | {"PYTHONHASHSEED": "4", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", again, folders[1]], env=environment, check=True)
    for name in ("encoder.onnx", "encoder.pt2"):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second, name
        assert b".encoder." not in first  # the name under which it is written aside


def test_an_export_over_another_leaves_none_that_would_not_fit(checkpoint, older, monkeypatch):
    with pytest.raises(InputError, match=r"encoder\.onnx: is of an earlier export, .* --format both"):
        room.outputs_of(older, "torch")
    export_doubled(checkpoint, older, "both", monkeypatch)
    assert names_in(older) == ["encoder.onnx", "encoder.pt2", FILE]
    assert read_description(older).clip_length == 1


@pytest.mark.parametrize(("form", "other"), [("onnx", "encoder.pt2"), ("torch", "encoder.onnx")])
def test_a_file_that_computes_something_else_is_not_kept(checkpoint, older, monkeypatch, form, other):
    (older / other).unlink()
    with pytest.raises(RuntimeError, match=r"encoder\.(onnx|pt2): stride_4 differs"):
        export_doubled(checkpoint, older, form, monkeypatch, factor=2.01)
    assert names_in(older) == sorted({"encoder.onnx", "encoder.pt2", FILE} - {other})
    assert all(path.read_text() == "old" for path in older.iterdir())


def test_what_cannot_be_exported_is_named(exported, tmp_path, monkeypatch, capsys):
    assert main(["export", "huge", str(tmp_path)]) == 2
    assert "no such model" in capsys.readouterr().err
    assert main(["export", "lite", str(exported)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["export", "lite", str(tmp_path), "--clip-length", "0"]) == 2
    assert "clip_length 0: must be 1 or more" in capsys.readouterr().err
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"chronomask\[export\]"):
        room.export(tmp_path / "none.safetensors", tmp_path, 8, "onnx")


KERNEL = np.random.default_rng(0).normal(size=(6, 5, 3, 3)).astype(np.float16)
SCALES = [np.ones(1, np.float32), *(np.random.default_rng(n).uniform(0.1, 3, n).astype(np.float32) for n in (4, 6, 3))]


@pytest.mark.parametrize(
    ("scale", "found"),
    [
        (SCALES[0], None),
        (SCALES[2], SCALES[2]),
        (np.tile(SCALES[3], 2), np.tile(SCALES[3], 2)),  # two convolutions in one
        (SCALES[2] ** 2, None),  # none that is known
    ],
)
def test_kernels_that_were_in_16_bits_are_kept_as_they_were(scale, found):
    values = KERNEL * np.float32(scale).reshape(-1, 1, 1, 1)
    plain, factor = without_scale(values, SCALES)
    assert plain.dtype == np.float16
    if scale is SCALES[0] or found is not None:
        assert np.array_equal(plain, KERNEL)
    np.testing.assert_allclose(
        plain * (1 if factor is None else factor), values, rtol=1e-6 if found is not None else 1e-3
    )
    if found is None:
        assert factor is None
    else:
        assert np.array_equal(factor.ravel(), found)


def test_a_channel_that_is_switched_off_stays_off():
    values = KERNEL * np.float32([1, 2, 0, 3, 4, 5]).reshape(-1, 1, 1, 1)
    plain, factor = without_scale(values, [np.float32([1, 2, 0, 3, 4, 5])])
    assert np.array_equal(plain * factor, values)


def test_weights_are_kept_in_16_bits_as_the_checkpoint_has_them(exported):
    """That they compute the same is seen above: rounding once more would be too much."""
    sizes = {TensorProto.FLOAT16: 0, TensorProto.FLOAT: 0}
    for name in ("encoder.onnx", "decoder.onnx"):
        for kernel in onnx.load(exported / name).graph.initializer:
            sizes[kernel.data_type] = sizes.get(kernel.data_type, 0) + int(np.prod(kernel.dims))
    assert sizes[TensorProto.FLOAT] < 0.1 * sizes[TensorProto.FLOAT16]


def test_a_video_is_segmented_where_no_pytorch_is(exported, tmp_path):
    video, out = tmp_path / "video.mp4", tmp_path / "out"
    with VideoWriter(video, 128, 96, 25.0) as writer:
        for image in noise(6, 96, 128, 3).numpy():
            writer.write(image)
    options = ["--clip-length", str(LENGTH), "--overlap", "1", "--score", "0", "--precision", "float32"]
    options += ["--cluster.seed-threshold", "0.2", "--cluster.minimum-pixels", "9", "--engine", "openvino"]
    options += ["--cluster.seed-margin", "0", "--cluster.sure-objectness", "0", "--no-relink"]
    command = [sys.executable, WITHOUT, "torch,safetensors,onnx,onnxruntime", "segment", video, "--model", exported]
    subprocess.run([*command, "--out", out, *options], check=True, stdout=subprocess.DEVNULL)
    found = read_tracks(out / "tracks.json")
    assert [(entry.length, entry.width, entry.height) for entry in found.videos] == [(6, 128, 96)]
    assert found.info["engine"]["name"] == "openvino"
    assert found.info["checkpoint_sha256"] == read_description(exported).checkpoint_sha256
    assert len(found.tracks) > 0
    cluster = ClusterConfig(seed_threshold=0.2, minimum_pixels=9, seed_margin=0.0, sure_objectness=0.0)
    config = SegmentConfig(clip_length=LENGTH, overlap=1, score=0.0, relink=False, cluster=cluster)
    segmenter = load(exported, engine="openvino", precision="float32", config=config)
    results = list(segmenter.segment(open_source(video)))
    for track in found.tracks:
        for run_lengths, result in zip(track.segmentations, results, strict=True):
            mask = np.any(result.masks[result.track_ids == track.id], axis=0)
            assert np.array_equal(mask, np.zeros_like(mask) if run_lengths is None else rle.decode(run_lengths))
