"""The systems on a data set on disk, and the table of all of them, with tiny networks and two steps of training."""

import csv
import json
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image

from baselines.clips import film, thin_backbone
from chronomask import rle
from chronomask.annotations.records import Track, VideoEntry
from chronomask.baselines.budget import Budget
from chronomask.baselines.judging import folder_of
from chronomask.baselines.own_network import NetworkDetector
from chronomask.baselines.run import DataSet, baseline
from chronomask.baselines.systems import TITLES, system
from chronomask.baselines.table1 import table1
from chronomask.categories import Category
from chronomask.cli import main
from chronomask.config import EVERYTHING, MachineConfig
from chronomask.errors import InputError
from chronomask.evaluation.compare import compare
from chronomask.formats.ytvis import read_tracks, write_tracks
from chronomask.model.checkpoint import save_network
from chronomask.model.network import Network
from chronomask.segmenter.segmenter import Segmenter
from model.networks import tiny
from segmenter.colour import ColourEngine

CLASSES = (Category(1, "person"), Category(17, "cat"))
MACHINE = MachineConfig(device="cpu", precision="float32", workers=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two videos of four frames with two objects each."""
    folder = tmp_path_factory.mktemp("data")
    videos, tracks = [], []
    for number in (1, 2):
        clip, names = film(length=4, seed=number, step=3), []
        for t, frame in enumerate(clip.frames.permute(0, 2, 3, 1).numpy()):
            names.append(f"v{number}/{t}.png")
            path = folder / "JPEGImages" / names[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(frame).save(path)
        videos.append(VideoEntry(number, f"v{number}", 64, 64, 4, file_names=tuple(names)))
        for k, masks in enumerate(clip.masks.numpy()):
            coded = [rle.encode(mask) if mask.any() else None for mask in masks]
            tracks.append(Track(len(tracks) + 1, number, CLASSES[k].id, 1.0, coded))
    write_tracks(folder / "instances.json", videos, CLASSES, tracks, {})
    return folder


def detections_of_truth(data, path):
    """COCO json of the true masks, frame by frame, as a perfect detector would write it."""
    truth = json.loads((data / "instances.json").read_text())
    names = {v["id"]: v["file_names"] for v in truth["videos"]}
    images = [
        {"id": 10 * v + t, "file_name": name, "width": 64, "height": 64}
        for v, files in names.items()
        for t, name in enumerate(files)
    ]
    annotations = [
        {"image_id": 10 * a["video_id"] + t, "category_id": a["category_id"], "segmentation": mask, "score": 0.9}
        for a in truth["annotations"]
        for t, mask in enumerate(a["segmentations"])
        if mask
    ]
    numbered = [{"id": k, "iscrowd": 0, "area": 1, **a} for k, a in enumerate(annotations, 1)]
    path.write_text(json.dumps({"images": images, "categories": truth["categories"], "annotations": numbered}))
    return path


@pytest.mark.parametrize("name", ["iou-tracker", "deep-sort", "seq-tracker"])
def test_perfect_detections_give_perfect_tracks(name, data, tmp_path):
    detections = detections_of_truth(data, tmp_path / "d.json")
    out = tmp_path / "tracks.json"
    words = ["baseline", name, str(data / "instances.json"), "--frames", str(data / "JPEGImages")]
    assert main([*words, "--out", str(out), "--detections", str(detections)]) == 0
    (method,) = compare(data / "instances.json", {"it": out}, resamples=0).methods
    assert pytest.approx(1) == method.scores.AP
    assert main([*words, "--out", str(out), "--detections", str(detections)]) == 2  # exists already
    assert main([*words, "--out", str(data / "instances.json"), "--overwrite"]) == 2  # is an input


def test_weights_are_asked_for_where_they_are_needed(data, tmp_path):
    arguments = (data / "instances.json", data / "JPEGImages", tmp_path / "t.json")
    with pytest.raises(InputError, match="feelvos: needs weights"):
        baseline("feelvos", *arguments)
    with pytest.raises(InputError, match="iou-tracker: has no weights of its own"):
        baseline("iou-tracker", *arguments, weights=tmp_path / "w")
    with pytest.raises(InputError, match="no such checkpoint file"):
        system("osmn", tmp_path / "w")
    assert not (tmp_path / "t.json").exists()


@pytest.fixture(scope="module", autouse=True)
def thin():
    """Backbones of no size."""
    with pytest.MonkeyPatch.context() as patch:
        for room in ("model.network", "baselines.propagation.network"):
            patch.setattr(f"chronomask.{room}.build_backbone", lambda *_: thin_backbone())
        yield


@pytest.fixture(scope="module")
def start(tmp_path_factory, thin):
    """A checkpoint of a tiny network."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("start") / "tiny.safetensors"
    save_network(path, Network(replace(tiny(channels=3), categories=CLASSES)), half=False)
    return path


def seeing_colours(length):
    """A segmenter that takes no time: conversions to engines are others' tests."""
    config = replace(EVERYTHING, clip_length=length, overlap=length // 2)
    return Segmenter(ColourEngine(length), config)


def test_the_table_comes_out_of_one_call_and_goes_on_where_it_was(data, start, tmp_path, monkeypatch):
    budget = Budget(steps=2, height=64, width=64)
    spec = f"{data / 'instances.json'},without=v2"
    calls = {"data": [str(data / "instances.json"), spec], "train": [str(data / "instances.json")], "start": start}
    calls |= {"budget": budget, "machine": MACHINE, "resamples": 20}
    out = tmp_path / "out"
    monkeypatch.setattr("chronomask.baselines.judging.load", lambda *_, **__: seeing_colours(8))
    monkeypatch.setattr(NetworkDetector, "of_model", lambda *_: NetworkDetector(seeing_colours(1)))
    with (
        mock.patch("chronomask.baselines.judging.compare", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        table1(out=out, **calls)
    done = {path: path.stat().st_mtime_ns for path in (out / "work").rglob("*.safetensors")}
    assert len(done) == 4
    found = table1(out=out, **calls)
    assert {path: path.stat().st_mtime_ns for path in done} == done  # nothing was trained again
    assert [judged.comparison.videos for judged in found.judged] == [2, 1]
    names = [*TITLES.values(), "Ours"]
    assert set(found.judged[0].seconds) == set(names)
    lines = (out / "table1.md").read_text().splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:10]] == names
    assert lines[2].endswith("| 23.4 | 36.5 | 25.7 | 28.9 | 31.1 |")
    assert "2 steps of 16 frames of 64x64" in lines[18]
    rows = list(csv.DictReader((out / "table1.csv").read_text().splitlines()))
    assert len(rows) == 3 * 8
    assert (rows[-1]["method"], float(rows[-1]["AP"])) == ("Ours", 0.316)
    latex = (out / "table1.tex").read_text()
    assert latex.count(r"\begin{tabular}") == 2
    assert latex.count(r"\midrule") == 4
    tracks = [read_tracks(path) for path in (out / "work").glob("data-*/ours/tracks.json")]
    assert sorted(len(file.videos) for file in tracks) == [1, 2]
    other = calls | {"budget": replace(budget, steps=3)}
    with pytest.raises(InputError, match=r"exists already"):
        table1(out=out, **other)
    # What it would begin with is not removed for it.
    weights = out / "work/train-frames/model.safetensors"
    with pytest.raises(InputError, match=r"work: holds .*model\.safetensors, which is read"):
        table1(out=out, **other | {"start": weights}, overwrite=True)
    assert weights.exists()


def test_what_is_wrong_is_said_before_anything_is_trained(data, start, tmp_path, monkeypatch):
    """And what was mistyped does not stand in the way of what is right."""
    monkeypatch.setattr("chronomask.baselines.judging.load", lambda *_, **__: seeing_colours(8))
    monkeypatch.setattr("chronomask.baselines.table1.train_network", mock.Mock(side_effect=KeyboardInterrupt))
    instances, out = str(data / "instances.json"), tmp_path / "out"
    calls = {"out": out, "start": start, "budget": Budget(steps=2, height=64, width=64), "machine": MACHINE}
    for judged, train, message in (
        (instances, "gone.json", "no such file"),
        ("gone.json", instances, "no such file"),
        (f"{instances},without=v3", instances, "no video named v3"),
        (f"{instances},without=v1+v2", instances, "all of its videos are left out"),
    ):
        with pytest.raises(InputError, match=message):
            table1(judged, train, **calls)
        assert not out.exists()
    with pytest.raises(InputError, match=r"v1/0\.png: cannot be read as an image"):
        table1(f"{instances},images={tmp_path}", instances, **calls)
    with pytest.raises(KeyboardInterrupt):
        table1(instances, instances, **calls)
    assert len(list(out.glob("work/data-*/ours/tracks.json"))) == 1


def test_data_that_have_changed_are_judged_anew(data, tmp_path):
    path = tmp_path / "instances.json"
    path.write_bytes((data / "instances.json").read_bytes())
    before = [folder_of(str(path)), folder_of(f"{path},without=v2"), folder_of(str(path))]
    assert before[0] == before[2] != before[1]
    path.write_text(path.read_text().replace('"v2"', '"v3"'))
    assert folder_of(str(path)) not in before


def test_the_truth_may_be_shown(data, tmp_path):
    """With a network that keeps everything where it was, what is shown stays."""
    from chronomask.baselines.propagation.network import PropagationConfig
    from chronomask.baselines.propagation.osmn import Osmn

    class Still(Osmn):
        def step(self, state, levels, masks):
            return masks.float()

    still = Still(PropagationConfig(channels=4), thin_backbone()).eval()
    opened = DataSet.opened(data / "instances.json", data / "JPEGImages")
    with mock.patch("chronomask.baselines.propagation.network.load_propagation", return_value=still):
        found = baseline(
            "osmn-maskprop",
            opened.instances,
            opened.frames,
            tmp_path / "t.json",
            weights=tmp_path / "w",
            first="truth",
        )
    assert found == 4
    tracks = read_tracks(tmp_path / "t.json").tracks
    truth = read_tracks(opened.instances).tracks
    for track, true in zip(tracks, truth, strict=True):
        np.testing.assert_array_equal(rle.decode(track.segmentations[0]), rle.decode(true.segmentations[0]))
        assert track.category_id == true.category_id
