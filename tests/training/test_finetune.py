import json
from dataclasses import replace
from functools import partial

import pytest
import torch

from chronomask.cli import main
from chronomask.config import MixtureConfig, fine_tune_recipe
from chronomask.data.categories import Category
from chronomask.data.mixture import WeightedSource
from chronomask.data.sources import open_reader
from chronomask.errors import InputError
from chronomask.model.checkpoint import load_network, save_network
from chronomask.training import finetune
from chronomask.training.class_head import fit_class_head, with_classes
from chronomask.training.finetune import class_table, counted, fine_tuning, held_back, write_held
from data.files import box, small_set, textured, write_stills
from model.networks import network_of, tiny

KNOWN = (Category(1, "Person"), Category(18, "dog"))
FOUND = (Category(18, "dog"), Category(7, "person"), Category(99, "unicorn"))
SMALL = MixtureConfig(length=2, height=32, width=64, max_pastes=0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(path, network_of(tiny(channels=8, class_source="backbone", categories=KNOWN)), half=False)
    return str(path)


def colours(folder, count=10):
    """Stills of a red `person`, of a blue `unicorn`, by turns."""
    stills = []
    for number in range(count):
        pixels, mask = textured(48, 64, number) // 8, box(48, 64, 8, 8, 40, 56)
        pixels[mask] = (200, 20, 20) if number % 2 else (20, 20, 200)
        stills.append((pixels, [(1 if number % 2 else 99, mask, {})]))
    return write_stills(folder, stills)


@pytest.mark.parametrize("source", ["backbone", "decoder"])
def test_known_classes_keep_their_scores_and_new_ones_begin_anew(source):
    network = network_of(tiny(class_source=source, categories=KNOWN))
    copy, known = with_classes(network, FOUND)
    assert known == ["dog", "person"]
    assert copy.config == replace(network.config, categories=FOUND)
    frames = torch.zeros(1, 2, 3, 32, 64, dtype=torch.uint8)
    with torch.no_grad():
        before, after = network(frames), copy(frames)
    assert torch.equal(before.embedding, after.embedding)
    assert torch.equal(after.class_logits[:, :2], before.class_logits[:, [1, 0]])
    assert after.class_logits[:, 2].abs().max() > 0


def test_the_class_head_alone_learns_to_name(tmp_path):
    reader = open_reader(colours(tmp_path), (Category(1, "person"), Category(99, "unicorn")))
    network = network_of(tiny(class_source="backbone", categories=KNOWN))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fit_class_head(network, [WeightedSource(reader, 1.0)], SMALL, stills=16, steps=30)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(name.startswith("class_head.") for name in changed)
    for number in range(4):
        clip = reader.load(number)
        with torch.no_grad():
            logits = network(clip.frames[None]).class_logits[0].mean((1, 2, 3))
        assert logits.argmax() == clip.class_ids[0]


def test_entries_are_held_back_evenly_over_the_classes(tmp_path):
    reader = open_reader(colours(tmp_path, 20), None)
    training, held = held_back(reader, 0.3, seed=1)
    names = [{entry.name for entry in part.entries} for part in (training, held)]
    assert (len(training), len(held)) == (14, 6)
    assert names[0] | names[1] == {entry.name for entry in reader.entries}
    assert counted(held) == {"person": 3, "unicorn": 3}
    assert held_back(reader, 0.3, seed=1)[1].entries == held.entries
    assert held_back(reader, 0.3, seed=2)[1].entries != held.entries
    assert len(held_back(reader, 0.0, seed=1)[1]) == 0
    with pytest.raises(InputError, match="1 entry; holding some back needs two"):
        held_back(held_back(reader, 0.95, seed=1)[0], 0.2, seed=1)


def test_videos_that_are_held_back_keep_their_annotations(tmp_path):
    reader = open_reader(small_set(tmp_path / "data")[1], None)
    instances, frames = write_held(reader, tmp_path / "held", lambda items, task, total: items)
    assert json.loads(instances.read_text()) == json.loads(reader.annotations.read_text())
    assert frames == reader.images


def test_the_classes_are_those_with_instances(tmp_path, weights):
    start = fine_tuning(weights, str(colours(tmp_path)), fine_tune_recipe(), 0.2)
    assert [category.name for category in start.network.config.categories] == ["person", "unicorn"]
    assert start.known == ("person",)
    table = class_table(start)
    assert [list(column.cells) for column in table.columns][1] == ["from the weights", "anew", ""]
    assert [list(column.cells)[-1] for column in table.columns][2:] == ["8", "2"]


def test_data_that_teaches_nothing_is_refused(tmp_path, weights):
    empty = write_stills(tmp_path, [(textured(48, 64), [])])
    with pytest.raises(InputError, match="not one labelled instance"):
        fine_tuning(weights, str(empty), fine_tune_recipe(), 0.2)
    with pytest.raises(InputError, match=r"holdout 1\.0: must lie in"):
        fine_tuning(weights, str(empty), fine_tune_recipe(), 1.0)


def test_one_command_from_a_folder_to_a_checkpoint(tmp_path, weights, capsys, monkeypatch):
    monkeypatch.setattr(finetune, "fit_class_head", partial(fit_class_head, stills=4, steps=2))
    colours(tmp_path / "data", 4)
    out = tmp_path / "run"
    command = ["train", str(tmp_path / "data"), "--fine-tune", weights, "--out", str(out), "--workers", "0"]
    command += ["--steps", "1", "--device", "cpu", "--data.height", "32", "--data.width", "64", "--data.length", "2"]
    assert main([*command, "--holdout", "0.25"]) == 0
    shown = capsys.readouterr()
    assert "unicorn" in shown.err
    assert "held back, before: AP" in shown.out
    assert "held back, after:  AP" in shown.out
    assert (out / "preview.png").exists()
    trained = load_network(out / "model.safetensors").config.categories
    assert [category.name for category in trained] == ["person", "unicorn"]


@pytest.mark.parametrize("option", [["--init", "x"], ["--classes", "voc"], ["--recipe", "paper"]])
def test_what_contradicts_fine_tuning_is_refused(option, tmp_path, weights, capsys):
    further = ["--fine-tune", weights, "--out", str(tmp_path / "run")]
    assert main(["train", str(tmp_path), *further, *option]) == 2
    assert f"{option[0]}: not together with --fine-tune" in capsys.readouterr().err


def test_fine_tuning_takes_one_data_set(tmp_path, weights, capsys):
    assert main(["train", "a.json", "b.json", "--fine-tune", weights, "--out", str(tmp_path)]) == 2
    assert "--fine-tune: takes one file or folder, not 2" in capsys.readouterr().err
