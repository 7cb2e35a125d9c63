import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from chronomask import rle
from chronomask.categories import Category
from chronomask.cli import main
from chronomask.config import MachineConfig, MixtureConfig, fine_tune_recipe
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import open_reader
from chronomask.data.synthetic_config import SynthesizeConfig
from chronomask.errors import InputError
from chronomask.evaluation.validate import validate
from chronomask.model.checkpoint import load_network, save_network
from chronomask.progress import silent
from chronomask.training import finetune
from chronomask.training.class_head import fit_class_head, with_classes
from chronomask.training.finetune import class_table, counted, fine_tuning, held_back, write_held
from chronomask.training.run import fine_tune
from chronomask.training.validation import Validation, ValidationScores
from data.files import box, small_set, textured, write_stills, write_videos
from model.networks import network_of, tiny
from training.runs import Each

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
    fit_class_head(network, [WeightedSource(reader, 1.0)], SMALL, stills=16, steps=60)
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


def test_the_only_entry_of_a_class_is_trained_on(tmp_path):
    image, mask = textured(48, 64), box(48, 64, 8, 8, 40, 56)
    reader = open_reader(write_stills(tmp_path, [(image, [(99 if k == 2 else 1, mask, {})]) for k in range(6)]), None)
    for seed in range(4):
        for share in (0.01, 0.5, 0.7):
            training, held = held_back(reader, share, seed)
            assert (counted(training)["unicorn"], counted(held)["unicorn"]) == (1, 0)
    training, held = held_back(reader, 0.99, seed=0)
    assert (len(training), len(held)) == (1, 5)


def as_numbers(mask):
    return {**mask, "counts": rle.run_lengths(mask["counts"]).tolist()}


def as_polygon(mask):
    x, y, width, height = rle.bbox(mask)
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


