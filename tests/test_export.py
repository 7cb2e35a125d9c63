"""Exported files, and the runner on them: without PyTorch, from the command line, and where it cannot be used."""

import gc
import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim

from chronomask import export as room
from chronomask import rle
from chronomask.cli import main
from chronomask.config import ClusterConfig, SegmentConfig
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_tracks
from chronomask.model import mobilenet
from chronomask.model.checkpoint import save_network
from chronomask.runner import Runner
from chronomask.runner.__main__ import main as run
from chronomask.runner.description import FILE, read_description
from chronomask.runner.network import ExportedNetwork
from chronomask.video import VideoWriter, open_source
from model.networks import CATEGORIES, network_of, noise, tensors_of, tiny
from untyped import untyped

LENGTH = 4
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
def network():
    """Class scores of stride 4, no foreground, and coordinates of all kinds."""
    fields = {"embedding": ("y", "x", "t", "free"), "squeezes": (1, 1, 0, 0), "tube_score": COEFFICIENTS}
    with shallow():
        return network_of(tiny(backbone="mobilenet_v2", **fields))


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, network, half=False)
    return path


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "new"
    options = ["--clip-length", str(LENGTH), "--overlap", "1", "--score", "0"]
    options += ["--cluster.seed-threshold", "0.2", "--cluster.minimum-pixels", "9"]
    with quick(), shallow():
        assert main(["export", str(checkpoint), str(folder), *options]) == 0
    return folder


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_holds_both_halves_and_their_description(exported):
    assert names_in(exported) == ["decoder.onnx", "encoder.onnx", FILE]
    known = read_description(exported)
    assert known.categories == CATEGORIES
    assert known.embedding == ("y", "x", "t", "free")
    assert known.class_stride == 4
    assert known.tube_score == COEFFICIENTS
    cluster = ClusterConfig(seed_threshold=0.2, minimum_pixels=9)
    assert known.settings == SegmentConfig(clip_length=LENGTH, overlap=1, score=0.0, cluster=cluster)
    assert json.loads((exported / FILE).read_text())["multiple"] == 32


@pytest.mark.parametrize("size", [(32, 32), (64, 160), (50, 70), (129, 45)])
def test_any_size_gives_the_outputs_of_the_network(exported, network, size):
    frames = noise(1, LENGTH, 3, *size)
    with torch.no_grad():
        expected = tensors_of(network(frames))
    mine = ExportedNetwork(exported, read_description(exported), ["CPUExecutionProvider"])
    halves = [mine.encode(part) for part in (frames[0, :1].numpy(), frames[0, 1:].numpy())]
    found = mine.decode([np.concatenate(pair) for pair in zip(*halves, strict=True)], size)
    assert found.foreground_logits is None
    for name, value in expected.items():
        scale = float(value.abs().max())
        np.testing.assert_allclose(getattr(found, name), value[0].numpy(), atol=1e-4 * scale)


@torch.no_grad()
@pytest.mark.parametrize("backbone", ["efficientnet_lite0", "mobilenet_v2"])
def test_what_the_exporter_does_not_know_is_gone(backbone):
    plain, frames = network_of(tiny(backbone=backbone)), noise(1, LENGTH, 3, 64, 32)
    expected = plain(frames).heat
    prepared = room._prepared(plain)
    assert not any(isinstance(module, mobilenet.SameConv2d | nn.BatchNorm2d) for module in prepared.modules())
    torch.testing.assert_close(prepared(frames).heat, expected, atol=1e-4, rtol=1e-3)


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
    monkeypatch.setattr(room, "_halves", lambda network, length: (half,))
    with quick(), shallow():
        return room.export(checkpoint, folder, SegmentConfig(clip_length=1, overlap=0), form)


def test_both_forms_are_checked(checkpoint, older, monkeypatch):
    differences = export_doubled(checkpoint, older, "both", monkeypatch)
    assert [(found.file, found.output) for found in differences] == [
        ("encoder.onnx", "stride_4"),
        ("encoder.pt2", "stride_4"),
    ]
    assert max(found.largest for found in differences) < 1e-6
    program = torch.export.load(older / "encoder.pt2").module()
    assert program(torch.ones(7, 3))[0].tolist() == [[2.0] * 3] * 7


