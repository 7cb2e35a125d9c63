import argparse
import time

import numpy as np
import pytest
import torch
from segment import ROOT, Excerpt, Stages, matrix_rate, measured_in, show

from chronomask.model.checkpoint import save_network
from chronomask.video import Frame, VideoSource
from films import film, moving_square
from model.networks import network_of, tiny


def work(seconds):
    """Keeps the processor busy, for sleep costs none of its time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Room:
    """Functions of which the first calls the second."""

    def outer(self):
        work(0.02)
        return self.inner() + 1

    def inner(self):
        work(0.02)
        return 1


def test_time_counts_once_where_a_stage_calls_itself():
    stages, room = Stages(), Room()
    stages.watch(room, "outer", "work")
    stages.watch(room, "inner", "work")
    stages.watch(room, "missing", "nothing")
    assert room.outer() == 2
    # Twice would be 0.06: what the inner function took is part of the outer one.
    assert 0.04 <= stages.seconds["work"] < 0.055
    before = stages.seconds["work"]
    room.inner()
    assert stages.seconds["work"] >= before + 0.02
    assert "nothing" not in stages.seconds


class Slow(VideoSource):
    name, width, height, fps = "slow", 4, 2, 10.0

    def __iter__(self):
        for index in range(5):
            work(0.01)
            yield Frame(index, index / 10, np.zeros((2, 4, 3), np.uint8))


def test_an_excerpt_times_what_it_decodes():
    stages = Stages()
    assert [frame.index for frame in Excerpt(Slow(), 3, stages)] == [0, 1, 2]
    assert stages.seconds["decoding"] >= 0.03
    in_memory = Excerpt(Slow(), 2, Stages(), [np.zeros((2, 4, 3), np.uint8)] * 2)
    assert [frame.time for frame in in_memory] == [0.0, 0.1]


def test_matrices_are_multiplied_at_some_rate():
    assert matrix_rate(torch.device("cpu"), torch.float32, most=128, times=1) > 1e6


@pytest.mark.parametrize("trees", [["now"], ["before", "now"]])
def test_the_table_gives_medians_and_their_ratio(trees, capsys):
    rounds = {tree: [{"rate": value * (1 + place)} for value in (1.0, 2.0, 9.0)] for place, tree in enumerate(trees)}
    show("film.mp4", rounds)
    row = next(line for line in capsys.readouterr().out.splitlines() if "rate" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == {1: ["rate", "2"], 2: ["rate", "2", "4", "2.00"]}[
        len(trees)
    ]


def test_a_tree_is_measured_in_a_process_of_its_own(tmp_path):
    checkpoint = tmp_path / "model.safetensors"
    save_network(checkpoint, network_of(tiny(channels=8)), half=False)
    options = argparse.Namespace(model=str(checkpoint), frames=9, clips=1, device="cpu")
    figures = measured_in(ROOT / "src", options, str(film(tmp_path / "film.mp4", moving_square(9))))
    stages = {"decoding s", "frame encoder s", "clip decoder s", "clustering s", "encoding s"}
    assert stages < figures.keys()
    assert all(figures[stage] > 0 for stage in stages)
    assert figures["library of network"] == pytest.approx(figures["library frames/s"] / figures["network frames/s"])
    assert 0.1 < figures["Gop a frame"] < 1  # of a small network at 48x64
    assert figures["share of float32 rate"] > 0
