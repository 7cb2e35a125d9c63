import argparse
import subprocess

import numpy as np
import pytest
import torch
from machine import Watch, described, matrix_rate, operations
from segment import ROOT, Excerpt, Way, by_turns, measured, seen_by_network, show, while_running

from chronomask.config import SegmentConfig
from chronomask.model.checkpoint import save_network
from chronomask.video import Frame, VideoSource
from films import film, moving_square
from model.networks import network_of, tiny


class Still(VideoSource):
    name, width, height, fps = "still", 4, 2, 10.0

    def __iter__(self):
        for index in range(5):
            yield Frame(index, index / 10, np.zeros((2, 4, 3), np.uint8))


def test_an_excerpt_is_the_beginning_of_a_source():
    assert [frame.index for frame in Excerpt(Still(), 3)] == [0, 1, 2]
    in_memory = Excerpt(Still(), 2, [np.full((2, 4, 3), 9, np.uint8)] * 2)
    assert [(frame.time, frame.image.max()) for frame in in_memory] == [(0.0, 9), (0.1, 9)]


@pytest.mark.parametrize(("size", "seen"), [((360, 640), (256, 448)), ((480, 270), (448, 256)), ((48, 64), (64, 64))])
def test_the_network_sees_whole_multiples_of_32(size, seen):
    assert seen_by_network(np.zeros((*size, 3), np.uint8), SegmentConfig()).shape == (3, *seen)


def test_a_pace_is_of_all_frames():
    watch = Watch()
    sum(range(10**6))
    pace = watch.pace(10)
    assert 0 < pace.spent <= 1.5 * 1000 / pace.rate


def test_matrices_are_multiplied_at_some_rate():
    assert matrix_rate(torch.float32, most=128, times=1) > 1e6


def test_the_machine_is_described_with_what_the_network_uses(monkeypatch):
    monkeypatch.setattr("machine.matrix_rate", lambda dtype: 1e11)
    monkeypatch.setattr("machine.operations", lambda *_: 4e9)
    text = described("lite", 80.0)
    assert text.startswith("processor: ")
    assert "4.00 x 10^9 operations a frame" in text
    assert "0.50 of float32's" in text


def test_operations_are_those_of_one_more_frame(tmp_path):
    checkpoint = tmp_path / "model.safetensors"
    save_network(checkpoint, network_of(tiny(channels=8)), half=False)
    small, large = (operations(checkpoint, size, 4, 2) for size in ((32, 32), (64, 64)))
    assert 1e7 < small < 1e9
    assert large == pytest.approx(4 * small, rel=0.05)


@pytest.mark.parametrize("ratio", [False, True])
def test_the_table_gives_medians_and_their_ratio(ratio, capsys):
    rounds = {
        tree: [{"about": tree, "rate": value * (1 + place)} for value in (1.0, 2.0, 9.0)]
        for place, tree in enumerate(("before", "now"))
    }
    show("film.mp4", rounds, ratio)
    row = next(line for line in capsys.readouterr().out.splitlines() if "rate" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["rate", "2", "4"] + ["2.00"] * ratio


@pytest.fixture(scope="module")
def measurable(tmp_path_factory):
    """Options and a small film for one quick round."""
    options = argparse.Namespace(model="lite", frames=9, clips=1, times=1, device="cpu", rounds=1)
    return options, str(film(tmp_path_factory.mktemp("film") / "film.mp4", moving_square(12)))


def test_a_way_is_measured_in_processes_of_its_own(measurable):
    options, video = measurable
    figures = measured(Way(ROOT / "src", "openvino", "float32"), options, video)
    about = figures.pop("about")
    assert about.startswith("openvino")
    assert "float32" in about
    assert all(figure > 0 for figure in figures.values())
    assert figures["library of network"] == pytest.approx(figures["library frames/s"] / figures["network frames/s"])
    assert figures["start, overlay CPU s"] < 60


def test_a_way_that_is_not_to_be_had_is_left_out(measurable, capsys):
    options, video = measurable
    assert by_turns({"onnx": Way(ROOT / "src", "onnxruntime", "bfloat16")}, options, video) == {}
    assert "onnxruntime computes in float32 only" in capsys.readouterr().out


def test_the_tree_without_engines_is_measured_too(measurable, tmp_path):
    options, video = measurable
    before = "7e45ce1"
    archive = subprocess.run(["git", "archive", before, "src"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"no git history with {before} here")
    subprocess.run(["tar", "x", "-C", tmp_path], input=archive.stdout, check=True)
    figures = while_running(Way(tmp_path / "src"), options, video)
    assert figures.pop("about").startswith("torch")
    assert all(figure > 0 for figure in figures.values())