def test_an_export_over_another_leaves_nothing_of_it(checkpoint, older, monkeypatch):
    export_doubled(checkpoint, older, "torch", monkeypatch)
    assert names_in(older) == ["encoder.pt2", FILE]
    assert read_description(older).settings.clip_length == 1


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_a_file_that_computes_something_else_is_not_kept(checkpoint, older, monkeypatch, form):
    with pytest.raises(RuntimeError, match=r"encoder\.(onnx|pt2): stride_4 differs"):
        export_doubled(checkpoint, older, form, monkeypatch, factor=2.01)
    assert names_in(older) == ["encoder.onnx", "encoder.pt2", FILE]
    assert all(path.read_text() == "old" for path in older.iterdir())


def test_what_cannot_be_exported_is_named(exported, tmp_path, monkeypatch, capsys):
    assert main(["export", "huge", str(tmp_path)]) == 2
    assert "no such model" in capsys.readouterr().err
    assert main(["export", "lite", str(exported)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"chronomask\[export\]"):
        room.export(tmp_path / "none.safetensors", tmp_path, SegmentConfig(), "onnx")


def test_a_video_is_segmented_where_no_pytorch_is(exported, tmp_path):
    video, out = tmp_path / "video.mp4", tmp_path / "out"
    with VideoWriter(video, 128, 96, 25.0) as writer:
        for image in noise(6, 96, 128, 3).numpy():
            writer.write(image)
    code = "import sys; sys.modules['torch'] = None; from chronomask.runner.__main__ import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", code, str(exported), str(video), "--out", str(out)], check=True)
    found = read_tracks(out / "tracks.json")
    assert [(entry.length, entry.width, entry.height) for entry in found.videos] == [(6, 128, 96)]
    assert set(found.info) == {"version", "checkpoint_sha256", "settings"}
    assert len(found.tracks) > 0
    results = list(Runner(exported).segment(frame.image for frame in open_source(video)))
    for track in found.tracks:
        for run_lengths, result in zip(track.segmentations, results, strict=True):
            mask = result.masks[result.track_ids == track.id].any(0)
            assert np.array_equal(mask, np.zeros_like(mask) if run_lengths is None else rle.decode(run_lengths))


def test_what_the_runner_cannot_use_is_named(exported, tmp_path, capsys):
    assert run([str(tmp_path), "video.mp4", "--out", str(tmp_path / "out")]) == 2
    assert "model.json" in capsys.readouterr().err
    description = (exported / FILE).read_text()
    for text, other, message in (
        ("chronomask-export-1", "other", "format is 'other'"),
        ('"overlap": 1', '"overlap": 9', "overlap 9"),
        ('"class_stride"', '"x"', "lacks the field 'class_stride'"),
    ):
        (tmp_path / FILE).write_text(description.replace(text, other))
        with pytest.raises(InputError, match=message):
            Runner(tmp_path)
    (tmp_path / FILE).write_text(description)
    with pytest.raises(InputError, match=r"encoder\.onnx: no such file"):
        Runner(tmp_path)
    (tmp_path / "encoder.onnx").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"encoder\.onnx: "):
        Runner(tmp_path)
    with pytest.raises(InputError, match="provider 'Abacus'"):
        Runner(exported, ["Abacus"])


def test_frames_that_the_runner_cannot_use_are_named(exported):
    runner, image = Runner(exported), np.zeros((32, 48, 3), np.uint8)
    with pytest.raises(InputError, match="frame 1: 32x48 pixels, the frames before have 48x32"):
        list(runner.segment([image, image.transpose(1, 0, 2)]))
    with pytest.raises(InputError, match="float64"):
        list(runner.segment([image / 255]))
    assert list(runner.segment([])) == []
    assert runner.tracks == []


def test_the_runner_overwrites_no_results(exported, tmp_path, capsys):
    (tmp_path / "tracks.json").write_text("mine")
    assert run([str(exported), "video.mp4", "--out", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "tracks.json").read_text() == "mine"


def test_the_runner_looks_at_source_and_place_before_the_work(tmp_path, monkeypatch, capsys):
    source = SimpleNamespace(name="camera0", live=True)
    monkeypatch.setattr("chronomask.runner.__main__.Runner", lambda folder: None)
    monkeypatch.setattr("chronomask.runner.__main__.open_source", lambda video: source)
    assert run([str(tmp_path), "0", "--out", str(tmp_path / "out")]) == 2
    assert "camera0: a live source has no end" in capsys.readouterr().err
    source.live = False
    (tmp_path / "file").touch()
    assert run([str(tmp_path), "0", "--out", str(tmp_path / "file")]) == 2
    assert "cannot make the folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
