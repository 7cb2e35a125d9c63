"""A checkpoint on OpenVINO, without an export."""

import numpy as np
import pytest

from chronomask.engines.engine import padded
from chronomask.engines.models import ModelFiles
from chronomask.engines.opening import open_engine
from chronomask.model.checkpoint import save_network
from model.networks import network_of, noise, tiny

pytestmark = pytest.mark.network


def test_it_computes_what_pytorch_computes(tmp_path):
    """Clips of any length, frames of any size, class scores from either side."""
    path = tmp_path / "tiny.safetensors"
    config = tiny(channels=8, squeezes=(2, 1, 0, 0), embedding=("y", "x", "t", "free"), class_source="backbone")
    save_network(path, network_of(config), half=False)
    ours, theirs = (
        open_engine(ModelFiles(None, path), 3, device="cpu", engine=name, precision="float32")
        for name in ("openvino", "torch")
    )
    assert ours.description == theirs.description
    assert (ours.info.name, ours.description.clip_length) == ("openvino", 3)
    for size in ((32, 64), (50, 70)):
        frames = padded(noise(3, 3, *size).numpy())
        found, expected = ours.encode(frames), theirs.encode(frames)
        for one, other in zip(found, expected, strict=True):
            check_close(one.look, other.look)
            check_close(one.class_logits, other.class_logits)
        check_close(ours.decode(found), theirs.decode(expected))


def check_close(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
