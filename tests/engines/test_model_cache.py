"""A converted network is kept in the user's cache folder, as long as it may be used."""

import numpy as np
import pytest

from chronomask.engines import conversion, model_cache
from chronomask.engines.description import read_description
from chronomask.engines.models import WEIGHTS, ModelFiles
from chronomask.engines.opening import open_engine
from chronomask.engines.openvino import OpenVinoEngine
from chronomask.model.checkpoint import save_network
from model.networks import network_of, tiny


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/chronomask/converted"


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_network(path, network_of(tiny(channels=8)), half=False)
    return path


@pytest.fixture
def conversions(monkeypatch):
    """The lengths of clips for which networks are converted: to the bundled one, which takes no time."""
    lengths, folder = [], WEIGHTS / "lite"

    def converted(checkpoint, clip_length, sha256, precision):
        lengths.append(clip_length)
        return OpenVinoEngine.read(folder, read_description(folder), precision)

    monkeypatch.setattr(conversion, "converted", converted)
    return lengths


def opened(checkpoint, length=2):
    return open_engine(ModelFiles(None, checkpoint), length, device="cpu", engine="openvino", precision="float32")


def clip_of(engine):
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 64), np.uint8)
    return engine.decode(engine.encode(frames))


@pytest.mark.network
def test_what_is_kept_is_what_was_converted(folder, checkpoint, monkeypatch):
    first = opened(checkpoint)
    monkeypatch.delattr(conversion, "converted")
    second = opened(checkpoint)
    assert second.description == first.description
    np.testing.assert_array_equal(clip_of(second), clip_of(first))
    assert len(list(folder.iterdir())) == 1, "nothing is left beside it"


def test_what_is_damaged_is_converted_anew(folder, checkpoint, conversions):
    opened(checkpoint)
    [network] = folder.iterdir()
    for file in ("model.json", "encoder.xml", "decoder.bin"):
        (network / file).write_bytes(b"{")
        opened(checkpoint)
    opened(checkpoint)
    assert conversions == [2] * 4


def test_nothing_else_is_taken_for_it(folder, checkpoint, conversions, monkeypatch):
    opened(checkpoint)
    opened(checkpoint, 3)
    save_network(checkpoint, network_of(tiny(channels=16)), half=False)
    opened(checkpoint)
    monkeypatch.setattr(model_cache, "version", lambda package: "9.9")
    opened(checkpoint)
    assert conversions == [2, 3, 2, 2]
    assert len(list(folder.iterdir())) == 4


def test_those_used_last_are_kept(folder, checkpoint, conversions, monkeypatch):
    monkeypatch.setattr(model_cache, "MOST", 2)
    for length in (1, 2, 1, 3, 1, 2):
        opened(checkpoint, length)
    assert conversions == [1, 2, 3, 2]
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_cannot_be_written(folder, checkpoint, conversions):
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    for _ in range(2):
        opened(checkpoint)
    assert conversions == [2, 2]
