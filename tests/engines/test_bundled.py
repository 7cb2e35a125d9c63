"""The bundled export and the bundled checkpoint are one network."""

import hashlib

import numpy as np
import pytest
import torch
from skimage import data

from chronomask.engines.description import read_description
from chronomask.engines.engine import padded
from chronomask.engines.models import WEIGHTS, ModelFiles, model_files
from chronomask.engines.opening import open_engine
from chronomask.model.checkpoint import load_network

CHECKPOINT, EXPORTED = WEIGHTS / "lite.safetensors", WEIGHTS / "lite"


def test_the_export_is_that_of_the_checkpoint():
    known, config = read_description(EXPORTED), load_network(CHECKPOINT).config
    assert known.checkpoint_sha256 == hashlib.sha256(CHECKPOINT.read_bytes()).hexdigest()
    for name in ("categories", "embedding", "foreground", "tube_score"):
        assert getattr(known, name) == getattr(config, name)
    assert known.clip_length == 8


def test_both_together_are_small():
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 20e6


@pytest.mark.network
def test_they_say_nothing_of_the_machine_that_wrote_them():
    for name in ("encoder.onnx", "decoder.onnx"):
        assert b"halves.py" not in (EXPORTED / name).read_bytes()


def test_both_compute_the_same():
    """But for rounding: kernels that are in float16 in one are not rounded once more in the other."""
    frames = padded(np.stack([data.astronaut()[t : t + 90, 3 * t : 3 * t + 130].transpose(2, 0, 1) for t in range(8)]))
    theirs = open_engine(ModelFiles(None, CHECKPOINT), 8, engine="torch", device="cpu", precision="float32")
    expected = theirs.encode(frames)
    outputs = theirs.decode(expected)
    for name in ("openvino", "onnxruntime"):
        ours = open_engine(ModelFiles(EXPORTED, None), 8, engine=name, precision="float32")
        found = ours.encode(frames)
        for one, other in zip(found, expected, strict=True):
            check_close(one.look, other.look)
            check_close(one.class_logits, other.class_logits)
            for values, same in zip(one.decoded, other.decoded, strict=True):
                check_close(values, same)
        check_close(ours.decode(found), outputs)


def check_close(found, expected):
    expected = expected.numpy() if isinstance(expected, torch.Tensor) else expected
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_name_stands_for_both():
    assert model_files("lite") == ModelFiles(EXPORTED, CHECKPOINT)
