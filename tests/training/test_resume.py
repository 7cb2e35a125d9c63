"""A run that is stopped in any way continues as if nothing had happened."""

import csv
import functools
import json
import re
import resource
import shutil
import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from chronomask.config import model_from_json
from chronomask.errors import InputError
from chronomask.training.checkpoint import Run
from chronomask.training.loop import train
from training.runs import MACHINE, MODEL, SHORT, Each, assert_same_weights, in_processes, open_sources, thin_network


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    open_sources(folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    """The uninterrupted run: its network and folder."""
    out = tmp_path_factory.mktemp("whole")
    network = thin_network(dropout=True)
    assert train(network, open_sources(data), SHORT, out, MACHINE) == SHORT.steps
    return network, out


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_like_whole(network, out, whole):
    assert_same_weights(whole[0], network)
    saved = [torch.load(folder / "state-00000004.pt", weights_only=True) for folder in (out, whole[1])]
    for index, moments in saved[1]["optimizer"]["state"].items():
        for name, tensor in moments.items():
            assert torch.equal(saved[0]["optimizer"]["state"][index][name], tensor), (index, name)
    weights = [load_file(folder / "model.safetensors") for folder in (out, whole[1])]
    assert all(torch.equal(weights[0][name], tensor) for name, tensor in weights[1].items())
    assert names_in(out) == names_in(whole[1])


def test_a_run_leaves_its_configuration_log_weights_and_last_two_states(whole):
    _, out = whole
    assert names_in(out) == ["config.json", "log.csv", "model.safetensors", "state-00000002.pt", "state-00000004.pt"]
    described = json.loads((out / "config.json").read_text())
    assert model_from_json(json.dumps(described["model"])) == MODEL
    assert described["train"]["data"]["width"] == 48
    assert described["machine"]["checkpoint_every"] == 2


def test_killed_in_a_step_and_again_in_a_checkpoint(data, whole, tmp_path):
    for moment, left in (("step", []), ("write", [".state-"])):
        ((_, code),) = in_processes("killed_run.py", tmp_path, data, moment)
        assert code == -signal.SIGKILL
        assert [path.name[:7] for path in tmp_path.glob(".*")] == left
        assert [path.name for path in tmp_path.glob("state-*")] == ["state-00000002.pt"]
    network = thin_network(dropout=True)
    torch.nn.init.zeros_(network.heat_head.weight)  # what continues is the run in the folder
    train(network, open_sources(data), SHORT, tmp_path, MACHINE)
    assert_like_whole(network, tmp_path, whole)


def test_stop_after_ends_at_a_checkpoint(data, whole, tmp_path):
    sources = open_sources(data)
    assert train(thin_network(dropout=True), sources, SHORT, tmp_path, replace(MACHINE, stop_after="0s")) == 1
    assert (tmp_path / "state-00000001.pt").exists()
    network = thin_network(dropout=True)
    assert train(network, sources, SHORT, tmp_path, replace(MACHINE, stop_after="2h")) == SHORT.steps
    assert_like_whole(network, tmp_path, whole)
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert train(network, sources, SHORT, tmp_path, MACHINE) == SHORT.steps  # nothing is left to do
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before


def test_a_full_disk_leaves_the_checkpoint_before(data, whole, tmp_path):
    """The limit on the size of files stands for the disk: the write fails in its middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_disk(step):
        if step == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))

    try:
        with pytest.raises(InputError, match=r"cannot write the checkpoint of step 4 .*state-00000002\.pt is intact"):
            train(thin_network(dropout=True), open_sources(data), SHORT, tmp_path, MACHINE, [Each(fill_disk)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.glob(".*"))
    network = thin_network(dropout=True)
    train(network, open_sources(data), SHORT, tmp_path, MACHINE)
    assert_like_whole(network, tmp_path, whole)


def test_an_unreadable_state_gives_way_to_the_one_before(data, whole, tmp_path, capsys):
    train(thin_network(dropout=True), open_sources(data), SHORT, tmp_path, MACHINE)
    newest = tmp_path / "state-00000004.pt"
    intact, other = newest.read_bytes(), thin_network(replace(MODEL, channels=16)).state_dict()
    weight = torch.load(newest, weights_only=True)["average"]["heat_head.weight"].numpy().tobytes()
    place = intact.index(weight)
    for damage in (
        lambda: newest.write_bytes(intact[:1000]),
        lambda: newest.write_bytes(intact[: place + 3] + bytes([intact[place + 3] ^ 64]) + intact[place + 4 :]),
        lambda: torch.save({**torch.load(newest, weights_only=True), "step": -5}, newest),
        lambda: torch.save({**torch.load(newest, weights_only=True), "network": other}, newest),
        lambda: torch.save([1, 2], newest),
    ):
        newest.write_bytes(intact)
        damage()
        assert Run(tmp_path, thin_network(dropout=True), SHORT, MACHINE, {}).open()["step"] == 2
        assert re.search(r"state-00000004\.pt: cannot be read: .*; left out", capsys.readouterr().err)
    network = thin_network(dropout=True)
    train(network, open_sources(data), SHORT, tmp_path, MACHINE)
    assert_like_whole(network, tmp_path, whole)
    for path in tmp_path.glob("state-*.pt"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="none of its states can be read"):
        train(network, open_sources(data), SHORT, tmp_path, MACHINE)


def test_a_folder_called_like_a_state_is_refused_before_the_first_step(data, whole, tmp_path):
    shutil.copytree(whole[1], tmp_path, dirs_exist_ok=True)
    (tmp_path / "state-00000001.pt").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*state-00000001\.pt: it is a folder"):
        train(thin_network(), open_sources(data), SHORT, tmp_path, MACHINE)


def test_the_best_checkpoint_stays(data, tmp_path):
    sources, config = open_sources(data), replace(SHORT, batch=1, ema=0.0)
    machine = replace(MACHINE, checkpoint_every=1)
    kept = []
    scores = {1: 0.2, 2: 0.5, 3: 0.4, 4: 0.5}
    monitor = Each(lambda step: kept.append((tmp_path / "best.safetensors").exists()), scores)
    train(thin_network(), sources, config, tmp_path, machine, [monitor])
    assert kept == [False, True, True, True]
    best = load_file(tmp_path / "best.safetensors")["heat_head.weight"]
    two_steps = replace(machine, stop_after="0s")
    for _ in range(2):
        network = thin_network()
        train(network, sources, config, tmp_path / "two", two_steps)
    assert torch.equal(best, network.heat_head.weight.half())


def test_another_configuration_is_refused_and_the_machine_may_change(data, whole):
    network, out = whole
    sources = open_sources(data)
    with pytest.raises(InputError, match=r"config\.json: .*train.learning_rate is 0.001 there and 0.5 now"):
        train(network, sources, replace(SHORT, learning_rate=0.5), out, MACHINE)
    with pytest.raises(InputError, match=r"model.channels is 8 there and 16 now"):
        train(thin_network(replace(MODEL, channels=16)), sources, SHORT, out, MACHINE)
    with pytest.raises(InputError, match=r"origin.data is None there and \['x'\] now"):
        train(network, sources, SHORT, out, MACHINE, origin={"data": ["x"]})
    train(network, sources, SHORT, out, replace(MACHINE, workers=1, gradient_checkpointing=True))


def test_a_setting_that_an_older_version_did_not_know_counts_as_what_it_did(data, tmp_path):
    network, sources, path = thin_network(), open_sources(data), tmp_path / "config.json"
    before = replace(SHORT, data=replace(SHORT.data, moving=0.0, meeting=0.0, behind=0.0, hidden=0.0))
    origin = {"data": ["x"], "init": "None", "import_fpn": False}
    train(network, sources, before, tmp_path, MACHINE, origin=origin)

    def forget(*names):
        described = json.loads(path.read_text())
        for name in names:
            *parts, last = name.split(".")
            del functools.reduce(dict.__getitem__, parts, described)[last]
        path.write_text(json.dumps(described))

    forget("model.others", "model.aggregation", "model.tube_score", "origin.init", "origin.import_fpn")
    train(network, sources, before, tmp_path, MACHINE, origin=origin)
    forget("train.ema", "train.skip_broken", "train.losses.pull", "train.data.objects", "train.data.camera.streak")
    forget("train.data.moving", "train.data.meeting", "train.data.behind", "train.data.hidden", "machine.workers")
    train(network, sources, before, tmp_path, MACHINE, origin=origin)

    seen, closer = replace(before.data, moving=0.5), replace(before.data.camera, zoom=0.5)
    for missing, model, now, difference in (
        ("model.others", replace(MODEL, others=True), before, "model.others is False there and True now"),
        ("train.ema", MODEL, replace(before, ema=0.5), "train.ema is 0.998 there and 0.5 now"),
        ("train.data.moving", MODEL, replace(before, data=seen), "train.data.moving is 0.0 there and 0.5 now"),
        (
            "train.data.camera.zoom",
            MODEL,
            replace(before, data=replace(before.data, camera=closer)),
            "train.data.camera.zoom is 0.15 there and 0.5 now",
        ),
    ):
        forget(missing)
        with pytest.raises(InputError, match=difference):
            train(thin_network(model), sources, now, tmp_path, MACHINE, origin=origin)
        train(network, sources, before, tmp_path, MACHINE, origin=origin)
    forget("origin.data")
    with pytest.raises(InputError, match=r"origin.data is None there and \['x'\] now"):
        train(network, sources, before, tmp_path, MACHINE, origin=origin)
    forget("model.channels")
    with pytest.raises(InputError, match=r"model.channels is None there and 8 now"):
        train(network, sources, before, tmp_path, MACHINE, origin={})


def test_steps_are_logged_once_however_often_a_run_is_stopped(data, tmp_path):
    """A run that is stopped between two checkpoints does some steps twice."""
    config = replace(SHORT, backbone_rate=0.0, steps=21, batch=1, data=replace(SHORT.data, length=1))
    machine = replace(MACHINE, checkpoint_every=5)
    stops = [8, 14]

    def stop(step):
        if step in stops:
            stops.remove(step)
            raise KeyboardInterrupt

    sources = open_sources(data)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(thin_network(), sources, config, tmp_path, machine, [Each(stop)])
        with (tmp_path / "log.csv").open("a") as file:
            file.write("2")  # half a line, of a run that was killed while it wrote
    train(thin_network(), sources, config, tmp_path, machine)
    with (tmp_path / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["0", "10", "20"]


def test_what_is_no_runs_is_left_alone_and_another_run_is_replaced_when_its_successor_has_a_checkpoint(data, tmp_path):
    sources, weights = open_sources(data), tmp_path / "model.safetensors"
    weights.write_text("mine")
    with pytest.raises(InputError, match=r"model\.safetensors: exists already, and is of no run; .* --overwrite"):
        train(thin_network(), sources, SHORT, tmp_path, MACHINE)
    assert names_in(tmp_path) == ["model.safetensors"]
    assert weights.read_text() == "mine"

    def look(step):
        seen.append(sorted(path.name for path in tmp_path.rglob("*") if path.is_file()))

    other, seen = replace(SHORT, learning_rate=0.5), []
    assert train(thin_network(), sources, SHORT, tmp_path, MACHINE, [Each(look)], overwrite=True) == SHORT.steps
    assert (
        seen
        == [["config.json", "log.csv", "model.safetensors"]] * 2
        + [["config.json", "log.csv", "model.safetensors", "state-00000002.pt"]] * 2
    )
    first = weights.read_bytes()

    def stop(step):
        if step == 1:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(thin_network(), sources, other, tmp_path, MACHINE, [Each(stop)], overwrite=True)
        assert (tmp_path / ".replaced/model.safetensors").read_bytes() == first
    assert train(thin_network(), sources, other, tmp_path, MACHINE, overwrite=True) == SHORT.steps
    assert names_in(tmp_path) == [
        "config.json",
        "log.csv",
        "model.safetensors",
        "state-00000002.pt",
        "state-00000004.pt",
    ]
    assert weights.read_bytes() != first


def test_settings_of_the_optimizer_are_those_of_the_configuration(data, whole, tmp_path):
    """In a state they are only said again: what is missing or wrong there changes nothing."""
    shutil.copytree(whole[1], tmp_path, dirs_exist_ok=True)
    (tmp_path / "state-00000004.pt").unlink()
    state = torch.load(tmp_path / "state-00000002.pt", weights_only=True)
    first, second = state["optimizer"]["param_groups"]
    del first["weight_decay"]
    second["scale"] = {}
    torch.save(state, tmp_path / "state-00000002.pt")
    network = thin_network(dropout=True)
    assert train(network, open_sources(data), SHORT, tmp_path, MACHINE) == SHORT.steps
    assert_like_whole(network, tmp_path, whole)


def test_what_a_run_replaces_goes_or_comes_back_wherever_it_was_killed(data, tmp_path):
    sources, out = open_sources(data), tmp_path / "run"
    train(thin_network(), sources, SHORT, out, MACHINE)
    shutil.copytree(out, tmp_path / "first")
    shutil.copytree(out, tmp_path / "set aside")
    shutil.copytree(out, out / ".replaced")  # killed just when its checkpoint was complete
    assert train(thin_network(), sources, SHORT, out, MACHINE) == SHORT.steps
    assert names_in(out) == names_in(tmp_path / "first")
    half = tmp_path / "set aside/.replaced"  # killed while it set aside, or put back
    half.mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "set aside" / name).rename(half / name)
    with pytest.raises(InputError, match="holds a run with another configuration"):
        train(thin_network(), sources, replace(SHORT, learning_rate=0.5), half.parent, MACHINE)
    assert names_in(half.parent) == names_in(tmp_path / "first")
