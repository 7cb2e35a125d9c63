import json

import numpy as np
import pytest
import torch

from chronomask import export as room
from chronomask.cli import main
from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.model.checkpoint import save_network
from chronomask.runner.description import FILE, read_description
from chronomask.runner.network import ExportedNetwork
from model.networks import CATEGORIES, network_of, noise, tensors_of, tiny
from untyped import untyped

LENGTH = 4


@pytest.fixture(scope="module")
def network():
    """Class scores of stride 4, no foreground, and a frame whose coordinates have all kinds."""
    return network_of(tiny(embedding=("y", "x", "t", "free"), squeezes=(1, 1, 0, 0)))


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, network, half=False)
    return path


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "new"
    options = ["--checkpoint", str(checkpoint), "--format", "both", "--clip-length", str(LENGTH), "--overlap", "1"]
    with untyped():
        assert main(["export", "mine", str(folder), *options]) == 0
    return folder


def test_the_folder_holds_both_halves_in_both_forms_and_their_description(exported, checkpoint):
    assert sorted(path.name for path in exported.iterdir()) == [
        "decoder.onnx",
        "decoder.pt2",
        "encoder.onnx",
        "encoder.pt2",
        FILE,
    ]
    known = read_description(exported)
    assert known.categories == CATEGORIES
    assert known.embedding == ("y", "x", "t", "free")
    assert known.class_stride == 4
    assert known.settings == SegmentConfig(clip_length=LENGTH, overlap=1)
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


def test_the_programs_run_at_another_size(exported, network):
    frames = noise(LENGTH, 3, 96, 128)
    encoder, decoder = (torch.export.load(exported / f"{name}.pt2").module() for name in ("encoder", "decoder"))
    with torch.no_grad():
        expected = network(frames[None])
        embedding, _, heat, _ = decoder(*encoder(frames))
    torch.testing.assert_close(embedding, expected.embedding[0], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(heat, expected.heat[0], atol=1e-4, rtol=1e-3)


def test_a_file_that_computes_something_else_is_not_kept(checkpoint, tmp_path, monkeypatch):
    class Wrong(room.Encoder):
        def forward(self, frames):
            # Only the traced size is right.
            first, *others = super().forward(frames)
            return first * (1.0 if torch.compiler.is_exporting() else 1.1), *others

    monkeypatch.setattr(room, "Encoder", Wrong)
    with untyped(), pytest.raises(RuntimeError, match=r"encoder\.pt2: stride_4 differs"):
        room.export(checkpoint, tmp_path / "out", SegmentConfig(clip_length=2, overlap=0), "torch")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_export_over_another_leaves_nothing_of_it(checkpoint, tmp_path):
    for name in ("encoder.onnx", "decoder.onnx", FILE):
        (tmp_path / name).write_text("old")
    with untyped():
        room.export(checkpoint, tmp_path, SegmentConfig(clip_length=1, overlap=0), "torch")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["decoder.pt2", "encoder.pt2", FILE]
    assert read_description(tmp_path).settings.clip_length == 1


def test_what_cannot_be_exported_is_named(exported, tmp_path, monkeypatch, capsys):
    assert main(["export", "huge", str(tmp_path)]) == 2
    assert "no such model" in capsys.readouterr().err
    assert main(["export", "lite", str(exported)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"chronomask\[export\]"):
        room.export(tmp_path / "none.safetensors", tmp_path, SegmentConfig(), "onnx")
