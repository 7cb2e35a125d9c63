"""From the name of a model to an engine, and one sentence with the remedy where there is no way."""

import hashlib
import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from chronomask import load
from chronomask.cli import main
from chronomask.config import SegmentConfig
from chronomask.engines import conversion, model_cache
from chronomask.engines import opening as room
from chronomask.engines.description import DECODER, ENCODER, FILE
from chronomask.engines.models import WEIGHTS, ModelFiles, model_files
from chronomask.engines.onnxruntime import OnnxRuntimeEngine
from chronomask.engines.opening import open_engine, sha256_of
from chronomask.engines.openvino import OpenVinoEngine
from chronomask.engines.torch import TorchEngine
from chronomask.errors import InputError
from chronomask.model.checkpoint import save_network
from chronomask.segmenter.segmenter import Segmenter
from model.networks import network_of, tiny
from segmenter.colour import ColourEngine
from untyped import untyped

LITE = model_files("lite")


@contextmanager
def refused(*parts):
    """An error of one sentence that has these parts."""
    with pytest.raises(InputError) as error:
        yield
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, network_of(tiny(channels=8)), half=False)
    return path


@pytest.fixture
def exported(tmp_path):
    """A copy of the bundled export, to be damaged."""
    return shutil.copytree(WEIGHTS / "lite", tmp_path / "exported")


@pytest.fixture
def without(monkeypatch):
    """Makes some packages as good as not installed."""

    def without(*names):
        found = room.find_spec
        monkeypatch.setattr(room, "find_spec", lambda name: None if name in names else found(name))

    return without


@pytest.fixture
def no_card(monkeypatch):
    monkeypatch.setattr(room, "_has_card", lambda: False)


@pytest.mark.parametrize(
    ("name", "kind"), [("openvino", OpenVinoEngine), ("onnxruntime", OnnxRuntimeEngine), ("torch", TorchEngine)]
)
def test_every_engine_runs_the_bundled_model(name, kind):
    engine = open_engine(LITE, 8, device="cpu", engine=name, precision="float32")
    assert isinstance(engine, kind)
    assert (engine.info.name, engine.info.device, engine.info.precision) == (name, "cpu", "float32")
    assert engine.info.version[0].isdecimal()
    assert engine.description.checkpoint_sha256 == hashlib.sha256(LITE.checkpoint.read_bytes()).hexdigest()
    assert len(engine.description.categories) == 85
    assert engine.description.clip_length == 8


def test_auto_is_openvino_without_a_card_and_pytorch_with_one(no_card, monkeypatch):
    assert room._chosen(LITE, "auto") == room._chosen(LITE, "cpu") == "openvino"
    assert room._chosen(LITE, "cuda:1") == "torch"
    monkeypatch.setattr(room, "_has_card", lambda: True)
    assert room._chosen(LITE, "auto") == "torch"
    assert room._chosen(LITE, "cpu") == "openvino"
    assert room._chosen(ModelFiles(LITE.exported, None), "auto") == "openvino"


def test_auto_is_onnxruntime_where_openvino_is_not_installed(no_card, without):
    without("openvino")
    assert isinstance(open_engine(LITE, 8), OnnxRuntimeEngine)
    without("openvino", "onnxruntime")
    with refused("engine openvino: is not installed; pip install openvino"):
        open_engine(LITE, 8)


def test_a_card_is_not_looked_for_where_no_pytorch_is(without):
    without("torch")
    assert room._has_card() is False


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("openvino", "pip install openvino"),
        ("onnxruntime", "pip install 'chronomask[onnxruntime]'"),
        ("torch", "pip install 'chronomask[torch]'"),
    ],
)
def test_an_engine_that_is_not_installed_is_named_with_what_to_type(name, remedy, without):
    without(name)
    with refused(f"engine {name}: is not installed; {remedy}"):
        open_engine(LITE, 8, engine=name)


def test_an_engine_that_does_not_exist():
    with untyped(), refused("engine 'tensorrt': must be one of auto, openvino, onnxruntime, torch"):
        open_engine(LITE, 8, engine="tensorrt")


def test_folders_of_another_version(exported):
    text = (exported / FILE).read_text()
    (exported / FILE).write_text(text.replace("chronomask-export-2", "chronomask-export-9"))
    for name in ("openvino", "onnxruntime"):
        with refused("model.json: format is 'chronomask-export-9'", "export it again"):
            open_engine(ModelFiles(exported, None), 8, engine=name)