@pytest.mark.parametrize("form", [dict, as_numbers, as_polygon])
def test_videos_that_are_held_back_keep_their_annotations(form, tmp_path):
    """Also where evaluation asks for more fields than training does."""
    path = small_set(tmp_path / "data")[1]
    content = json.loads(path.read_text())
    del content["videos"][0]["length"], content["annotations"][0]["iscrowd"]
    content["annotations"][0]["segmentations"] = [form(mask) for mask in content["annotations"][0]["segmentations"]]
    path.write_text(json.dumps(content))
    reader = open_reader(path, None)
    instances, frames = write_held(reader, tmp_path / "held", silent)
    assert frames == reader.images
    assert not validate(instances).problems
    written = open_reader(instances, None, images=frames)
    assert written.file_categories == reader.file_categories
    first, second = (opened.load(0, range(5)) for opened in (reader, written))
    assert first.masks.any((2, 3)).all()
    for name in ("frames", "masks", "class_ids", "ignore"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


def test_what_is_broken_is_left_out_of_the_videos_that_are_held_back(tmp_path):
    frames, masks = [textured(48, 64)] * 2, [box(48, 64, 8, 8, 40, 40)] * 2
    path = write_videos(tmp_path / "data", [(frames, [(18, masks, {"iscrowd": number == 3})]) for number in range(4)])
    content = json.loads(path.read_text())
    content["videos"] += [None, {"id": 9}]
    content["annotations"] += [7, {"id": 90}]
    content["annotations"][2]["segmentations"][1]["counts"] = "no rle"
    path.write_text(json.dumps(content))
    (tmp_path / "data" / "JPEGImages" / "video-1" / "00001.png").unlink()
    reader = open_reader(path, None, skip_broken=True)
    with pytest.raises(InputError, match=r"annotations\[2\]\.segmentations\[1\]: counts are no compressed"):
        write_held(reader, tmp_path / "held", silent)
    assert not (tmp_path / "held").exists()
    instances, _ = write_held(reader, tmp_path / "held", silent, skip_broken=True)
    assert not validate(instances).problems
    content = json.loads(instances.read_text())
    assert [video["name"] for video in content["videos"]] == ["video-0", "video-3"]
    assert [(entry["video_id"], entry["iscrowd"]) for entry in content["annotations"]] == [(1, 0), (2, 1)]
    assert "video-1/00001.png" in reader.skipped[-2]
    for image in tmp_path.rglob("*.png"):
        image.unlink()
    with pytest.raises(InputError, match=r"videos\.json: no video that is held back can be read"):
        write_held(reader, tmp_path / "again", silent, skip_broken=True)


def test_the_classes_are_those_with_instances(tmp_path, weights):
    start = fine_tuning(weights, str(colours(tmp_path)), fine_tune_recipe(), 0.2)
    assert [category.name for category in start.network.config.categories] == ["person", "unicorn"]
    assert start.known == ("person",)
    table = class_table(start)
    assert [list(column.cells) for column in table.columns][1] == ["yes", "no", ""]
    assert [list(column.cells)[-1] for column in table.columns][2:] == ["8", "2"]


def test_data_that_teaches_nothing_is_refused(tmp_path, weights):
    empty = write_stills(tmp_path, [(textured(48, 64), [])])
    with pytest.raises(InputError, match="not one labelled instance"):
        fine_tuning(weights, str(empty), fine_tune_recipe(), 0.2)
    with pytest.raises(InputError, match=r"holdout 1\.0: must lie in"):
        fine_tuning(weights, str(empty), fine_tune_recipe(), 1.0)


@pytest.fixture
def command(tmp_path, weights, monkeypatch):
    """A short run on four stills, two of them held back."""
    monkeypatch.setattr(finetune, "fit_class_head", partial(fit_class_head, stills=4, steps=2))
    monkeypatch.setattr(finetune, "SynthesizeConfig", partial(SynthesizeConfig, length=2, height=32, width=64))
    colours(tmp_path / "data", 4)
    words = ["train", str(tmp_path / "data"), "--fine-tune", weights, "--out", str(tmp_path / "run"), "--workers", "0"]
    words += ["--steps", "1", "--device", "cpu", "--data.height", "32", "--data.width", "64", "--data.length", "2"]
    return [*words, "--holdout", "0.5"]


def files_in(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_command_from_a_folder_to_a_checkpoint(tmp_path, command, capsys):
    out = tmp_path / "run"
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "unicorn" in shown.err
    assert "held back, before: AP" in shown.out
    assert "held back, after:  AP" in shown.out
    assert (out / "preview.png").exists()
    trained = load_network(out / "model.safetensors").config.categories
    assert [category.name for category in trained] == ["person", "unicorn"]

    # The folder of a finished run: another run leaves it alone, and the same one keeps its scores.
    before = files_in(out)
    assert main([*command, "--seed", "1"]) == 2
    assert "train.seed is 0 there and 1 now" in capsys.readouterr().err
    assert files_in(out) == before
    assert main(command) == 0
    assert "held back, after:  AP" in capsys.readouterr().out
    assert files_in(out)[Path("validation.csv")] == before[Path("validation.csv")]


class Killed(BaseException):
    """Ends a run as a signal does: nobody expects it."""


@pytest.fixture
def short_run(tmp_path, weights, monkeypatch):
    """Fine-tunes in few steps, with nothing held back."""
    monkeypatch.setattr(finetune, "fit_class_head", partial(fit_class_head, stills=4, steps=3))
    config = replace(fine_tune_recipe(), steps=3, batch=1, data=SMALL)
    machine = MachineConfig(workers=0, checkpoint_every=1)
    return partial(
        fine_tune, str(colours(tmp_path / "data", 4)), weights=weights, holdout=0.0, config=config, machine=machine
    )


def test_a_run_killed_anywhere_ends_with_the_weights_of_a_whole_one(tmp_path, short_run):
    """While the class head is fitted, and twice in the steps."""
    places, done = ["fitting", 0, 2], []

    def progress(items, task, total):
        done.append(task)
        for item in items:
            if places and str(places[0]) in task:
                raise Killed
            yield item

    def stop(step):
        if places and places[0] == step:
            raise Killed

    for _ in range(3):
        with pytest.raises(Killed):
            short_run(tmp_path / "cut", progress=progress, monitors=[Each(stop)])
        places.pop(0)
    assert sum("fitting" in task for task in done) == 2  # what was prepared is not prepared again
    ended, whole = short_run(tmp_path / "cut"), short_run(tmp_path / "whole")
    assert ended.step == whole.step == 3
    ours, theirs = load_file(ended.weights), load_file(whole.weights)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_the_time_limit_cuts_the_class_head_and_the_steps_and_every_call_gets_on(tmp_path, short_run):
    late, out = MachineConfig(workers=0, stop_after="0s"), tmp_path / "run"
    for fitted in (1, 2):
        ended = short_run(out, machine=late)
        assert ended.step == 0
        assert not ended.weights.exists()
        assert torch.load(out / "class-head.pt")["step"] == fitted
    assert short_run(out, machine=late).step == 0  # the head is fitted, and that is a state
    assert (out / "state-00000000.pt").exists()
    assert not (out / "class-head.pt").exists()
    assert short_run(out, machine=late).step == 1
    ours, theirs = load_file(short_run(out).weights), load_file(short_run(tmp_path / "whole").weights)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_a_class_head_that_cannot_be_read_is_named(tmp_path, short_run):
    short_run(tmp_path / "run", machine=MachineConfig(workers=0, stop_after="0s"))
    (tmp_path / "run/class-head.pt").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"class-head\.pt: what was done for the class head cannot be read"):
        short_run(tmp_path / "run")


@pytest.mark.parametrize(("before", "after"), [(0.5, 0.4), (0.4, 0.5), (0.5, 0.5)])
def test_nobody_ends_with_worse_weights_than_he_began_with(before, after, tmp_path, command, monkeypatch, capsys):
    scores = [ValidationScores(score, score, score) for score in (before, after)]
    monkeypatch.setattr(Validation, "scores", lambda *given: scores.pop(0))
    assert main(command) == 0
    said = "training made it worse on what is held back: these are the weights from before the training"
    assert (said in capsys.readouterr().out) == (after < before)
    model, best = ((tmp_path / "run" / f"{name}.safetensors").read_bytes() for name in ("model", "best"))
    assert (model == best) == (after != before)  # of equal ones the first is the best, and the last is taken
    content = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.safetensors")}
    assert main(command) == 0  # the same call once more changes nothing
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.safetensors")} == content


def test_checkpoints_and_times_have_defaults_for_short_runs():
    assert MachineConfig().checkpoints_every(fine_tune_recipe().steps) == 25
    assert MachineConfig().checkpoints_every(6000) == 250
    assert [MachineConfig(stop_after=text).seconds for text in ("3m30s", "2h", "1h1s", "90s")] == [210, 7200, 3601, 90]
    for text in ("30", "3m 30s", "soon", "s30"):
        with pytest.raises(InputError, match="such as 150m or 3m30s"):
            MachineConfig(stop_after=text)


def test_images_that_cannot_be_read_are_skipped_on_the_whole_way(tmp_path, command):
    parts = held_back(open_reader(tmp_path / "data", None), 0.5, fine_tune_recipe().seed)
    broken = [part.name(0) for part in parts]
    for name in broken:
        (tmp_path / "data" / "images" / name).write_bytes(b"no image")
    assert main(command) == 2
    assert not (tmp_path / "run").exists()  # so that the same folder can be named again
    assert main([*command, "--skip-broken"]) == 0
    skipped = (tmp_path / "run" / "skipped.txt").read_text()
    assert all(name in skipped for name in broken)
    (video,) = json.loads((tmp_path / "run" / "holdout" / "instances.json").read_text())["videos"]
    assert parts[1].name(1).removesuffix(".png") in video["name"]


@pytest.mark.parametrize(
    "option",
    [
        ["--init", "x"],
        ["--classes", "voc"],
        ["--recipe", "paper"],
        ["--model", "paper"],
        ["--validate", "x.json"],
        ["--validate-every", "7"],
    ],
)
def test_what_contradicts_fine_tuning_is_refused(option, tmp_path, weights, capsys):
    further = ["--fine-tune", weights, "--out", str(tmp_path / "run")]
    assert main(["train", str(tmp_path), *further, *option]) == 2
    assert f"{option[0]}: not together with --fine-tune" in capsys.readouterr().err


def test_fine_tuning_takes_one_data_set(tmp_path, weights, capsys):
    assert main(["train", "a.json", "b.json", "--fine-tune", weights, "--out", str(tmp_path)]) == 2
    assert "--fine-tune: takes one file or folder, not 2" in capsys.readouterr().err
