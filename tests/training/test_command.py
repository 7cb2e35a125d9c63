import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from chronomask.categories import YTVIS_2019
from chronomask.cli import main
from chronomask.commands.training import recipe_config
from chronomask.config import LossConfig, MachineConfig, fine_tune_recipe, lite_recipe, paper_recipe
from chronomask.engines.models import bundled_weights
from chronomask.errors import TrainingError
from chronomask.locks import locked
from chronomask.model.checkpoint import load_network, save_network
from chronomask.training import loop
from data.files import small_set
from model.networks import network_of, tiny

SMALL = ["--steps", "2", "--batch", "1", "--data.length", "2", "--data.height", "64", "--data.width", "64"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return [str(path) for path in small_set(tmp_path_factory.mktemp("data"))]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, network_of(tiny(channels=8)), half=False)
    return str(path)


@pytest.fixture
def calls(monkeypatch):
    """What the command hands to the training loop, which does nothing."""
    found = []

    def train(network, sources, config, out, machine, monitors, origin, overwrite):
        found.append((network, config, machine, origin))
        return config.steps

    monkeypatch.setattr(loop, "train", train)
    return found


def test_flags_override_the_recipes_values(data, checkpoint, calls, tmp_path):
    common = ["train", *data, "--out", str(tmp_path), "--init", checkpoint]
    assert main([*common, "--recipe", "paper", "--classes", "None", "--steps", "7", "--losses.smooth", "2"]) == 0
    assert main([*common, "--recipe=lite", "--precision", "float32", "--stop-after", "2h"]) == 0
    assert main(common) == 0
    paper = replace(paper_recipe(), classes=None, steps=7, losses=LossConfig(smooth=2.0, stride=1))
    assert [config for _, config, _, _ in calls] == [paper, lite_recipe(), lite_recipe()]
    assert calls[1][2] == MachineConfig(precision="float32", stop_after="2h")
    assert [origin["recipe"] for *_, origin in calls] == ["paper", "lite", "lite"]
    assert list(calls[0][3]["data"]) == data


@pytest.mark.parametrize("option", ["--fine-tune", "--fine_tune"])
def test_fine_tuning_has_a_recipe_of_its_own_however_it_is_spelt(option):
    assert recipe_config(["data", option, "lite", "--out", "run"]) == fine_tune_recipe()
    assert recipe_config(["data", f"{option}=lite"]) == fine_tune_recipe()


@pytest.mark.parametrize(("recipe", "steps"), [("paper", "160000"), ("lite", "6000")])
def test_help_shows_the_recipes_values_and_explains_every_option(recipe, steps, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")  # wider, tyro sets the options in several columns
    with pytest.raises(SystemExit):
        main(["train", "--recipe", recipe, "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"--steps INT training steps of the whole run. (default: {steps})" in shown
    losses = {f"losses.{name}": value for name, value in asdict(LossConfig()).items()}
    for name, value in (asdict(paper_recipe()) | asdict(MachineConfig()) | losses).items():
        if not isinstance(value, dict):
            option = re.search(rf"--{name.replace('_', '-')}[, ](.*?)\(default: ", shown)
            assert option is not None, name
            assert len(option[1].split()) > 3, name


def test_the_papers_network_has_the_classes_of_youtube_vis(data, calls, tmp_path, capsys):
    command = ["train", *data, "--out", str(tmp_path), "--recipe", "paper"]
    assert main(command) == 0
    network = calls[0][0]
    assert network.config.backbone == "resnet101"
    assert network.config.categories == YTVIS_2019
    assert "resnet101 starts from random weights" in capsys.readouterr().err


def test_the_small_model_starts_from_the_backbone_of_the_bundled_weights(data, calls, tmp_path, capsys):
    assert main(["train", *data, "--out", str(tmp_path)]) == 0
    network, bundled = calls[0][0], load_network(bundled_weights("lite"))
    assert network.config == replace(bundled.config, tube_score=())
    for name, tensor in bundled.backbone.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[name], tensor)
    assert not torch.equal(network.fpn.output[0].weight, bundled.fpn.output[0].weight)
    assert "random weights" not in capsys.readouterr().err


def test_a_run_from_beginning_to_end(data, checkpoint, tmp_path, capsys):
    command = ["train", *data, "--out", str(tmp_path / "run"), "--init", checkpoint, "--workers", "0", *SMALL]
    assert main([*command, "--stop-after", "0s"]) == 0
    assert "step 1 of 2: stopped; the same command continues" in capsys.readouterr().out
    assert main(command) == 0
    output = capsys.readouterr()
    assert "step 2 of 2: finished" in output.out
    assert "step 2/2  embedding" in output.err
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_wrong_use_is_explained(data, checkpoint, tmp_path, capsys):
    common = ["train", *data, "--out", str(tmp_path), "--init", checkpoint]
    for arguments, message in (
        (["--classes", "voc"], "its 3 classes (person, ...) are not those of --classes voc (20: aeroplane, ...)"),
        (["--backbone-weights", "x.pth"], "--init"),
        (["--import-fpn"], "--import-fpn: needs --backbone-weights"),
        (["--batch", "0"], "batch 0: must be 1 or more"),
        (["--holdout", "0.5"], "--holdout 0.5: only --fine-tune holds data back"),
    ):
        assert main([*common, *arguments]) == 2
        assert message in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path), "--init", checkpoint]) == 2
    assert "no training data" in capsys.readouterr().err


def test_what_is_not_the_callers_fault_exits_with_1(data, checkpoint, tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise TrainingError("a data worker died")

    monkeypatch.setattr(loop, "train", fail)
    assert main(["train", *data, "--out", str(tmp_path), "--init", checkpoint]) == 1
    assert "chronomask: a data worker died" in capsys.readouterr().err


def test_train_replaces_nothing_that_it_reads_and_runs_alone_in_its_folder(data, checkpoint, calls, tmp_path, capsys):
    weights = tmp_path / "run/model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(Path(checkpoint).read_bytes())
    common = ["train", *data, "--out", str(weights.parent)]
    assert main([*common, "--init", checkpoint]) == 2
    assert "model.safetensors: exists already" in capsys.readouterr().err
    assert main([*common, "--init", str(weights), "--overwrite"]) == 2
    assert "model.safetensors: is read too" in capsys.readouterr().err
    with locked(weights.parent / ".lock", weights.parent):
        assert main([*common, "--init", checkpoint, "--overwrite"]) == 2
    assert "run: another run is writing there" in capsys.readouterr().err
    assert calls == []