def test_clips_of_a_length_that_was_not_exported(exported, checkpoint, without):
    with refused("clip_length 4: ", "was exported for 8 frames; use --clip-length 8, or export with --clip-length 4"):
        open_engine(ModelFiles(exported, None), 4, engine="openvino")
    # With a checkpoint beside it the network is converted, which takes PyTorch.
    without("torch")
    for model in (ModelFiles(exported, checkpoint), ModelFiles(None, checkpoint)):
        by_pytorch = "for clips of 4 frames must be converted for OpenVINO by PyTorch"
        with refused(checkpoint.name, by_pytorch, "pip install 'chronomask[torch]'", "chronomask export"):
            open_engine(model, 4, engine="openvino")


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("file", [ENCODER, DECODER])
def test_files_that_are_missing_or_damaged(exported, name, file):
    data = (exported / file).read_bytes()
    for content in (b"", b"garbage that is no network\nat all", data[: len(data) // 2]):
        (exported / file).write_bytes(content)
        with refused(f"{file}: ", "cannot read it"):
            open_engine(ModelFiles(exported, None), 8, engine=name)
    (exported / file).unlink()
    with refused(f"{file}: no such file; was the network exported with --format torch?"):
        open_engine(ModelFiles(exported, None), 8, engine=name)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_files_of_another_network(exported, name):
    """Both halves are whole, but they are not the ones that model.json speaks of."""
    shutil.copy(exported / ENCODER, exported / DECODER)
    with refused(f"{DECODER}: takes frames and gives level_16", "which is not what model.json beside it says"):
        open_engine(ModelFiles(exported, None), 8, engine=name)


def test_what_the_engines_cannot_do(exported, checkpoint):
    with refused("is an exported network", "openvino or onnxruntime, not on torch"):
        open_engine(ModelFiles(exported, None), 8, engine="torch", device="cpu")
    for name in ("openvino", "onnxruntime"):
        with refused("device 'cuda': ", f"{name} computes on the CPU here; use --engine torch"):
            open_engine(LITE, 8, engine=name, device="cuda")
    with refused("onnxruntime runs exported networks", "chronomask export"):
        open_engine(ModelFiles(None, checkpoint), 8, engine="onnxruntime")
    with refused("onnxruntime computes in float32 only; use --engine openvino"):
        open_engine(LITE, 8, engine="onnxruntime", precision="bfloat16")
    with refused("device 'cuda:77' is not usable on this machine"):
        open_engine(LITE, 8, engine="torch", device="cuda:77")
    with untyped(), refused("precision 'float16': must be auto, float32 or bfloat16"):
        open_engine(LITE, 8, engine="openvino", precision="float16")


def test_what_is_exported_for_other_clips_is_converted_from_its_checkpoint(monkeypatch):
    """By PyTorch, of which there is a test of its own."""
    called = []
    monkeypatch.setattr(conversion, "converted", lambda *arguments: called.append(arguments) or ColourEngine(2))
    monkeypatch.setattr(model_cache, "keep", lambda engine, folder: engine)
    assert open_engine(LITE, 2, device="cpu", precision="float32").description.clip_length == 2
    assert called == [(LITE.checkpoint, 2, sha256_of(LITE.checkpoint), "float32")]


def test_a_checkpoint_that_cannot_be_read(tmp_path):
    with refused("none.safetensors: No such file"):
        sha256_of(tmp_path / "none.safetensors")
    path = tmp_path / "text.safetensors"
    path.write_text("no weights")
    for name in ("openvino", "torch"):
        with refused("text.safetensors"):
            open_engine(ModelFiles(None, path), 8, engine=name, device="cpu")


def test_load_takes_all_of_it(exported, checkpoint):
    config = SegmentConfig(clip_length=4, overlap=2)
    segmenter = load(checkpoint, "cpu", "torch", "float32", config)
    assert segmenter.config == config
    assert segmenter.engine.info.name == "torch"
    assert load(exported, engine="onnxruntime").engine.info.name == "onnxruntime"
    with refused("clip_length 4: "):
        load(exported, config=config)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--engine", "onnxruntime", "--precision", "bfloat16"), ("onnxruntime computes in float32 only",)),
        (("--engine", "openvino", "--device", "cuda"), ("device 'cuda'", "--engine torch")),
        (("--engine", "torch", "--model", "EXPORTED"), ("is an exported network",)),
        (("--model", "EXPORTED", "--clip-length", "6"), ("clip_length 6", "for 8 frames")),
        (("--model", "OLDER"), ("format is 'chronomask-export-1'", "export it again")),
        (("--model", "FOLDER"), ("holds no model.json",)),
        (("--device", "gpu"), ("device 'gpu'", "auto, cpu, cuda")),
    ],
)
@pytest.mark.parametrize("command", ["segment", "predict"])
def test_commands_exit_with_2_and_write_nothing(command, options, parts, exported, tmp_path, capsys):
    older, frames = tmp_path / "older", tmp_path / "frames"
    for folder in (older, frames):
        folder.mkdir()
    (older / FILE).write_text((exported / FILE).read_text().replace("export-2", "export-1"))
    Image.new("RGB", (64, 48)).save(frames / "0.png")
    places = {"EXPORTED": exported, "OLDER": older, "FOLDER": frames}
    out = ("--out", tmp_path / "out") if command == "segment" else ("--frames", frames, "--out", tmp_path / "out.json")
    arguments = (command, frames, *(places.get(option, option) for option in options), *out)
    before = sorted(tmp_path.rglob("*"))
    assert main([str(argument) for argument in arguments]) == 2
    *before_it, message = capsys.readouterr().err.strip().splitlines()
    assert message.startswith("chronomask: ")
    assert all("frames a second" in line for line in before_it), "what was about to be segmented"
    for part in parts:
        assert part in message
    assert sorted(tmp_path.rglob("*")) == before


def test_a_description_of_other_classes_is_found_out(exported, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(exported, folder)
    content = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps(content | {"categories": content["categories"][:5]}))
    segmenter = Segmenter(open_engine(ModelFiles(folder, None), 8, engine="openvino"), SegmentConfig())
    segmenter.push(np.zeros((64, 96, 3), np.uint8))
    with refused("scores ", "model.json lists 5", "export it again"):
        segmenter.flush()


def test_what_is_impossible_is_said_before_what_is_not_installed(exported, without):
    without("onnxruntime")
    with refused("precision bfloat16: onnxruntime computes in float32 only"):
        open_engine(ModelFiles(exported, None), 8, engine="onnxruntime", precision="bfloat16")
